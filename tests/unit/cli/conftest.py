from __future__ import annotations

import io
import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from vultus.cli import main
from vultus.cli.wiring import Wiring
from vultus.devices.base import Capabilities, Device
from vultus.doctor import Check, State
from vultus.errors import DeviceNotFound
from vultus.settings import Settings
from vultus.store import Template, TemplateStore
from vultus.templates import Enrollment
from vultus.types import Decision, DeviceIdentity, Embedding, Frame, FrameSet, Hint, Modality, Outcome, Reason, Source, Stream

GRAPH = "ab" * 32


def template(user, graph=GRAPH, created_ns=1_750_000_000_000_000_000):
    vector = np.zeros(128, np.float32)
    vector[0] = 1
    return Template(user, tuple(Embedding(m, vector, graph) for m in Modality), created_ns, FakeDevice.who)


class FakeDevice(Device):
    """Gives as many small grey frame sets as it is told to."""

    who = DeviceIdentity("fake", "bench camera", "7", Source.LIVE)

    def __init__(self, frame_sets=3):
        super().__init__(self.who)
        self._left = frame_sets
        self.closed = False

    def _open(self):
        return Capabilities((), None, finite=True, hardware_time=False)

    def _next(self, deadline):
        if isinstance(self._left, BaseException):
            raise self._left
        if self._left == 0:
            return None
        self._left -= 1
        number = 10 - self._left
        frame = Frame(Stream.RGB, np.zeros((20, 30, 3), np.uint8), number * 1_000_000)
        return FrameSet(self.who, number, rgb=frame)

    def _close(self):
        self.closed = True


class FakeAuthenticator:
    """Does what the test says and remembers how it was asked."""

    def __init__(self, wiring, store, policy):
        self.wiring, self.store = wiring, store
        wiring.policy = policy

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.wiring.closed.append("authenticator")

    def enroll(self, user, device, *, on_hint, on_progress, replace, samples, timeout_s):
        self.wiring.asked = SimpleNamespace(user=user, replace=replace, samples=samples, timeout_s=timeout_s)
        on_hint(Hint.TOO_FAR)
        on_progress(1, samples)
        if isinstance(self.wiring.enrolment, BaseException):
            raise self.wiring.enrolment
        if self.wiring.enrolment is Reason.ACCEPTED:
            self.store.add(template(user), replace=replace)
            if self.wiring.interrupt_after:
                raise KeyboardInterrupt
        return Enrollment(user, self.wiring.enrolment, {"rgb": samples, "nir": samples})

    def verify(self, frame_set, user=None):
        self.wiring.asked = SimpleNamespace(user=user, frame_set=frame_set)
        return self._decision()

    def identify(self, frame_set):
        return self.verify(frame_set)

    def sign_in(self, device, *, user, timeout_s, on_hint):
        self.wiring.asked = SimpleNamespace(user=user, timeout_s=timeout_s)
        on_hint(Hint.NO_FACE)
        return self._decision()

    def _decision(self):
        if isinstance(self.wiring.decision, BaseException):
            raise self.wiring.decision
        return self.wiring.decision


class FakeWiring(Wiring):
    """The layers below as the tests want them; the store is the real one."""

    def __init__(self, folder):
        self.store = folder / "templates.db"
        self.device = FakeDevice()
        self.decision = Decision(Outcome.ACCEPT, Reason.ACCEPTED, "ada")
        self.enrolment = Reason.ACCEPTED
        self.interrupt_after = False
        self.checked = (Check("core", State.OK, "fine"),)
        self.policy = self.asked = None
        self.closed = []
        self.default_device = "fake:"

    def settings(self):
        return Settings(self.store, self.default_device, "file", None)

    def open_device(self, url, **options):
        if not url.startswith(("fake:", "replay:")):
            raise ValueError(f"{url!r} is no device URL")
        if url == "fake:none":
            raise DeviceNotFound("there is no device none: vultus devices lists them")
        return self.device.open()

    def cameras(self):
        return []

    def authenticator(self, store, policy):
        return FakeAuthenticator(self, store, policy)

    def record(self, device, path, seconds, frames, on_count, consent=None, key=None, wait_s=5.0):
        self.asked = SimpleNamespace(seconds=seconds, frames=frames, consent=consent, key=key, wait_s=wait_s)
        count = 0
        for count, _ in enumerate(device.frames(), start=1):
            on_count(count)
        path.write_bytes(b"recording")
        return count

    def checks(self, store, device):
        self.asked = SimpleNamespace(store=store, device=device)
        return self.checked

    def demo(self, sheet, *, json):
        self.asked = SimpleNamespace(sheet=sheet, json=json)
        return 0


@pytest.fixture
def wiring(tmp_path):
    return FakeWiring(tmp_path)


@pytest.fixture
def enrolled(wiring):
    """Wiring whose store has ada and grace in it."""
    with TemplateStore.open(wiring.store) as store:
        for user in ("ada", "grace"):
            store.add(template(user))
    return wiring


class Terminal(io.StringIO):
    """A text stream that says it is a terminal."""

    def isatty(self):
        return True


@pytest.fixture
def run(wiring, monkeypatch, capsys):
    """Run the command line and return exit code, stdout, stderr and, with --json, the one document of stdout."""

    def runner(*arguments, terminal=False, typed=""):
        capsys.readouterr()
        if terminal:
            # Rich looks at these, and a machine that runs tests may have set any of them.
            for name in ("NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
                monkeypatch.delenv(name, raising=False)
            monkeypatch.setenv("TERM", "xterm-256color")
            monkeypatch.setattr(sys, "stdout", Terminal())
            monkeypatch.setattr(sys, "stderr", Terminal())
            monkeypatch.setattr(sys, "stdin", Terminal(typed))
        code = main([str(a) for a in arguments], wiring)
        out, err = (sys.stdout.getvalue(), sys.stderr.getvalue()) if terminal else capsys.readouterr()
        assert "Traceback" not in err
        document = json.loads(out) if "--json" in arguments else None
        return SimpleNamespace(code=code, out=out, err=err, json=document)

    return runner
