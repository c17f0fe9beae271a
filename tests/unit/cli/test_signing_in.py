from __future__ import annotations

import pytest

from vultus.errors import StoreFull
from vultus.policy import Tier
from vultus.store import TemplateStore
from vultus.types import Decision, Hint, Match, Outcome, Reason, Source

LOCKED = Decision(Outcome.REJECT, Reason.LOCKED, retry_after_s=29.6)
NO = Decision(Outcome.REJECT, Reason.NO_MATCH)
DARK = Decision(Outcome.UNDECIDED, Reason.POOR_QUALITY, hints=(Hint.TOO_DARK, Hint.HOLD_STILL))
COMMANDS = [("verify", "ada"), ("verify",), ("identify",), ("sign-in",), ("sign-in", "--user", "ada")]


def users(path):
    with TemplateStore.open(path) as store:
        return store.users()


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("decision", "code", "line"),
    [
        (Decision(Outcome.ACCEPT, Reason.ACCEPTED, "ada"), 0, "yes  ada\n"),
        (NO, 1, "no  not recognised\n"),
        (DARK, 3, "undecided  the face was not seen well enough  (More light on your face; Hold still)\n"),
        (Decision(Outcome.UNDECIDED, Reason.TIMEOUT), 3, "undecided  the time is over\n"),
        (LOCKED, 4, "no  locked after too many failed attempts, try again in 30 s\n"),
    ],
)
def test_outcomes_have_their_exit_codes(run, enrolled, command, decision, code, line):
    """Yes is 0, no 1, undecided 3 and locked 4, each with one plain line on stdout and nothing on stderr in a pipe."""
    enrolled.decision = decision
    result = run(*command)
    assert (result.code, result.out, result.err) == (code, line, "")


@pytest.mark.parametrize("command", COMMANDS)
def test_json_is_one_public_document(run, enrolled, command):
    """With --json stdout holds one document, without scores."""
    match = Match(0.61, 7.0, 1e-6, 2e-6, 0.36, 1e-4, ())
    enrolled.decision = Decision(Outcome.ACCEPT, Reason.ACCEPTED, "ada", match=match)
    result = run(*command, "--json")
    assert result.code == 0
    assert result.json == {"outcome": "accept", "accepted": True, "user": "ada", "reason": "accepted", "hints": [], "retry_after_s": None}


def test_figures_are_asked_for(run, enrolled):
    """Scores appear only with --figures, in the text and in the document."""
    match = Match(0.6125, 7.0, 1e-6, 2e-6, 0.36, 1e-4, ())
    enrolled.decision = Decision(Outcome.ACCEPT, Reason.ACCEPTED, "ada", match=match, latency_ms={"total": 12.34})
    assert "0.61" not in run("verify", "ada").out
    text = run("verify", "ada", "--figures").out
    assert "false-match rate 1e-06 (at most 2e-06), target 0.0001, score 0.613" in text
    assert "total 12.3 ms" in text
    assert run("verify", "ada", "--figures", "--json").json["match"]["score"] == 0.6125


def test_secure_policy_unless_asked(run, enrolled):
    """Without options only live frames are accepted, in the secure tier; each weakening has an option of its own."""
    run("verify")
    assert (enrolled.policy.sources, enrolled.policy.tier) == (frozenset({Source.LIVE}), Tier.SECURE)
    assert not enrolled.policy.allow_extrapolation
    run("verify", "--allow-recordings")
    assert enrolled.policy.sources == {Source.LIVE, Source.RECORDING, Source.IMAGES}
    run("identify", "--allow-virtual")
    assert enrolled.policy.sources == {Source.LIVE, Source.VIRTUAL}
    run("sign-in", "--allow-simulated", "--target-fmr", "1e-5", "--tier", "standard", "--allow-extrapolation")
    assert enrolled.policy.sources == {Source.LIVE, Source.SIMULATED}
    assert (enrolled.policy.target_fmr, enrolled.policy.tier) == (1e-5, Tier.STANDARD)
    assert enrolled.policy.allow_extrapolation


