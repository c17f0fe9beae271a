"""Reach the layers below, each imported only when a command needs it; tests pass another Wiring."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from vultus import settings

if TYPE_CHECKING:
    from vultus.authenticator import Authenticator
    from vultus.devices.base import Device
    from vultus.devices.heads.device import SerialHead
    from vultus.devices.heads.known import KnownHeads
    from vultus.devices.recordings.envelope import Consent, Key
    from vultus.devices.v4l2.profile import Profile
    from vultus.doctor import Check
    from vultus.manifest import Manifest
    from vultus.policy import Policy
    from vultus.store import TemplateStore


class Wiring:
    """What the commands call."""

    def settings(self) -> settings.Settings:
        """Read the environment."""
        return settings.load()

    def open_store(self, path: Path, *, create: bool) -> TemplateStore:
        """Open the template store; a new one puts its key where the settings say."""
        from vultus.store import TemplateStore

        return TemplateStore.open(path, self.settings().key, create=create)

    def open_rehearsal(self, path: Path) -> TemplateStore:
        """Open the template store for looking only."""
        from vultus.cli.rehearsal import Rehearsal

        return Rehearsal.open(path, create=False)

    def open_device(self, url: str, **options: Any) -> Device:
        """Open a device."""
        from vultus.devices.registry import open_device

        return open_device(url, **options)

    def sensor_head(self, url: str) -> SerialHead:
        """Return the sensor head that `url` names, closed; raises ValueError for another kind of device."""
        from vultus.devices.heads.device import SerialHead
        from vultus.devices.registry import create_device

        if not url.startswith("serial:"):
            raise ValueError(f"{url!r} is no sensor head: those are paired on a serial line, e.g. serial:/dev/ttyACM0")
        return cast(SerialHead, create_device(url))

    def known_heads(self) -> KnownHeads:
        """Return the sensor heads that this host is paired with."""
        from vultus.devices.heads.known import KnownHeads

        return KnownHeads(settings.pairing_folder())

    def authenticator(self, store: TemplateStore, policy: Policy) -> Authenticator:
        """Make the authenticator."""
        from vultus.authenticator import Authenticator

        return Authenticator(store=store, policy=policy, calibrations=self.settings().calibrations)

    def manifest(self) -> Manifest:
        """Read the list of graphs."""
        from vultus.manifest import load_manifest

        return load_manifest()

    def build_graphs(self) -> int:
        """Make the graphs again and return the recipe's exit status."""
        from vultus.graphs import build_graphs

        return build_graphs()

    def optimise_graphs(self) -> Path:
        """Let the runtime optimise the graphs for this machine and return the folder."""
        from vultus.graphs import optimise

        return optimise(self.manifest())

    def schemes(self) -> tuple[str, ...]:
        """Return the kinds of device that are known."""
        from vultus.devices.registry import schemes

        return schemes()

    def cameras(self) -> list[dict[str, Any]]:
        """Describe the cameras that are plugged in, on Linux."""
        if not sys.platform.startswith("linux"):
            return []
        from vultus.devices.v4l2.listing import list_cameras

        return list_cameras()

    def qualify(self, url: str, on_step: Callable[[str], None]) -> tuple[Profile, Path]:
        """Measure how a camera captures best and keep the result."""
        from vultus.devices.registry import create_device
        from vultus.devices.v4l2.device import V4l2
        from vultus.devices.v4l2.qualify import qualify

        device = create_device(url)
        if not isinstance(device, V4l2):
            raise TypeError("--qualify needs the v4l2: URL of a camera; vultus devices lists them")
        return qualify(device.name, device.choice, on_step=on_step)

    def record(
        self,
        device: Device,
        path: Path,
        seconds: float | None,
        frames: int | None,
        on_count: Callable[[int], None],
        consent: Consent | None = None,
        key: Key | None = None,
        wait_s: float = 5.0,
    ) -> int:
        """Record until the first limit, tell the number of frame sets after each, and return it."""
        from vultus.devices.recordings.recorder import record

        numbers = itertools.count(1)
        return record(
            device, path, count=frames, seconds=seconds, timeout_s=wait_s, consent=consent, key=key, on_frame_set=lambda _: on_count(next(numbers))
        )  # fmt: skip

    def checks(self, store: Path, device: str | None) -> tuple[Check, ...]:
        """Run the doctor's checks."""
        from vultus import doctor

        return doctor.run(self.settings(), store, device)

    def demo(self, sheet: Path | None, *, json: bool) -> int:
        """Run the demonstration and return its exit code."""
        from vultus import demo

        return demo.run(sheet, json=json)
