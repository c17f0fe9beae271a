"""The device base class: every state x call of its diagram, and the order of frame sets."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from vultus.devices import Capabilities, Device, Order, State, StreamFormat
from vultus.errors import DeviceBusy, DeviceLost, DeviceState
from vultus.frames import DeviceIdentity, FrameSet, Source, Stream


class Fake(Device):
    """A device whose next answer the test sets; it counts what it claims and lets go."""

    def __init__(self, make_set: Callable[..., FrameSet]) -> None:
        super().__init__(DeviceIdentity("fake", "fake", "1", Source.LIVE))
        self.make_set = make_set
        self.claimed = 0
        self.interrupts = 0
        self.answer: Callable[[], FrameSet | None] = lambda: make_set(0)
        self.refuse: Exception | None = None

    def _open(self) -> Capabilities:
        if self.refuse is not None:
            raise self.refuse
        self.claimed += 1
        return Capabilities((StreamFormat(Stream.RGB),), rate_hz=30, finite=False, hardware_time=True)

    def _next(self, deadline: float) -> FrameSet | None:
        return self.answer()

    def _interrupt(self) -> None:
        self.interrupts += 1

    def _close(self) -> None:
        self.claimed -= 1


def lose() -> None:
    """Play the unplugged cable."""
    raise DeviceLost("unplugged")


@pytest.fixture
def device(make_set: Callable[..., FrameSet]) -> Fake:
    """Return a closed fake device."""
    return Fake(make_set)


def bring(device: Fake, state: State) -> None:
    """Bring a closed device into a state."""
    if state is State.CLOSED:
        return
    device.open()
    if state is State.STREAMING:
        device.read()
    if state is State.LOST:
        good, device.answer = device.answer, lose
        with pytest.raises(DeviceLost, match="unplugged"):
            device.read()
        device.answer = good
    assert device.state is state


@pytest.mark.parametrize(
    ("state", "after"),
    [(State.CLOSED, State.OPEN), (State.OPEN, None), (State.STREAMING, None), (State.LOST, State.OPEN)],
)
def test_open_in_every_state(device: Fake, state: State, after: State | None) -> None:
    """open() works from closed and lost and is refused, without harm, when the device is open."""
    bring(device, state)
    if after is None:
        with pytest.raises(DeviceState, match="open already"):
            device.open()
        assert device.state is state
    else:
        assert device.open() is device
        assert device.state is after
    assert device.claimed == 1
    device.close()
    assert device.claimed == 0


@pytest.mark.parametrize(
    ("state", "error"), [(State.CLOSED, DeviceState), (State.OPEN, None), (State.STREAMING, None), (State.LOST, DeviceLost)]
)
def test_read_in_every_state(device: Fake, state: State, error: type[Exception] | None) -> None:
    """read() gives frame sets from an open device and says of a closed or lost one that it must be opened."""
    bring(device, state)
    if error is None:
        assert isinstance(device.read(), FrameSet)
        assert device.state is State.STREAMING
    else:
        with pytest.raises(error, match="open it"):
            device.read()
        assert device.state is state


@pytest.mark.parametrize("state", list(State))
def test_cancel_in_every_state(device: Fake, state: State) -> None:
    """cancel() ends the reads of an open device, keeps its state, and does nothing to a closed or lost one."""
    bring(device, state)
    device.cancel()
    working = state in (State.OPEN, State.STREAMING)
    assert device.state is state
    assert device.cancelled is working
    assert device.interrupts == int(working)
    if working:
        assert device.read() is None
        device.close()
    device.open()
    assert not device.cancelled
    assert device.read() is not None


@pytest.mark.parametrize("state", list(State))
def test_close_in_every_state(device: Fake, state: State) -> None:
    """close() leads to closed from everywhere, twice over, and lets go exactly once."""
    bring(device, state)
    device.close()
    device.close()
    assert device.state is State.CLOSED
    assert device.claimed == 0


@pytest.mark.parametrize(
    ("state", "error"), [(State.CLOSED, DeviceState), (State.OPEN, None), (State.STREAMING, None), (State.LOST, DeviceLost)]
)
def test_capabilities_in_every_state(device: Fake, state: State, error: type[Exception] | None) -> None:
    """Only an open device tells what it can do."""
    bring(device, state)
    if error is None:
        assert device.capabilities.streams == {Stream.RGB}
        assert not device.capabilities.lit_ambient
    else:
        with pytest.raises(error, match="open it"):
            _ = device.capabilities


def test_a_failed_open_leaves_the_device_closed(device: Fake) -> None:
    """An open that raises leaves the device closed, and a later one may work."""
    device.refuse = DeviceBusy("held by another process")
    with pytest.raises(DeviceBusy):
        device.open()
    assert device.state is State.CLOSED
    assert device.claimed == 0
    device.refuse = None
    assert device.open().state is State.OPEN


def test_a_failing_read_that_is_no_loss_keeps_the_device_open(device: Fake) -> None:
    """A time-out does not end the stream."""
    device.open()
    good = device.answer

    def late() -> None:
        raise TimeoutError("late")

    device.answer = late
    with pytest.raises(TimeoutError):
        device.read(0.0)
    device.answer = good
    assert device.state is State.STREAMING
    assert device.read() is not None


def test_the_with_statement_opens_and_closes(device: Fake) -> None:
    """A with statement opens a closed device, takes an open one as it is, and closes it also after an error."""
    with device as inside:
        assert inside is device
        assert device.state is State.OPEN
    device.open()
    with pytest.raises(ZeroDivisionError), device:
        _ = 1 / 0
    assert device.state is State.CLOSED
    assert device.claimed == 0


def test_frames_ends_where_read_gives_none(device: Fake, make_set: Callable[..., FrameSet]) -> None:
    """frames() yields until read() gives None."""
    answers = [make_set(1), make_set(2), None]
    device.answer = lambda: answers.pop(0)
    with device:
        assert [f.sequence for f in device.frames()] == [1, 2]


def test_a_frame_set_that_arrives_after_cancel_is_not_delivered(device: Fake, make_set: Callable[..., FrameSet]) -> None:
    """What the driver still brings after a cancel is dropped."""

    def answer() -> FrameSet:
        device.cancel()
        return make_set(5)

    device.answer = answer
    with device:
        assert device.read() is None


def test_close_waits_for_the_read_in_progress(device: Fake, make_set: Callable[..., FrameSet]) -> None:
    """close() from another thread does not let go of what a read still uses."""
    held: list[int] = []
    inside = threading.Event()

    def answer() -> FrameSet:
        inside.set()
        time.sleep(0.1)
        held.append(device.claimed)
        return make_set(0)

    device.answer = answer
    device.open()
    reader = threading.Thread(target=device.read)
    reader.start()
    assert inside.wait(5)
    device.close()
    reader.join(5)
    assert held == [1]
    assert device.claimed == 0


@pytest.mark.parametrize("bad", [-1.0, float("nan")])
def test_a_nonsensical_time_out_is_refused_before_any_work(device: Fake, bad: float) -> None:
    """A time-out that is negative or not a number is a ValueError, also on a closed device."""
    with pytest.raises(ValueError, match="timeout_s"):
        device.read(bad)


def test_the_repr_is_one_line_with_the_state(device: Fake) -> None:
    """The repr names the device and its state and nothing else."""
    assert repr(device) == "<Fake fake:fake closed>"


def test_order_accepts_what_rises(make_set: Callable[..., FrameSet]) -> None:
    """Rising sequences and times are in order, also where a stream comes and goes or repeats its time."""
    order = Order()
    assert order.problem(make_set(0, 100)) is None
    assert order.problem(make_set(1, 200, streams=("rgb",))) is None
    assert order.problem(make_set(5, 300, streams=("nir", "depth"))) is None


@pytest.mark.parametrize(
    ("second", "problem"),
    [
        ((4, 200), "sequence 4 comes after 4"),
        ((3, 200), "comes after"),
        ((5, 100), "time stands still"),
        ((5, 99), "time runs backwards in rgb"),
    ],
)
def test_order_names_what_does_not_rise(make_set: Callable[..., FrameSet], second: tuple[int, int], problem: str) -> None:
    """A repeated sequence, a time that stands still and one that runs backwards are each named, and not remembered."""
    order = Order()
    assert order.problem(make_set(4, 100)) is None
    assert problem in (order.problem(make_set(*second)) or "")
    assert order.problem(make_set(5, 101)) is None


def test_order_remembers_each_streams_last_time(make_set: Callable[..., FrameSet]) -> None:
    """A stream that was absent for a while may not come back with an older time."""
    order = Order()
    assert order.problem(make_set(0, 100, streams=("rgb", "depth"))) is None
    assert order.problem(make_set(1, 200, streams=("rgb",))) is None
    late = make_set(2, 300, streams=("rgb",))
    old = make_set(2, 50, streams=("depth",)).depth
    assert "depth" in (order.problem(FrameSet(late.device, 2, rgb=late.rgb, depth=old)) or "")
