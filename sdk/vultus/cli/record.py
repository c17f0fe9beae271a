"""`vultus record`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vultus.cli import options
from vultus.cli.console import ExitCode, literal, paint
from vultus.cli.session import BadArgument, Cancelled, Session, arguments, session_of

if TYPE_CHECKING:
    from vultus.devices.recordings.envelope import Consent, Key

HELP = """Record a device to an MCAP file, bit for bit: frames, times, calibration and device identity.

The file holds pictures of people: keep it as you would keep such pictures. An existing file is never overwritten.

With --encrypt nobody without the key sees them, and a frame that is changed, moved, repeated or left out is noticed. The key is your own
(made on first use, in a file beside the template store or in the keyring, see VULTUS_KEY), a file of your own (--key), or a
passphrase. A lost key is a lost recording. The consent note, the device's name, times and sizes stay readable by everybody who has
the file: where a name must not be read, write the number of a form.

\b
Examples:
  vultus record morning.mcap --seconds 10        # VULTUS_DEVICE names the device
  vultus record one.mcap --frames 1 --device simulator:astronaut
  vultus record head.mcap --frames 3 --wait 60 --device serial:/dev/ttyACM0   # a frame set may take a minute on a slow line
  vultus record ada.mcap --encrypt --consent 'form 17, to tune the camera' --consent-until 2027-06-30

\b
Exit code: 0 recorded, 2 error. After Ctrl-C the file is whole up to there, and the code 130.
"""


def record(
    ctx: typer.Context,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="File to write, e.g. morning.mcap.")],
    device: options.Device = None,
    seconds: Annotated[
        float | None, typer.Option("--seconds", min=0.1, max=3600, metavar="SECONDS", help="Stop after this much device time; default 10.")
    ] = None,
    frames: Annotated[int | None, typer.Option("--frames", min=1, metavar="COUNT", help="Stop after this many frame sets.")] = None,
    wait: Annotated[
        float, typer.Option("--wait", min=0.1, max=600, metavar="SECONDS", help="Wait this long for each frame set; slow lines need more.")
    ] = 5.0,
    encrypt: Annotated[bool, typer.Option("--encrypt", help="Seal the pictures with AES-256-GCM; takes --consent.")] = False,
    passphrase: Annotated[bool, typer.Option("--passphrase", help="Seal them by a passphrase: VULTUS_PASSPHRASE, or asked for.")] = False,
    key: options.RecordingKey = None,
    consent: Annotated[str, typer.Option("--consent", metavar="TEXT", help="Who agreed to be recorded, and what for; kept readable.")] = "",
    consent_until: Annotated[
        str, typer.Option("--consent-until", metavar="YYYY-MM-DD", help="The day from which the recording must be gone.")
    ] = "",
    json: options.Json = False,
) -> int:
    """Record a device."""
    session = session_of(ctx, json=json)
    if out.exists():
        raise BadArgument(f"{out} exists: choose another name, or remove it first")
    url = session.device_url(device)
    note = _note(consent, consent_until, encrypt=encrypt)
    wrapped_by = _key(session, key, encrypt=encrypt, passphrase=passphrase)
    if seconds is None and frames is None:
        seconds = 10.0
    try:
        with session.open_device(url) as camera, session.console.guide(f"Recording {out.name}", frames) as guide:
            count = session.wiring.record(camera, out, seconds, frames, guide.count, note, wrapped_by, wait)
    except TimeoutError:
        left = f"{out} holds what came before" if out.exists() else "nothing was recorded"
        return session.console.error("device.silent", f"{url} gives no more frame sets within {wait:g} s (--wait); {left}", retryable=True)
    except KeyboardInterrupt:
        left = f"{out} holds what was recorded until then" if out.exists() else "nothing was recorded"
        raise Cancelled(f"cancelled, {left}") from None
    if count == 0:
        return session.console.error("device.silent", f"{url} gave no frame set: check the sensor or the file")
    document = {"file": str(out), "frame_sets": count, "bytes": out.stat().st_size, "encrypted": encrypt}
    sealed = f", encrypted by a {wrapped_by.name}" if wrapped_by is not None else ""
    session.console.result(document, f"{paint('green', 'recorded')} {count} frame sets in {literal(str(out))}{sealed}")
    return ExitCode.YES


def _note(text: str, until: str, *, encrypt: bool) -> Consent | None:
    """Return the consent note; raises BadArgument where it is missing or makes no sense."""
    from vultus.devices.recordings.envelope import Consent

    if not text and (encrypt or until):
        raise BadArgument("--consent is missing: say who agreed to be recorded and what for, or name the form that says so")
    with arguments():
        return Consent(text, until) if text else None


def _key(session: Session, path: Path | None, *, encrypt: bool, passphrase: bool) -> Key | None:
    """Return what encrypts; None without --encrypt."""
    from vultus.devices.recordings import envelope

    if not encrypt:
        if path is not None or passphrase:
            raise BadArgument("--key and --passphrase need --encrypt")
        return None
    if path is not None and passphrase:
        raise BadArgument("give --key or --passphrase, not both")
    if passphrase:
        return session.passphrase(twice=True)
    return envelope.key_file(str(path)) if path is not None else envelope.user_key()
