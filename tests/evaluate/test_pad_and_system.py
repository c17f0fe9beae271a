"""Attack detection and whole transactions, from an index to their documents."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from stand_in import probe_of

from vultus.errors import RecordingError
from vultus.evaluate.features import Features
from vultus.evaluate.presentation import PadOptions, pad_figures, run_pad
from vultus.evaluate.report.tables import tables
from vultus.evaluate.samples import Sample, index_samples
from vultus.evaluate.system import RowsDevice, SystemOptions, run_system
from vultus.types import Decision, Modality, Outcome, Reason


def test_species_are_counted_apart_and_the_worst_stands_first(index, setting, validate) -> None:
    """The mask passes the stand-in's gate and the print does not: APCER 1 and 0, never averaged."""
    d = run_pad(index_samples(index), setting).document
    validate(d)
    assert list(d["apcer"]) == ["mask", "print"]
    assert (d["apcer"]["mask"]["value"], d["apcer"]["print"]["value"]) == (1.0, 0.0)
    assert d["apcer_worst"]["species"] == "mask"
    assert d["apcer"]["print"]["high"] == pytest.approx(0.842, abs=1e-3), "none of two says next to nothing"
    assert (d["bpcer"]["value"], d["bpcer"]["n"]) == (0.0, 48)
    assert d["eer"] is None
    assert any("no score" in w for w in d["warnings"])
    assert d["cues"]["blueness"]["labels"]["print"] == {"n": 2, "measured": 2, "pass": 0, "fail": 2, "abstain": 0}
    assert d["signs"]["print"] == {"fail: unnamed": 2}


def test_presentations_without_a_verdict_are_non_responses(index, setting, validate) -> None:
    """A damaged bona fide picture and a faceless attack are neither passed nor failed."""
    (index.parent / "p05" / "1.png").write_bytes(b"x")
    from vultus import pictures

    (index.parent / "attack" / "mask0.png").write_bytes(pictures.encode_png(np.zeros((32, 32, 3), np.uint8)))
    d = run_pad(index_samples(index), setting).document
    validate(d)
    assert d["bpnrr"]["value"] == pytest.approx(1 / 48)
    assert (d["apcer"]["mask"]["value"], d["apnrr"]["mask"]["value"]) == (0.5, 0.5)
    assert d["counts"]["failed_to_acquire"] == 2
    assert [p["line"] for p in d["problems"]] == [23]


def test_leaving_a_gate_out_counts_again_without_it(index, setting, validate) -> None:
    """Without the only cue nothing passes or fails any more; with it the counts are those of the headline."""
    d = run_pad(index_samples(index), setting, PadOptions(ablate=True)).document
    validate(d)
    assert list(d["ablation"]) == ["none", "blueness"]
    whole, without = d["ablation"]["none"], d["ablation"]["blueness"]
    assert (whole["apcer_worst"]["species"], whole["apcer_worst"]["value"]) == ("mask", 1.0)
    assert whole["bpcer"] == d["bpcer"]
    assert (without["apcer_mean"], without["bpnrr"]["value"]) == (0.0, 1.0)
    assert "Without one cue" in [table.title for table in tables(d)]


def test_a_column_divides_the_bona_fide_presentations(index, setting, validate) -> None:
    """Every bona fide presentation counts once, under its value; attacks count nowhere."""
    d = run_pad(index_samples(index), setting, PadOptions(group="group")).document
    validate(d)
    assert {name: r["bpcer"]["n"] for name, r in d["groups"]["rows"].items()} == {"even": 24, "odd": 24}
    assert "BPCER by group" in [table.title for table in tables(d)]


def test_spoiling_takes_registered_triplets(index, setting) -> None:
    """An index without NIR and depth has nothing to spoil, and the error says what is needed; a negative number is refused."""
    with pytest.raises(RecordingError, match="registered rgb, nir and depth of at least two people"):
        run_pad(index_samples(index), setting, PadOptions(corrupt=5))
    with pytest.raises(ValueError, match="corrupt must not be negative"):
        PadOptions(corrupt=-1)


