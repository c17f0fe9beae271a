"""Decide which nodes of a camera to use, and in which ways to try to capture them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from vultus.devices.registry import Options
from vultus.devices.v4l2.camera_quirks import quirk_of
from vultus.devices.v4l2.cameras import Camera, find_node
from vultus.devices.v4l2.controls import EXPOSURE, GAIN
from vultus.devices.v4l2.kernel import Kernel
from vultus.devices.v4l2.profile import CAPTURES, Profile
from vultus.devices.v4l2.survey import Survey, Wish, ranked, survey_node
from vultus.errors import DeviceError
from vultus.frames import Stream

STREAMS: Final = (Stream.RGB, Stream.NIR, Stream.DEPTH)
USUAL: Final = Wish()
Chosen = dict[Stream, tuple[Survey, float]]
"""By stream, its node and the millimetres of one depth step."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What the caller asked for; streams () = all that there are, nir "" = the camera's own, depth_unit_mm None = as its quirks state,
    nir_bits = how many bits of a 16-bit infrared format the sensor fills, from the lowest up.
    """

    wish: Wish = USUAL
    streams: tuple[Stream, ...] = ()
    nir: str = ""
    capture: str = "auto"
    emitter: bool = True
    depth_unit_mm: float | None = None
    nir_bits: int = 16
    settings: tuple[tuple[Stream, str, int], ...] = ()


USUAL_CHOICE: Final = Choice()


def choice_of(options: Options) -> Choice:
    """Read the options of a URL; raises ValueError."""
    width, height = options.whole("width", USUAL.width, 16, 8192), options.whole("height", USUAL.height, 16, 8192)
    wish = Wish(width, height, options.number("fps", USUAL.rate_hz, 1, 300))
    names = [n for n in options.text("streams", "").split(",") if n]
    if not set(names) <= {s.value for s in STREAMS}:
        raise ValueError(f"v4l2: streams must be some of rgb, nir, depth; got {','.join(names)}")
    nir, capture = options.text("nir", ""), options.text("capture", "auto", ("auto", "concurrent", "alternating"))
    emitter, unit = options.text("emitter", "on", ("on", "off")), options.number("depth_unit_mm", 0.0, 0.0, 100.0)
    bits = options.whole("nir_bits", 16, 8, 16)
    asked = []
    for stream in (Stream.NIR, Stream.RGB):
        for word, control in (("exposure", EXPOSURE), ("gain", GAIN)):
            value = options.take(f"{stream}_{word}")
            if value is not None:
                asked.append((stream, control, Options("v4l2", {word: value}).whole(word, 0, 0, 2**31 - 1)))
    options.done()
    return Choice(wish, tuple(Stream(n) for n in names), nir, capture, emitter == "on", unit or None, bits, tuple(asked))


def choose(camera: Camera, surveys: tuple[Survey, ...], choice: Choice, kernel: Kernel) -> Chosen:
    """Choose a node for each stream; raises DeviceError when a stream that was asked for is not there."""
    found: Chosen = {}
    if choice.nir:
        other = survey_node(find_node(choice.nir, kernel), kernel)
        if not ranked(other.modes, Stream.NIR, choice.wish):
            raise DeviceError(f"v4l2: {choice.nir} gives no infrared format (GREY, Y16 or Y8I); name another node")
        found[Stream.NIR] = (other, 1.0)
    for one in surveys:
        stream = one.stream
        unit_mm = _depth_unit(camera, choice) if stream is Stream.DEPTH else 1.0
        if stream is not None and stream not in found and unit_mm is not None:
            found[stream] = (one, unit_mm)
    missing = [s for s in choice.streams if s not in found]
    if missing or not found:
        hint = "; state depth_unit_mm, the millimetres of a step of its depth" if any(s.stream is Stream.DEPTH for s in surveys) else ""
        what = " or ".join(missing) or "rgb, nir or depth"
        raise DeviceError(f"v4l2: {camera.label} gives no {what} in a format that is known{hint}; vultus devices lists what there is")
    return {s: found[s] for s in STREAMS if s in found and s in (choice.streams or STREAMS)}


def attempts(chosen: Chosen, choice: Choice, profile: Profile | None) -> list[tuple[str, tuple[str, ...]]]:
    """List the captures to try, what was qualified first: (kind, colour formats, () = any). Compressed colour needs least of the bus."""
    rgb = {m.format for m in chosen[Stream.RGB][0].modes} if Stream.RGB in chosen else set()
    formats: list[tuple[str, ...]] = [(), ("MJPG",)] if "MJPG" in rgb else [()]
    kinds: tuple[str, ...] = CAPTURES if choice.capture == "auto" else (choice.capture,)
    if len(chosen) == 1:
        kinds = CAPTURES[:1]
    if profile is not None and profile.rgb_format in rgb:
        formats.insert(0, (profile.rgb_format,))
    if profile is not None and profile.capture in kinds:
        kinds = kinds[kinds.index(profile.capture) :]
    return [(kind, names) for kind in kinds for names in formats]


def _depth_unit(camera: Camera, choice: Choice) -> float | None:
    """Return the millimetres of a depth step; None when nobody states it, since a guess would be wrong by a factor."""
    if choice.depth_unit_mm is not None:
        return choice.depth_unit_mm
    quirk = quirk_of(camera.usb.vendor, camera.usb.product) if camera.usb else None
    return quirk.depth_unit_mm if quirk else None
