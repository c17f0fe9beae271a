"""The command line `vultus`."""

from vultus.cli.entry import main

__all__ = ["main"]
