"""Makes RGB, NIR and depth frame sets of heads with known identity; all that it makes is simulated."""
