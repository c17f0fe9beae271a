"""Forms of cutting a face out and rates on people held out, on pictures and people whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from models.matching.__main__ import main
from models.matching.faces import SIDE, Embedded, Shown, cut, embed_all, open_recogniser
from models.matching.forms import FORMS, plain
from models.matching.measure import SCORES, accepted, gained, table
from models.matching.thresholds import ratios
from models.recipes.crops import data_folder

from vultus.devices.simulator.portraits import carried_portrait
from vultus.types import Face, Stream


@pytest.fixture(scope="module")
def shown() -> Shown:
    """One portrait as colour, as NIR with the same landmarks a little aside, and before a flat wall."""
    portrait = carried_portrait("astronaut")
    grey = portrait.image.mean(2).astype(np.float32)
    faces = {
        name: Face(Stream(name), (150.0, 50.0, 140.0, 190.0), portrait.landmarks + shift, 0.9)
        for name, shift in (("rgb", 0.0), ("nir", 2.0))
    }
    return Shown(
        "ada", "1", portrait.image, grey, np.full(grey.shape, 700, np.uint16), faces, faces, faces, faces, grey.astype(np.uint8), 60.0
    )


@pytest.mark.parametrize("name", FORMS)
def test_every_form_makes_a_crop_of_both_pictures(shown: Shown, name: str) -> None:
    """Each form gives a colour and a grey crop of 112 x 112 in 0..255 that is neither black nor flat."""
    if name == "turned to the front" and not (data_folder() / "ict-face").is_dir():
        pytest.skip("no ict-face: set VULTUS_DATA to the folder that holds it")
    crops = FORMS[name][0](shown)
    assert crops["rgb"].shape == (SIDE, SIDE, 3)
    assert crops["nir"].shape == (SIDE, SIDE)
    for crop in crops.values():
        assert 0 <= crop.min() < crop.max() <= 255
        assert crop.std() > 10


def test_registered_nir_is_cut_at_colours_landmarks(shown: Shown) -> None:
    """What ships cuts NIR where colour has its landmarks; on its own it is cut two pixels aside."""
    ships = plain("closer", registered=True)(shown)
    own = FORMS["closer look, each picture its own"][0](shown)
    assert np.array_equal(ships["nir"], cut(shown.nir, shown.closer["rgb"].landmarks))
    assert np.array_equal(own["nir"], cut(shown.nir, shown.closer["nir"].landmarks))
    assert not np.array_equal(ships["nir"], own["nir"])


def test_a_mirrored_embedding_is_the_same_for_both_pictures(shown: Shown) -> None:
    """The sum with the mirror image's embedding does not tell a crop from its mirror image; the plain one does, and nobody is zeros."""
    graph = open_recogniser()

    def form(one: Shown) -> dict[str, np.ndarray]:
        crop = cut(one.rgb, one.first["rgb"].landmarks)
        return {"rgb": crop[:, ::-1] if one.sample == "2" else crop}

    pair = [
        shown,
        Shown(
            "ada", "2", shown.rgb, shown.nir, shown.depth, shown.first, shown.closer, shown.again, shown.detector, shown.sensor, shown.level
        ),
    ]
    plain, both = (embed_all(graph, pair, form, mirror).probes["rgb"] for mirror in ("none", "both"))
    half = embed_all(graph, pair, form, "references")
    assert np.array_equal(half.probes["rgb"], plain)
    assert np.array_equal(half.references["rgb"], both)
    assert plain[0] @ plain[1] < 0.999
    assert both[0] @ both[1] > 0.99999
    assert not embed_all(graph, pair, form).probes["nir"].any()


def test_a_missing_face_is_a_miss_and_people_apart_are_told_apart() -> None:
    """Twenty people without noise are all accepted; one sample without NIR costs its comparisons in NIR and none where colour stands in."""
    rng = np.random.default_rng(0)
    people = np.repeat(np.arange(20), 3)
    centres = np.linalg.qr(rng.normal(size=(32, 32)))[0][:20]
    vectors = {name: centres[people].astype(np.float32) for name in ("rgb", "nir")}
    all_ = Embedded.alike(vectors)
    assert [r.value for r in accepted(all_, people, SCORES["RGB-NIR"], whitened=False)] == [1.0, 1.0]
    vectors["nir"][0] = 0
    assert accepted(all_, people, SCORES["NIR-NIR"], whitened=False)[0].value == pytest.approx(58 / 60)
    assert accepted(all_, people, SCORES["RGB-NIR"], whitened=False)[0].value == pytest.approx(118 / 120)
    assert accepted(all_, people, SCORES["fused"], whitened=False)[0].value == 1.0
    rows = list(table([("all", all_)], people, SCORES))
    assert len(rows) == 4
    assert "96.7 (" in rows[2]


def test_the_same_embeddings_gain_nothing_and_better_ones_do() -> None:
    """The gain of embeddings over themselves is 0 with no width; those that separate people better gain surely."""
    rng = np.random.default_rng(0)
    people = np.repeat(np.arange(20), 4)
    centres = rng.normal(size=(20, 32))[people]
    good, bad = (
        Embedded.alike({"nir": np.asarray(x / np.linalg.norm(x, axis=1, keepdims=True), np.float32)})
        for x in (centres + rng.normal(0, s, (80, 32)) for s in (0.2, 1.5))
    )
    weights = SCORES["NIR-NIR"]
    assert [(r.value, r.low, r.high) for r in gained(bad, bad, people, weights, whitened=True)] == [(0, 0, 0)] * 2
    assert all(r.value > 0.2 and r.low > 0 for r in gained(good, bad, people, weights, whitened=False))


def test_no_line_beats_the_best_rising_likelihood_ratio() -> None:
    """Where the true likelihood ratio is a line, the line and the rising fit agree and cost alike; where genuine scores have a low tail they do not."""
    rng = np.random.default_rng(1)
    people = np.repeat(np.arange(40), 4)
    centres = rng.normal(size=(40, 64))
    vectors = (centres[people] + rng.normal(0, 1.2, (160, 64))).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    rows = list(ratios(Embedded.alike({"rgb": vectors, "nir": vectors}), people, {"RGB-RGB": SCORES["RGB-RGB"]}))
    plain = [float(cell) for cell in rows[2].split("|")[3:-1]]
    assert plain[-1] <= plain[-2] < plain[-1] + 0.02
    assert abs(plain[0] - plain[1]) < 0.5
    vectors[::8] = -vectors[::8]
    spoilt = [float(c) for c in list(ratios(Embedded.alike({"rgb": vectors}), people, {"RGB-RGB": SCORES["RGB-RGB"]}))[2].split("|")[3:-1]]
    assert spoilt[-2] > spoilt[-1] + 0.05


def test_an_unknown_table_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a known name the command says what there is and ends with 2."""
    assert main(["forms", "upside down"]) == 2
    assert "landmarks | filters | forms" in capsys.readouterr().err