def scored(label: str, person: str, log_lr: float | None) -> tuple[Sample, Features]:
    """Return a presentation with a liveness score, or one that the gates could not judge."""
    liveness = {"verdict": "abstain", "spoof_kind": None, "p_live": None, "log_lr": log_lr, "cues": {}}
    return Sample(0, person, "s", {}, label), Features({}, liveness=liveness)


def test_a_calibrated_score_gives_eer_and_apcer_at_the_supported_bpcer() -> None:
    """Sixty bona fide scores support BPCER 5 % and 10 %, not 1 %."""
    rows = [scored("bona_fide", f"p{i}", float(i)) for i in range(60)] + [scored("print", "p0", float(i) - 50.5) for i in range(60)]
    found = pad_figures([s for s, _ in rows], [f for _, f in rows])
    assert found["apcer_at_bpcer"]["1e-2"] is None
    assert found["apcer_at_bpcer"]["5e-2"] == {"value": pytest.approx(6 / 60), "species": "print", "threshold": 3.0}
    assert 0 < found["eer"] < 0.2


def test_an_error_rate_without_a_single_verdict_is_not_written_as_a_number(index, setting) -> None:
    """When the gates said nothing at all the table says so instead of 0 %."""
    data = index_samples(index)
    for path in index.parent.rglob("*.png"):
        path.write_bytes(b"x")
    d = run_pad(data, setting).document
    rows = {row[0]: row for row in tables(d)[0].rows}
    assert rows["APCER mask"][1] == "not measured: no verdict on any of 2"
    assert rows["BPCER"][1] == "not measured: no verdict on any of 48"


@dataclass
class Doorman:
    """An authenticator that compares colours, for tests of the protocol around it."""

    threshold: float = 0.6
    users: dict[str, np.ndarray] = field(default_factory=dict)
    observed: int = 0

    def enroll(self, user: str, device: Any, *, samples: int = 1) -> Any:
        """Keep the mean of the frame sets that the device gives; all of them must come."""
        vectors = [probe_of(fs).embeddings[Modality.RGB].vector for fs in iter(device.read, None)]
        if len(vectors) < samples:
            return SimpleNamespace(enrolled=False, reason=Reason.TIMEOUT)
        self.users[user] = np.mean(vectors, axis=0)
        return SimpleNamespace(enrolled=True, reason=Reason.ACCEPTED)

    def observe(self, frame_set: Any) -> Any:
        """Find the colour."""
        self.observed += 1
        return probe_of(frame_set)

    def conclude(self, probe: Any, device: Any, user: str | None = None) -> Decision:
        """Accept a live colour that is near enough."""
        if probe.liveness.verdict.value == "fail":
            return Decision(Outcome.REJECT, Reason.SPOOF)
        score = float(probe.embeddings[Modality.RGB].vector @ self.users[user])
        return Decision(Outcome.ACCEPT, Reason.ACCEPTED, user=user) if score > self.threshold else Decision(Outcome.REJECT, Reason.NO_MATCH)


def clock():
    """Return a clock that goes on by 10 ms at every look."""
    state = iter(range(1_000_000))
    return lambda: next(state) * 0.01


def test_whole_transactions_are_counted_by_what_they_were(index, setting, validate) -> None:
    """Twelve enrol with one row; 36 genuine rows also claim the 11 other names; attacks claim their victim's."""
    doorman = Doorman()
    d = run_system(index_samples(index), SystemOptions(), setting, doorman, clock()).document
    validate(d)
    assert {k: d["counts"][k] for k in ("people", "genuine", "impostor", "attack", "failed_to_enrol")} == {
        "people": 12, "genuine": 36, "impostor": 396, "attack": 4, "failed_to_enrol": 0,
    }  # fmt: skip
    assert doorman.observed == 40, "each frame set goes through the stages once"
    assert d["frr"]["value"] == 0.0
    assert d["frr"]["high"] > 0.2, "twelve people bound it no better"
    assert d["far"]["value"] == 0.0
    assert d["far"]["pairs_of_people"] == 66
    assert d["iapar"]["print"]["value"] == 0.0
    assert d["iapar_worst"]["species"] in d["iapar"]
    assert d["reasons"]["print"] == {"spoof": 2}
    assert d["latency_ms"]["genuine"]["p50"] == pytest.approx(20.0)
    assert d["latency_ms"]["genuine"]["p99"] is None, "36 transactions do not support a 99th percentile"


