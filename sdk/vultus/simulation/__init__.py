"""Simulated presentation attacks, made from registered RGB + NIR + depth triplets; no figure on them is a certificate."""
