"""The steps from a frame set to evidence: a value in, a value out; no stage imports another."""