def test_a_transaction_of_several_tries_ends_with_its_first_accept(index, setting) -> None:
    """With three tries each person has one transaction, and a good second try makes it an accept."""
    from vultus import pictures

    black = pictures.encode_png(np.full((32, 32, 3), 210, np.uint8))
    for person in ("p00", "p01"):
        (index.parent / person / "1.png").write_bytes(black)
    data = index_samples(index)
    one = run_system(data, SystemOptions(tries=1, impostors=0), setting, Doorman(), clock()).document
    three = run_system(data, SystemOptions(tries=3, impostors=0), setting, Doorman(), clock()).document
    assert (one["counts"]["genuine"], one["frr"]["rejected"]) == (36, 2)
    assert (three["counts"]["genuine"], three["frr"]["rejected"]) == (12, 0)
    assert three["counts"]["impostor"] == 0
    assert three["far"] is None


def test_who_cannot_enrol_is_counted_as_rejected(index, setting, validate) -> None:
    """A person whose enrolment picture is damaged fails to enrol; all his transactions are false rejects, and the reason is told."""
    (index.parent / "p04" / "0.png").write_bytes(b"")
    d = run_system(index_samples(index), SystemOptions(), setting, Doorman(), clock()).document
    validate(d)
    assert d["counts"]["failed_to_enrol"] == 1
    assert d["enrolment"] == {"timeout": 1}
    assert d["frr"]["rejected"] == 3
    assert d["reasons"]["genuine"] == {"accepted": 33, "failed_to_enrol": 3}


def test_an_unreadable_probe_is_a_rejected_transaction_and_is_listed(index, setting) -> None:
    """A damaged probe picture costs its transaction and is listed with its line."""
    (index.parent / "p04" / "2.png").write_bytes(b"")
    d = run_system(index_samples(index), SystemOptions(), setting, Doorman(), clock()).document
    assert d["reasons"]["genuine"]["failed_to_acquire"] == 1
    assert [p["line"] for p in d["problems"]] == [20]


def test_enrolment_and_probes_can_be_chosen_by_column(index, setting) -> None:
    """Session 1 enrols with both rows, session 2 tries."""
    options = SystemOptions(enrol_where="session=1", probe_where="session=2", impostors=1)
    d = run_system(index_samples(index), options, setting, Doorman(), clock()).document
    assert (d["counts"]["genuine"], d["counts"]["impostor"], d["counts"]["attack"]) == (24, 24, 0)


def test_nobody_to_enrol_is_an_error(index, setting) -> None:
    """When no enrolment succeeds there is no system to measure."""
    for path in index.parent.rglob("0.png"):
        path.write_bytes(b"")
    with pytest.raises(RecordingError, match=r"nobody could be enrolled.*timeout"):
        run_system(index_samples(index), SystemOptions(), setting, Doorman(), clock())


@pytest.mark.parametrize("options", [{"tries": 0}, {"impostors": -1}])
def test_impossible_protocols_are_refused(options) -> None:
    """No try, or fewer than no impostors, raises ValueError."""
    with pytest.raises(ValueError, match="tries"):
        SystemOptions(**options)


def test_the_enrolment_device_is_a_device(index) -> None:
    """It gives each sample once, in order, and then the end."""
    data = index_samples(index)
    with RowsDevice([(i, data.samples[i]) for i in (0, 1)]) as device:
        assert [fs.sequence for fs in device.frames()] == [0, 1]
        assert device.read() is None
