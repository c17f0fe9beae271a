"""Recordings: frame sets in MCAP files, written, sealed, read back, cut and replayed."""
