"""Hold what every command gets: the layers below and the terminal."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from vultus.cli.console import Console
from vultus.cli.wiring import Wiring

if TYPE_CHECKING:
    from vultus.devices.base import Device


class BadArgument(Exception):
    """An argument that only a layer below could judge."""


class Cancelled(Exception):
    """Ctrl-C where the command knows better than `entry` what was stored."""


@dataclass(frozen=True, slots=True)
class Session:
    """What one run of the program has."""

    wiring: Wiring
    console: Console

    def store_path(self, given: Path | None) -> Path:
        """Return the store to use: what was given, or what the settings say."""
        with arguments():
            return given.expanduser() if given is not None else self.wiring.settings().store

    def device_url(self, given: str | None) -> str:
        """Return the device to use; raises BadArgument when nobody named one."""
        with arguments():
            url = given if given is not None else self.wiring.settings().device
        if not url:
            raise BadArgument("no device: give --device URL or set VULTUS_DEVICE; vultus devices lists what there is")
        return url

    def open_device(self, url: str) -> Device:
        """Open a device; raises BadArgument for a URL or an option that nobody knows."""
        with arguments():
            return self.wiring.open_device(url)


def session_of(context: typer.Context, *, json: bool) -> Session:
    """Return the session that `main` made; `json` is what the command's own option says."""
    session = context.obj
    if not isinstance(session, Session):
        raise TypeError("the commands run through vultus.cli.main")
    session.console.json = json
    return session


@contextlib.contextmanager
def arguments() -> Iterator[None]:
    """Take ValueError and TypeError inside for a wrong argument; anywhere else they are faults of the program."""
    try:
        yield
    except (ValueError, TypeError) as error:
        raise BadArgument(str(error)) from error
