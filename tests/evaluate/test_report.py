"""The page and the text: everything inside, nothing from outside, faces only when asked for."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from vultus.evaluate.match import MatchOptions, run_match
from vultus.evaluate.presentation import run_pad
from vultus.evaluate.report.page import render_page
from vultus.evaluate.report.tables import percent, rate
from vultus.evaluate.report.text import render_text
from vultus.evaluate.samples import index_samples
from vultus.evaluate.system import SystemOptions, run_system

from test_pad_and_system import Doorman, clock  # isort: skip


@pytest.fixture
def outcomes(index, setting):
    """One outcome of each kind that an index gives."""
    data = index_samples(index)
    return {
        "match": run_match(data, MatchOptions(group="group", corrupt=True, corrupt_probes=2), setting),
        "pad": run_pad(data, setting),
        "system": run_system(data, SystemOptions(), setting, Doorman(), clock()),
    }


class Links(HTMLParser):
    """Collects what a page would fetch, and whether its tags close."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs) -> None:
        """Note sources and references."""
        self.fetched += [v for k, v in attrs if k in ("src", "href", "xlink:href", "data") and v is not None]
        if tag not in ("meta", "br", "img", "link", "input"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs) -> None:
        """Note the references of a tag that closes itself."""
        self.fetched += [v for k, v in attrs if k in ("src", "href", "xlink:href", "data") and v is not None]

    def handle_endtag(self, tag) -> None:
        """Check that the tag opened last closes first."""
        assert self.open.pop() == tag


def test_every_page_stands_alone_and_is_well_formed(outcomes) -> None:
    """No page fetches anything, every reference inside it resolves, and its tags nest."""
    for kind, outcome in outcomes.items():
        page = render_page(outcome.document)
        parser = Links()
        parser.feed(page)
        assert not parser.open, kind
        assert all(link.startswith("#") for link in parser.fetched), kind
        ids = re.findall(r'\bid="([^"]+)"', page)
        assert len(ids) == len(set(ids)), kind
        references = {r for pair in re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', page) for r in pair if r}
        assert references <= set(ids), kind
        assert "@import" not in page
        assert "<script" not in page


def test_every_page_says_what_it_does_not_show_and_what_made_it(outcomes) -> None:
    """The caveats and the provenance are on every page."""
    for outcome in outcomes.values():
        page = render_page(outcome.document)
        assert "What these figures do not show" in page
        assert outcome.document["provenance"]["dataset_sha256"] in page
        assert "vultus evaluate match &#x27;a b.csv&#x27;" in page


def test_drawings_are_there_for_what_was_measured(outcomes) -> None:
    """A verification page draws ROC, DET, scores, groups and robustness; a page of attacks its species and cues."""
    page = render_page(outcomes["match"].document)
    titles = re.findall(r"<h3>([^<]+)</h3>", page)
    assert titles == ["ROC", "DET", "Scores and thresholds", "Groups by group", "Robustness"]
    assert re.findall(r"<h3>([^<]+)</h3>", render_page(outcomes["pad"].document)) == ["Error rates", "Cue: blueness"]


def test_faces_and_names_are_in_the_page_only_when_asked_for(index, setting) -> None:
    """Without --faces the page holds neither a picture nor a person's name; with it the worst errors, with a warning."""
    for k in range(3):
        (index.parent / "p00" / f"{k}.png").write_bytes((index.parent / f"p{k + 5:02d}" / "0.png").read_bytes())
    outcome = run_match(index_samples(index), MatchOptions(), setting)
    plain, faces = render_page(outcome.document), render_page(outcome.document, outcome.worst)
    assert "<img" not in plain
    assert not re.search(r"\bp\d\d\b", plain)
    assert "data:image/png;base64," in faces
    assert "holds pictures of people" in faces
    assert "p00/s0" in faces


def test_a_value_from_the_data_set_cannot_write_html(index, setting) -> None:
    """A group named like a tag is shown as text."""
    index.write_text(index.read_text().replace(",even,", ",<script>alert(1)</script>,"))
    page = render_page(run_match(index_samples(index), MatchOptions(group="group"), setting).document)
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_the_text_has_the_headline_first_and_fits_a_page(outcomes) -> None:
    """Counts, the headline and the warnings are there, and no rate that is not supported."""
    text = render_text(outcomes["match"].document)
    assert text.startswith("match: set\n12 people, 48 samples")
    assert text.index("Headline") < text.index("Robustness")
    assert "not supported by 1,056 comparisons" in text
    assert "warning: FAR 1e-2 rests on" in text


def test_numbers_keep_what_tells_them_from_none_and_all() -> None:
    """A share near an end keeps enough decimals; exact ends have none; a rate is a power of ten."""
    assert [percent(v) for v in (0.0, 1.0, 0.5, 0.9743, 0.99986, 0.00004)] == ["0 %", "100 %", "50.00 %", "97.43 %", "99.986 %", "0.0040 %"]
    assert [rate(v) for v in (0.0, 1e-4, 2.34e-5, 1.0)] == ["0", "1.0e-4", "2.3e-5", "1.0"]
