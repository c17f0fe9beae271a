"""Latency harness: what one verify costs, stage by stage, cold and warm, beside the null pipeline and beside peers on the same frames."""
