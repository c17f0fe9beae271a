"""Shows simulated frame sets beside real ones: `python -m models.training.synthesis sheet --out /tmp/sheet.png`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from models.recipes.crops import data_folder
from models.training.synthesis.pool import Recipe
from models.training.synthesis.sheet import write_sheet


def main() -> int:
    """Run the command and return the exit status: 0 done, 2 an error."""
    parser = argparse.ArgumentParser(prog="python -m models.training.synthesis", description=__doc__)
    one = parser.add_subparsers(dest="command", required=True).add_parser("sheet", help="write a contact sheet, outside the repository")
    one.add_argument("--out", type=Path, required=True, help="PNG to write")
    one.add_argument("--sets", nargs="*", default=["london", "canada"], help="photograph sets to render (default: london canada)")
    one.add_argument("--made", type=int, default=6, help="made-up people beside them (default: 6)")
    one.add_argument("--rows", type=int, default=10, help="simulated frame sets to show (default: 10)")
    one.add_argument("--seed", type=int, default=0, help="another seed, other poses, lights and cameras")
    given = parser.parse_args()
    try:
        count = write_sheet(given.out, Recipe(tuple(given.sets), given.made), data_folder(), given.rows, given.seed)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{count} frame sets in {given.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
