"""Show an evaluation document to a person: text for a terminal, one self-contained page for a browser and a printer."""
