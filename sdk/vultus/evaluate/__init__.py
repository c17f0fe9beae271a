"""Measure the SDK: verification, attack detection and whole transactions, with intervals, from an index of files to a report."""
