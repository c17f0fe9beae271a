"""Trains what stands between an NIR crop and the recogniser; README.md has what it found."""
