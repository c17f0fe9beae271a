"""Sensor heads on a serial line: the packets, the coded words, the paired session, and the device that reads them."""
