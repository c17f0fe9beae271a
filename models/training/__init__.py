"""Training of graphs; needs the extra `train`. Every run reads permitted pictures alone."""
