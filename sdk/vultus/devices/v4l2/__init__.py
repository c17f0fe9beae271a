"""Cameras of the Linux kernel (V4L2): found, surveyed, planned, their illuminator switched on, their frames paired."""
