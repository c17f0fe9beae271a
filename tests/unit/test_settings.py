from __future__ import annotations

from pathlib import Path

import pytest

from vultus import settings


def test_nothing_set():
    """Without variables the store lies in the user's data folder, its key in a file, and there is no device."""
    found = settings.load({})
    assert found.store.name == "templates.db"
    assert "vultus" in found.store.parts
    assert (found.device, found.key, found.data) == (None, "file", None)


def test_everything_set():
    """Each variable is taken, a tilde means the home folder."""
    found = settings.load({"VULTUS_STORE": "~/s.db", "VULTUS_DEVICE": "replay:a", "VULTUS_KEY": "keyring", "VULTUS_DATA": "/d"})
    assert found == settings.Settings(Path.home() / "s.db", "replay:a", "keyring", Path("/d"))


def test_empty_is_unset():
    """An empty variable counts as none."""
    assert settings.load({"VULTUS_STORE": "", "VULTUS_DEVICE": "", "VULTUS_KEY": ""}) == settings.load({})


def test_unknown_key_place():
    """A key place that does not exist is a ValueError that lists the places."""
    with pytest.raises(ValueError, match="VULTUS_KEY must be file or keyring, got 'vault'"):
        settings.load({"VULTUS_KEY": "vault"})


@pytest.mark.parametrize(
    ("environ", "colours"), [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)]
)
def test_colours(environ, colours):
    """NO_COLOR and dumb terminals turn colours off."""
    assert settings.colours(environ) is colours
