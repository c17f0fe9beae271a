"""Trains the network that places the five landmarks of a face which the detector has found."""
