"""Trains small networks that tell a live face from a presentation attack, on simulated attacks alone; README.md has what they reach."""
