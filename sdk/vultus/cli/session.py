"""Hold what every command gets: the layers below and the terminal."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from vultus.cli.console import Console
from vultus.cli.wiring import Wiring

if TYPE_CHECKING:
    from vultus.devices.base import Device
    from vultus.devices.recordings.envelope import Key, Passphrase


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

    def open_device(self, url: str, **options: Any) -> Device:
        """Open a device; raises BadArgument for a URL or an option that nobody knows."""
        with arguments():
            return self.wiring.open_device(url, **options)

    def key_of(self, file: Path, given: Path | None) -> Key | None:
        """Return what opens a recording: the key file that was given, a passphrase asked for, or None: the recording's own choice."""
        from vultus.devices.recordings import envelope

        if given is not None:
            return envelope.key_file(str(given))
        named = file.is_file() and envelope.asks_passphrase(file)
        return self.passphrase() if named and self.wiring.settings().passphrase is None and self.console.interactive else None

    def passphrase(self, *, twice: bool = False) -> Passphrase:
        """Return the passphrase of the settings, or ask for it on a terminal without showing it; raises BadArgument."""
        from getpass import getpass

        from vultus.devices.recordings.envelope import Passphrase

        told = self.wiring.settings().passphrase
        if told is None and not self.console.interactive:
            raise BadArgument("no passphrase: set VULTUS_PASSPHRASE, or run on a terminal, where it is asked for")
        typed = told if told is not None else getpass("Passphrase: ")
        if twice and told is None and getpass("Again: ") != typed:
            raise BadArgument("the two passphrases differ; nothing was recorded")
        with arguments():
            return Passphrase(typed)


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
