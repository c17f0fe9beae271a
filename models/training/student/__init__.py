"""A student of the recogniser with ReLU in place of PRelu: what it would gain in time and what it loses in accuracy."""
