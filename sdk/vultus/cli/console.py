"""Write results to stdout and everything else to stderr: rich on a terminal, plain lines in a pipe."""

from __future__ import annotations

import contextlib
import enum
import json as json_module
import os
import re
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, TextIO

from vultus import settings
from vultus.cli.words import hint_words

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from vultus.types import Hint

_STYLES: Final = {"bold": 1, "green": 32, "red": 31, "yellow": 33}
_PAINT: Final = re.compile(r"\x1b\[\d+m")


class ExitCode(enum.IntEnum):
    """How a command ended, for scripts."""

    YES = 0
    NO = 1
    ERROR = 2
    UNDECIDED = 3
    LOCKED = 4


class Guide:
    """Shows a person what to do next while the sensors look; shows nothing in a pipe."""

    def __init__(self, progress: Progress | None = None, task: TaskID | None = None) -> None:
        self._progress = progress
        self._task = task

    def hint(self, hint: Hint) -> None:
        """Show one hint until the next."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, hint=hint_words(hint))

    def say(self, what: str) -> None:
        """Show what is being done until the next."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, hint=what)

    def count(self, done: int) -> None:
        """Show how many have been taken, of a total that may not be known."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=done, hint=f"{done} frame sets")

    def step(self, done: int, total: int) -> None:
        """Show how many samples are taken; the hint before is over."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=done, total=total, hint="")


class Console:
    """The terminal of one run. `json` puts one JSON document on stdout, whatever happens."""

    def __init__(self, *, json: bool, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self.json = json
        self._out = out if out is not None else sys.stdout
        self._err = err if err is not None else sys.stderr

    def result(self, document: Mapping[str, Any], text: str) -> None:
        """Write a result: the document with --json, the text otherwise."""
        if self.json:
            self._write(json_module.dumps(document, allow_nan=False, ensure_ascii=False))
        else:
            self._write_painted(text)

    def error(self, code: str, message: str, *, retryable: bool = False) -> ExitCode:
        """Write what went wrong and what to do, in one line, and return the exit code for it."""
        line = " ".join(message.split())
        with contextlib.suppress(BrokenPipeError):
            print(f"error: {line}", file=self._err, flush=True)
        if self.json:
            self._write(json_module.dumps({"error": {"code": code, "message": line, "retryable": retryable}}, ensure_ascii=False))
        return ExitCode.ERROR

    def warn(self, message: str) -> None:
        """Write one line that is neither the result nor a failure, for people and logs."""
        with contextlib.suppress(BrokenPipeError):
            print(f"warning: {' '.join(message.split())}", file=self._err, flush=True)

    @property
    def interactive(self) -> bool:
        """True when a person can be asked."""
        return self._err.isatty() and sys.stdin.isatty()

    @property
    def asks(self) -> bool:
        """True when somebody sits at a terminal and can answer."""
        return not self.json and self.interactive

    def confirm(self, question: str) -> bool:
        """Ask on a terminal; nobody is asked in a pipe, where the command itself is the consent."""
        if not self.asks:
            return True
        print(f"{question} [y/N] ", end="", file=self._err, flush=True)
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    @contextlib.contextmanager
    def guide(self, title: str, total: int | None = None) -> Iterator[Guide]:
        """Yield what shows hints and progress on a terminal; `total` None means that nobody knows how long it takes."""
        if self.json or not self._err.isatty():
            yield Guide()
            return
        from rich.console import Console as RichConsole
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

        counted = (BarColumn(bar_width=20), MofNCompleteColumn()) if total is not None else ()
        columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), *counted, TextColumn("[yellow]{task.fields[hint]}"))
        with Progress(*columns, console=RichConsole(file=self._err), transient=True) as progress:
            yield Guide(progress, progress.add_task(title, total=total, hint=""))

    def _write_painted(self, text: str) -> None:
        """Write text with its colours on a terminal and without them elsewhere."""
        self._write(text if self._out.isatty() and settings.colours() else _PAINT.sub("", text))

    def _write(self, line: str) -> None:
        """Write to stdout; a reader that went away (`| head`) changes neither the outcome nor the exit code."""
        try:
            print(line, file=self._out, flush=True)
        except BrokenPipeError:
            # Python would complain about stdout once more when it exits.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._out.fileno())


def paint(style: str, text: str) -> str:
    """Return text in a colour for a terminal; `result` takes it away in a pipe."""
    return f"\x1b[{_STYLES[style]}m{literal(text)}\x1b[0m"


def literal(text: str) -> str:
    """Return text of which no character controls a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
