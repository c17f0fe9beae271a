"""List the commands; each is imported with little more than typer, and does its own heavy imports when it runs."""

from __future__ import annotations

from typing import Final

import typer

from vultus.cli import (
    bench,
    calibrate,
    calibrate_camera,
    demo,
    devices,
    doctor,
    enroll,
    export,
    guard,
    inspect,
    list_users,
    models,
    pair,
    record,
    remove,
    replay,
    sign_in,
    trim,
    unpair,
    verify,
    version,
)
from vultus.evaluate import command as evaluation

HELP = """Vultus: sign in by face with RGB, near-infrared and depth, on this machine alone.

\b
First steps:
  vultus demo                                    # see it work, with simulated sensors
  vultus doctor                                  # is this machine ready?
  vultus devices                                 # what can be a device
  vultus enroll ada --device URL
  vultus sign-in --device URL

\b
Exit codes of every command: 0 yes, 1 no, 2 error, 3 undecided or time-out, 4 locked.
"""
_HELP_OPTIONS: Final = {"help_option_names": ["-h", "--help"], "max_content_width": 110}

app = typer.Typer(
    help=HELP,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    context_settings=dict(_HELP_OPTIONS),
    pretty_exceptions_enable=False,
)
_COMMANDS: Final = (
    ("enroll", "Enrol a person from a device.", enroll.enroll, enroll.HELP),
    ("sign-in", "Sign a person in, with hints.", sign_in.sign_in, sign_in.HELP),
    ("verify", "Decide on one frame set: is this USER?", verify.verify, verify.VERIFY_HELP),
    ("identify", "Decide on one frame set: who is this?", verify.identify, verify.IDENTIFY_HELP),
    ("list", "List who is enrolled.", list_users.list_users, list_users.HELP),
    ("remove", "Forget a person.", remove.remove, remove.HELP),
    ("guard", "List or drop the guards of devices.", guard.guard, guard.HELP),
    ("record", "Record a device to a file.", record.record, record.HELP),
    ("replay", "Read a recording to its end.", replay.replay, replay.HELP),
    ("inspect", "Say what a recording holds.", inspect.inspect, inspect.HELP),
    ("trim", "Cut a piece out of a recording.", trim.trim, trim.HELP),
    ("export", "Write a copy without faces, or without pictures.", export.export, export.HELP),
    ("devices", "List or describe devices.", devices.devices, devices.HELP),
    ("pair", "Pair with a sensor head, or list those paired.", pair.pair, pair.HELP),
    ("unpair", "Undo the pairing with a sensor head.", unpair.unpair, unpair.HELP),
    ("calibrate", "Calibrate a sensor of your own.", calibrate.calibrate, calibrate.HELP),
    ("calibrate-camera", "Find lenses and places from a printed board.", calibrate_camera.calibrate_camera, calibrate_camera.HELP),
    ("doctor", "Check this machine.", doctor.doctor, doctor.HELP),
    ("demo", "See it work, with simulated sensors.", demo.demo, demo.HELP),
    ("bench", "Measure the latency here.", bench.bench, bench.HELP),
    ("version", "Print the version.", version.version, version.HELP),
)
for _name, _short, _function, _help in _COMMANDS:
    app.command(_name, short_help=_short, help=_help)(_function)

_models = typer.Typer(help=models.HELP, short_help="List, check or rebuild the graphs.", no_args_is_help=True, rich_markup_mode=None)
_models.command("list", short_help="List the graphs.", help=models.LIST_HELP)(models.list_graphs)
_models.command("verify", short_help="Check every hash.", help=models.VERIFY_HELP)(models.verify_graphs)
_models.command("optimise", short_help="Prepare the graphs for this machine.", help=models.OPTIMISE_HELP)(models.optimise)
_models.command("build", short_help="Make the graphs again.", help=models.BUILD_HELP)(models.build)
app.add_typer(_models, name="models")
app.add_typer(evaluation.app, name="evaluate", short_help="Measure error rates on a data set.")