@pytest.mark.parametrize("command", COMMANDS)
def test_rates_of_the_liveness_vote_are_the_policy_s(run, enrolled, command):
    """--target-iapar and --target-bpcer reach the policy; without them the calibration's own limits hold."""
    run(*command)
    assert (enrolled.policy.target_iapar, enrolled.policy.target_bpcer) == (None, None)
    run(*command, "--target-iapar", "0.05", "--target-bpcer", "0.02")
    assert (enrolled.policy.target_iapar, enrolled.policy.target_bpcer) == (0.05, 0.02)
    assert run(*command, "--target-iapar", "0.9").code == 2


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--target-fmr", "0"], "target_fmr must be above 0"),
        (["--target-fmr", "nan"], "target_fmr must be above 0"),
        (["--target-fmr", "many"], "--target-fmr"),
        (["--tier", "none"], "--tier must be secure, standard, convenience; got 'none'"),
        (["--timeout", "0"], "--timeout"),
        (["--device", "carrier:pigeon"], "'carrier:pigeon' is no device URL"),
        (["--device", "fake:none"], "there is no device none: vultus devices lists them"),
        (["--bogus"], "No such option"),
        (["\x07bell"], "control or other invisible characters"),
        ([""], "1 to 128 characters"),
    ],
)
def test_wrong_arguments_are_one_line(run, enrolled, arguments, line):
    """A wrong argument is exit code 2 and one line on stderr that names it; nothing is decided."""
    result = run("verify", *arguments)
    assert result.code == 2
    assert result.out == ""
    assert result.err.startswith("error: ")
    assert result.err.count("\n") == 1
    assert line in result.err
    assert enrolled.asked is None


