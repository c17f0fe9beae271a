"""Rendered heads, prints and screens before rendered cameras; its frames are `simulated`, never live."""
