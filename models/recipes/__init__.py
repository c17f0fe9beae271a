"""How each graph that ships is made, and how it is measured: `python -m models.recipes --help`."""