def test_no_device(run, enrolled):
    """Without a device the line says how to name one."""
    enrolled.default_device = None
    result = run("sign-in")
    assert (result.code, result.err) == (
        2,
        "error: no device: give --device URL or set VULTUS_DEVICE; vultus devices lists what there is\n",
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_missing_store(run, wiring, command):
    """Without a store everything that decides says that nobody is enrolled, and makes no store."""
    result = run(*command, "--json")
    assert result.code == 2
    assert result.json["error"]["code"] == "store.not_enrolled"
    assert result.json["error"]["retryable"] is False
    assert "nobody is enrolled" in result.err
    assert not wiring.store.exists()


def test_altered_store(run, enrolled):
    """A store that was overwritten is an error with the remedy, not a decision."""
    enrolled.store.write_bytes(b"not a store at all, but of some length")
    result = run("verify", "ada", "--json")
    assert result.code == 2
    assert result.json["error"]["code"] == "store.altered"
    assert "put a backup back" in result.err


@pytest.mark.parametrize("silence", [0, TimeoutError("nothing came")])
def test_silent_device_is_a_time_out(run, enrolled, silence):
    """A device that gives nothing in time, or has ended, is undecided: exit code 3."""
    enrolled.device._left = silence
    result = run("verify", "ada")
    assert (result.code, result.out) == (3, "undecided  the time is over\n")
    assert enrolled.device.closed


@pytest.mark.parametrize("command", COMMANDS)
def test_interrupt(run, enrolled, command):
    """Ctrl-C ends a sign-in with one line, exit code 130 and everything closed."""
    enrolled.decision = KeyboardInterrupt()
    result = run(*command, "--json")
    assert result.code == 130
    assert result.err == "error: cancelled, nothing was stored\n"
    assert result.json["error"]["code"] == "cancelled"
    assert enrolled.device.closed
    assert enrolled.closed == ["authenticator"]


def test_faults_of_the_program_are_not_no(run, enrolled, capsys, monkeypatch):
    """A fault of vultus itself is exit code 2, never Python's 1, which would mean no; its traceback is kept."""
    printed = []
    monkeypatch.setattr("traceback.print_exc", lambda: printed.append(1))
    enrolled.decision = ZeroDivisionError("oops")
    result = run("verify", "ada", "--json")
    assert (result.code, result.json["error"]["code"], printed) == (2, "internal", [1])


def test_enroll_stores(run, wiring):
    """Enrolling makes the store, passes the options on and says what was taken."""
    result = run("enroll", "ada", "--samples", "3", "--timeout", "9")
    assert (result.code, result.out, result.err) == (0, "enrolled ada (3 RGB, 3 NIR)\n", "")
    assert (wiring.asked.samples, wiring.asked.timeout_s, wiring.asked.replace) == (3, 9.0, False)
    assert users(wiring.store) == ["ada"]
    assert run("enroll", "bo", "--json").json == {"user": "bo", "enrolled": True, "reason": "accepted", "samples": {"rgb": 5, "nir": 5}}


def test_enroll_twice(run, enrolled):
    """A name that is enrolled is an error before the camera is asked, unless --replace."""
    result = run("enroll", "ada")
    assert result.code == 2
    assert "ada is enrolled already: give --replace" in result.err
    assert enrolled.asked is None
    assert run("enroll", "ada", "--replace").code == 0


@pytest.mark.parametrize(
    ("reason", "code"),
    [(Reason.SPOOF, 1), (Reason.NO_MATCH, 1), (Reason.SOURCE_NOT_ALLOWED, 1), (Reason.TIMEOUT, 3), (Reason.CANCELLED, 3)],
)
def test_refused_enrolment(run, wiring, reason, code):
    """A refused enrolment is no, one without enough evidence is undecided, and neither stores anything."""
    wiring.enrolment = reason
    result = run("enroll", "ada", "--json")
    assert (result.code, result.json["enrolled"], result.json["reason"]) == (code, False, reason.value)
    assert users(wiring.store) == []
    assert run("enroll", "ada").out.startswith("not enrolled ada: ")


def test_interrupted_enrolment(run, enrolled):
    """Ctrl-C while enrolling stores nothing and says so; everyone else stays."""
    enrolled.enrolment = KeyboardInterrupt()
    result = run("enroll", "new")
    assert (result.code, result.err) == (130, "error: cancelled, nothing was stored\n")
    assert users(enrolled.store) == ["ada", "grace"]


def test_interrupt_after_storing_is_not_denied(run, enrolled):
    """When Ctrl-C comes just after the template was stored, the line says that it was."""
    enrolled.interrupt_after = True
    result = run("enroll", "new")
    assert (result.code, result.err) == (130, "error: cancelled, but new was stored already\n")
    assert users(enrolled.store) == ["ada", "grace", "new"]


def test_full_disk_while_enrolling(run, enrolled):
    """A full disk is one line that says nothing is lost, and may be tried again."""
    enrolled.enrolment = StoreFull("cannot write it: the disk is full; what was there is intact, free some space")
    result = run("enroll", "new", "--json")
    assert result.code == 2
    assert (result.json["error"]["code"], result.json["error"]["retryable"]) == ("store.full", True)
    assert "intact" in result.err
    assert users(enrolled.store) == ["ada", "grace"]


def test_names_cannot_write_to_the_terminal(run, enrolled):
    """A name with brackets is shown as it is, not taken for a colour."""
    enrolled.decision = Decision(Outcome.ACCEPT, Reason.ACCEPTED, "[red]ada[/]")
    assert run("verify").out == "yes  [red]ada[/]\n"
    assert "[red]ada[/]" in run("verify", terminal=True).out


def test_terminal_has_colours_and_progress(run, wiring):
    """On a terminal the result is coloured and the progress moves on stderr; in a pipe there is neither."""
    result = run("enroll", "ada", terminal=True)
    assert "\x1b[" in result.out
    assert "Enrolling ada" in result.err
    assert "1/5" in result.err
    assert "\x1b" not in result.out.replace("\x1b[32m", "").replace("\x1b[1m", "").replace("\x1b[0m", "")


def test_json_has_no_progress(run, enrolled):
    """With --json a terminal gets the document alone."""
    result = run("sign-in", "--json", terminal=True)
    assert result.code == 0
    assert result.err == ""
