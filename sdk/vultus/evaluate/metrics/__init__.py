"""Measures of verification, calibration, attack detection and fairness: arrays in, numbers out, no files and no frames."""
