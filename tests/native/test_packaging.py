"""The package as users get it: an abi3 wheel, an sdist that builds the same wheel, and an editable install."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

PROBE = """
import json, sys, vultus
from vultus import _native
from vultus.manifest import load_manifest
manifest = load_manifest()
print(json.dumps([vultus.__file__, _native.isa()["dot_f32"], str(manifest.root), sorted(m for m in sys.modules if m.split(".")[0] in {"cv2", "mcap"})]))
"""


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command and return what it printed; fail with all of it."""
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def checkout(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the source tree, so that no build writes into it."""
    copy = tmp_path_factory.mktemp("checkout") / "vultus"
    shutil.copytree(
        repository, copy, ignore=shutil.ignore_patterns("build", "dist", ".git", ".venv", "__pycache__", ".*_cache", ".hypothesis")
    )
    return copy


@pytest.fixture(scope="module")
def sdist(checkout: Path) -> Path:
    """Return the sdist."""
    run(sys.executable, "-c", "from scikit_build_core.build import build_sdist; build_sdist('dist')", cwd=checkout)
    (built,) = (checkout / "dist").glob("vultus-*.tar.gz")
    return built


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel that pip builds from the sdist."""
    out = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", out, sdist, cwd=out)
    (built,) = out.glob("vultus-*.whl")
    return built


def fresh_environment(folder: Path) -> Path:
    """Make a virtual environment that sees this one's dependencies behind its own packages, and return its Python."""
    run(sys.executable, "-m", "venv", folder, cwd=folder.parent)
    (site,) = folder.glob("lib/python*/site-packages")
    # A path file adds the folder but runs none of its path files, so no editable install of the checkout comes along.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return folder / "bin" / "python"


def test_the_wheel_serves_every_later_python_and_carries_the_graphs(wheel: Path) -> None:
    """One abi3 wheel holds the package, the extension, the graphs and the licences, and nothing of the build."""
    assert "-cp311-abi3-" in wheel.name
    names = zipfile.ZipFile(wheel).namelist()
    assert {
        "vultus/__init__.py",
        "vultus/py.typed",
        "vultus/_core.abi3.so",
        "vultus/models/manifest.toml",
        "vultus/devices/v4l2/quirks/04f2-b6d9.toml",
    } <= set(names)
    assert [n for n in names if n.startswith("vultus/models/artefacts/") and n.endswith(".onnx")]
    assert [n for n in names if n.startswith("vultus/models/calibration/") and n.endswith(".json")]
    assert [n for n in names if n.endswith("/licenses/LICENSE")]
    assert {n.split("/")[0] for n in names} == {"vultus", names[-1].split("/")[0]}
    assert not [n for n in names if n.endswith((".c", ".h")) or "/recipes/" in n]


def test_the_sdist_holds_all_that_a_build_needs(sdist: Path) -> None:
    """The sdist carries the C core, the graphs and the tests, and no build output."""
    with tarfile.open(sdist) as archive:
        names = {n.partition("/")[2] for n in archive.getnames()}
    assert {
        "CMakeLists.txt",
        "LICENSE",
        "native/src/kernels.def",
        "native/include/vultus/core.h",
        "native/include/vultus/candidates.h",
        "native/include/vultus/layers.h",
        "models/manifest.toml",
        "tests/conftest.py",
    } <= names
    assert not [n for n in names if n.startswith(("build/", "dist/")) or n.endswith((".so", ".o", ".pyc"))]


def test_the_wheel_works_away_from_the_source(wheel: Path, tmp_path: Path) -> None:
    """Installed into a clean environment, the package finds its extension and its graphs inside itself."""
    python = fresh_environment(tmp_path / "venv")
    run(python, "-m", "pip", "install", "--quiet", "--no-deps", "--ignore-installed", wheel, cwd=tmp_path)
    file, isa, root, heavy = json.loads(run(python, "-c", PROBE, cwd=tmp_path))
    assert Path(file).is_relative_to(tmp_path)
    assert Path(root).is_relative_to(tmp_path)
    assert isa in {"ref", "avx2"}
    assert heavy == []


def test_an_editable_install_uses_the_checkout(checkout: Path, tmp_path: Path) -> None:
    """Installed in place, the package is the checkout's, with its extension and the checkout's graphs."""
    python = fresh_environment(tmp_path / "venv")
    run(
        python,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--ignore-installed",
        "--no-build-isolation",
        "--editable",
        checkout,
        cwd=tmp_path,
    )
    file, isa, root, heavy = json.loads(run(python, "-c", PROBE, cwd=tmp_path))
    assert Path(file) == checkout / "sdk" / "vultus" / "__init__.py"
    assert Path(root) == checkout / "models"
    assert isa in {"ref", "avx2"}
    assert heavy == []
