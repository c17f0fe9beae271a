"""State the options that several commands share, once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Device = Annotated[
    str | None, typer.Option("--device", metavar="URL", help="Where frames come from; default VULTUS_DEVICE. See vultus devices.")
]
Store = Annotated[
    Path | None, typer.Option("--store", metavar="PATH", help="Template store; default VULTUS_STORE, else the user's data folder.")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, for programs.")]
TargetFmr = Annotated[
    float | None,
    typer.Option("--target-fmr", metavar="RATE", help="False-match rate to stay below, e.g. 1e-4; default: the policy's."),
]
TargetIapar = Annotated[
    float | None,
    typer.Option(
        "--target-iapar", metavar="RATE", help="Share of attacks that may pass, e.g. 0.05; takes a sensor's own liveness calibration."
    ),
]
TargetBpcer = Annotated[
    float | None,
    typer.Option(
        "--target-bpcer", metavar="RATE", help="Share of live faces that may be refused; takes a sensor's own liveness calibration."
    ),
]
TierName = Annotated[
    str | None, typer.Option("--tier", metavar="TIER", help="Liveness evidence needed: secure (default), standard or convenience.")
]
AllowRecordings = Annotated[
    bool, typer.Option("--allow-recordings", help="Accept recordings and picture files, which anyone can replay: for tests only.")
]
AllowSimulated = Annotated[bool, typer.Option("--allow-simulated", help="Accept simulated sensors: for tests only.")]
AllowVirtual = Annotated[
    bool, typer.Option("--allow-virtual", help="Accept cameras that software makes up, such as v4l2loopback: for tests only.")
]
AllowExtrapolation = Annotated[
    bool, typer.Option("--allow-extrapolation", help="Accept a target below what the calibration data can support by itself.")
]
AllowOtherDevices = Annotated[
    bool, typer.Option("--allow-other-devices", help="Accept people who were enrolled with another camera than this one.")
]
RecordingKey = Annotated[
    Path | None,
    typer.Option("--key", metavar="PATH", help="Key file of an encrypted recording; default: your own, or what the recording names."),
]
Figures = Annotated[bool, typer.Option("--figures", help="Show scores, cues and times too. An attacker could climb them: keep them local.")]
