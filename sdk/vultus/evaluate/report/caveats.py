"""Say what the figures of a report do not show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_ALWAYS: Final = (
    "These figures hold for the people, the cameras, the light and the distance of this data set and for nothing else. A 95 % "
    "interval covers the chance of having met these people instead of others like them; it does not cover another population, "
    "another sensor, or years of ageing."
)
_ZERO_EFFORT: Final = (
    "Impostor comparisons are zero-effort: nobody tried to look like somebody else, and random pairs of people resemble each other "
    "less than relatives, twins, or people of one sex, age and origin do. Comparisons share people, so that there is less evidence "
    "than their number suggests; that is why people are resampled."
)
_ONE_COMPARISON: Final = (
    "One comparison is not a sign-in. Liveness, retries and lock-out are not in these figures, and nothing here says that an attack "
    "is noticed."
)
_LFW: Final = (
    "LFW is a set of press pictures of public figures, most of them men of middle age seen by daylight or flash. It holds only faces "
    "that an old detector had found, its names have known mistakes, and some of the highest false matches are those. Models have been "
    "chosen by it for years, so that its figures are best cases. It says nothing about infrared, depth, a dark room or a webcam."
)
_SPECIES: Final = (
    "A rate for one species says nothing about another: masks, make-up, injected video and whatever is not in the table are untested. "
    "The attacks were made before the gates and not against them; an attacker who tries, sees the result and tries again does better. "
    "Presentations of one person are not independent, and the intervals treat them as if they were."
)
_GATES: Final = "APCER is a property of the gates alone. What matters for a system is IAPAR: whether the attack also matches its victim."
_FILES: Final = (
    "Frames came from files and not from a live sensor: exposure, motion, hints and a user who adapts are missing, and so are attacks on "
    "the camera's cable. Impostors claimed names at random and without effort. Times are those of the machine that made this page, "
    "from decoded frames to the decision; the camera's start is left out."
)
_KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    "match": (_ZERO_EFFORT, _ONE_COMPARISON),
    "lfw": (_LFW, _ZERO_EFFORT, _ONE_COMPARISON),
    "pad": (_SPECIES, _GATES),
    "system": (_FILES,),
}


def caveats(document: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the paragraphs for a document's kind."""
    return (_ALWAYS, *_KINDS[document["kind"]])
