from __future__ import annotations

import sqlite3
import tempfile
import unicodedata
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from vultus.errors import StoreAltered, StoreOutdated
from vultus.sealing import Sealed, Sealer, bind
from vultus.store import Template, TemplateStore
from vultus.templates import decode, encode
from vultus.types import DeviceIdentity, Embedding, Modality, Source

GRAPH = "0123456789abcdef" * 4
FORMS = dict.fromkeys(Modality, GRAPH)
SLOW_DISK = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])


@st.composite
def vectors(draw):
    """Unit vectors of any size, tiny and negative components among them."""
    size = draw(st.integers(1, 512))
    raw = draw(hnp.arrays(np.float64, size, elements=st.floats(-1, 1)))
    norm = np.linalg.norm(raw)
    assume(norm > 1e-3)
    return (raw / norm).astype(np.float32)


embeddings = st.builds(Embedding, st.sampled_from(Modality), vectors(), st.just(GRAPH))
# Only what no name may hold is left out.
letters = st.characters(exclude_categories=("C",))
names = st.text(letters, min_size=1, max_size=60).filter(lambda s: s == s.strip() and s == unicodedata.normalize("NFC", s).strip())
devices = st.none() | st.builds(DeviceIdentity, st.text(), st.text(), st.text(), st.sampled_from(Source))
templates = st.builds(
    Template, names, st.lists(embeddings, min_size=1, max_size=6).map(tuple), st.integers(0, 2**63 - 1), devices, st.text(max_size=80)
)


def bits(template):
    """Return all that a template holds, embeddings as their bytes."""
    vectors = [(e.modality, e.graph, e.vector.tobytes()) for e in template.embeddings]
    return (template.user, template.created_ns, template.device, template.calibration, vectors)


@given(templates)
def test_encoding_round_trips(template):
    """Whatever can be a template comes back from its bytes equal to the last bit."""
    assert bits(decode(encode(template), GRAPH)) == bits(template)


@given(templates, st.integers(0, 10_000))
def test_cut_off_encoding_is_refused(template, cut):
    """A template's bytes cut off anywhere are a ValueError, never another template."""
    data = encode(template)
    with pytest.raises(ValueError):
        decode(data[: cut % len(data)], GRAPH)


@settings(SLOW_DISK, max_examples=25)
@given(st.lists(templates, max_size=4, unique_by=lambda t: t.user))
def test_store_round_trips(people):
    """Whoever is added is found after reopening, equal to the last bit, and nobody else is."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.db"
        with TemplateStore.open(path) as store:
            for template in people:
                store.add(template)
        with TemplateStore.open(path) as store:
            assert store.users() == sorted(t.user for t in people)
            assert [bits(t) for t in store.all(FORMS)] == [bits(t) for t in people]
            for template in people:
                assert bits(store.get(template.user, FORMS)) == bits(template)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A closed store with three users, its bytes, and what it holds."""
    path = tmp_path_factory.mktemp("whole") / "t.db"
    rng = np.random.default_rng(5)
    with TemplateStore.open(path) as store:
        for user in ("ada", "grace", "radia"):
            vector = rng.standard_normal(128)
            store.add(Template(user, (Embedding(Modality.NIR, (vector / np.linalg.norm(vector)).astype(np.float32), GRAPH),), 7))
        store.record_failure("ada", 9)
        held = [bits(t) for t in store.all(FORMS)], store.failures("ada")
    return path, path.read_bytes(), held


@settings(SLOW_DISK, max_examples=300)
@given(st.data())
def test_any_flipped_bit_of_the_file(whole, data):
    """One flipped bit anywhere in the file gives the very same content or a clear error: never another template, never a crash."""
    path, raw, held = whole
    at = data.draw(st.integers(0, 8 * len(raw) - 1))
    flipped = bytearray(raw)
    flipped[at // 8] ^= 1 << at % 8
    path.write_bytes(flipped)
    try:
        with TemplateStore.open(path) as store:
            assert ([bits(t) for t in store.all(FORMS)], store.failures("ada")) == held
    except (StoreAltered, StoreOutdated):
        pass
    finally:
        for extra in path.parent.glob("t.db-*"):
            extra.unlink()


SELECT = "SELECT {} FROM record WHERE id = 2"
UPDATE = "UPDATE record SET {} = ? WHERE id = 2"


@settings(SLOW_DISK, max_examples=150)
@given(st.data())
def test_any_flipped_bit_of_a_record(whole, data):
    """One flipped bit in any field of a user's record is StoreAltered when that user is asked for."""
    path, raw, _ = whole
    path.write_bytes(raw)
    column = data.draw(st.sampled_from(["tag", "nonce", "mac", "body", "graph", "format"]))
    with closing(sqlite3.connect(path, isolation_level=None)) as sql:
        (value,) = sql.execute(SELECT.format(column)).fetchone()
        raw_value = value.to_bytes(4, "big") if isinstance(value, int) else value.encode() if isinstance(value, str) else value
        # The top bit of a letter would make the text no UTF-8, which sqlite3 cannot write; the file's own flips above cover it.
        bit = data.draw(st.integers(0, 8 * len(raw_value) - 1).filter(lambda b: column != "graph" or b % 8 != 7))
        flipped = bytearray(raw_value)
        flipped[bit // 8] ^= 1 << bit % 8
        new = int.from_bytes(flipped, "big") if isinstance(value, int) else flipped.decode() if isinstance(value, str) else bytes(flipped)
        sql.execute(UPDATE.format(column), (new,))
    with pytest.raises(StoreAltered), TemplateStore.open(path) as store:
        store.get("grace", FORMS)


@given(st.binary(max_size=200), st.binary(max_size=40), st.data())
def test_any_flipped_bit_of_a_seal(plain, bound, data):
    """A seal opens to what went in, and with one bit of it or of what it is bound to flipped it is StoreAltered."""
    sealer = Sealer(b"m" * 32, b"s" * 16)
    sealed = sealer.seal(plain, bound)
    assert sealer.open(sealed, bound) == plain
    parts = [sealed.nonce, sealed.mac, sealed.body, bound]
    which = data.draw(st.sampled_from([i for i, part in enumerate(parts) if part]))
    bit = data.draw(st.integers(0, 8 * len(parts[which]) - 1))
    flipped = bytearray(parts[which])
    flipped[bit // 8] ^= 1 << bit % 8
    parts[which] = bytes(flipped)
    with pytest.raises(StoreAltered):
        sealer.open(Sealed(*parts[:3]), parts[3])


parts = st.lists(st.binary(max_size=9) | st.integers(-(2**63), 2**63 - 1), max_size=5)


@given(parts, parts)
def test_binding_is_one_to_one(one, two):
    """Different lists of byte strings never bind to the same bytes; integers count as their eight bytes."""

    def raw(values):
        return [v if isinstance(v, bytes) else v.to_bytes(8, "big", signed=True) for v in values]

    assert (bind(*one) == bind(*two)) == (raw(one) == raw(two))


def test_every_byte_of_the_header(whole):
    """Each byte of the SQLite header set to 0xff or zero gives the same content or a clear error."""
    path, raw, held = whole
    for at in range(100):
        for value in (0, 255):
            path.write_bytes(raw[:at] + bytes([value]) + raw[at + 1 :])
            try:
                with TemplateStore.open(path, busy_s=0.1) as store:
                    assert ([bits(t) for t in store.all(FORMS)], store.failures("ada")) == held
            except (StoreAltered, StoreOutdated):
                pass
            for extra in path.parent.glob("t.db-*"):
                extra.unlink()
