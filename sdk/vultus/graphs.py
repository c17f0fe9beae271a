"""The graphs that ship, opened to be run; the only module that imports onnxruntime, and only for a graph that the core does not run."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vultus import optimised
from vultus.errors import ModelMismatch, ModelMissing
from vultus.manifest import GraphEntry, GraphStatus, Manifest, TensorSpec, load_manifest
from vultus.onnx_reader import read_onnx
from vultus.stem import CROP, INPUT, KEY, Stem, read_stem, unpack
from vultus.trunk import EMBEDDING, Trunk, build_trunk, pays

__all__ = [
    "Graph",
    "GraphEntry",
    "GraphStatus",
    "Manifest",
    "TensorSpec",
    "build_graphs",
    "load_manifest",
    "open_graph",
    "open_stem",
    "optimise",
    "runtime_version",
]

_AFTER_STEM: Final = TensorSpec(*INPUT)
_DTYPES: Final = {"tensor(float)": "float32", "tensor(uint8)": "uint8", "tensor(int8)": "int8", "tensor(int64)": "int64"}
_OPTIONS: Final = {
    # A spinning pool burns a core between frames; one thread has nothing to wait for.
    "session.intra_op.allow_spinning": "0",
    # Weights live outside the arena, which would otherwise round their 10 MB up.
    "session.use_device_allocator_for_initializers": "1",
}


class Graph:
    """An open graph with its tensors allocated once.

    Write into `input`, call `run()`, read what it returns before the next `run()`: the same arrays are filled again.
    Not thread-safe: give each thread its own Graph.
    """

    __slots__ = ("_binding", "_fed", "_outputs", "_session", "_stem", "_trunk", "entry", "input")

    def __init__(self, entry: GraphEntry, session: Any = None, stem: Stem | None = None, trunk: Trunk | None = None) -> None:
        self.entry = entry
        self._session, self._stem, self._trunk = session, stem, trunk
        self.input: npt.NDArray[Any] = _allocate(entry.inputs[0])
        fed = entry.inputs[0] if stem is None else _AFTER_STEM
        self._fed = self.input if stem is None else _allocate(fed)
        self._outputs = tuple(_allocate(spec) for spec in entry.outputs)
        if session is None:
            return
        self._binding = session.io_binding()
        self._bind(self._binding.bind_input, fed, self._fed)
        for spec, array in zip(entry.outputs, self._outputs, strict=True):
            self._bind(self._binding.bind_output, spec, array)

    @staticmethod
    def _bind(bind: Any, spec: TensorSpec, array: npt.NDArray[Any]) -> None:
        bind(spec.name, "cpu", 0, array.dtype.type, spec.shape, array.ctypes.data)

    @property
    def engine(self) -> str:
        """What runs it: "core", or "onnxruntime", alone or after a stem in the core."""
        return "onnxruntime" if self._trunk is None else "core"

    @property
    def sha256(self) -> str:
        """The hash of the graph's bytes."""
        return self.entry.sha256

    def takes(self, stem: Stem) -> bool:
        """Say whether other first layers can take the place of its own: where those run in the core, with the same level of 0."""
        return self._stem is not None and self._stem.zero == stem.zero

    def run(self, stem: Stem | None = None) -> tuple[npt.NDArray[Any], ...]:
        """Run on what `input` holds and return the outputs in the manifest's order, valid until the next call.

        stem: first layers in place of the graph's own, for a graph that `takes` them.
        """
        own = self._stem if stem is None else stem
        if own is not None:
            own.run(self.input, self._fed)
        if self._trunk is not None:
            self._trunk.run(self._fed, self._outputs[0])
            return self._outputs
        self._session.run_with_iobinding(self._binding)
        return self._outputs

    def __repr__(self) -> str:
        return f"Graph({self.entry.role}, {self.sha256[:12]})"


def open_graph(entry: GraphEntry, threads: int = 1) -> Graph:
    """Open a graph on the CPU.

    The file is read once, its hash is checked and what runs is made from those very bytes: by the core where it has kernels for the graph
    and this processor, always on one thread, elsewhere by ONNX Runtime, there also from what `optimise` made of them.
    Raises ModelMissing, ModelAltered, or ModelMismatch when the tensors are not those that the manifest states.
    """
    if threads < 1:
        raise ValueError(f"threads must be at least 1; got {threads}")
    graph = _in_core(entry)
    if graph is not None:
        return graph
    ready = optimised.find(entry, runtime_version())
    session = _session(entry, entry.read(), threads) if ready is None else _session(entry, ready, threads, ready=True)
    stem = _stem_of(entry, session)
    _check(entry, "input", entry.inputs if stem is None else (_AFTER_STEM,), session.get_inputs())
    _check(entry, "output", entry.outputs, session.get_outputs())
    if len(entry.inputs) != 1:
        raise ModelMismatch(f"graph {entry.role}: the SDK feeds one input, the manifest states {len(entry.inputs)}")
    return Graph(entry, session, stem)


def open_stem(entry: GraphEntry) -> Stem:
    """Open first layers that take the place of a graph's own, in the core. Raises ModelMissing, ModelAltered, ModelMismatch."""
    data = entry.read()
    if (entry.inputs, entry.outputs) != ((TensorSpec("input", "float32", CROP),), (_AFTER_STEM,)):
        raise ModelMismatch(f"graph {entry.role}: it takes {entry.inputs} and gives {entry.outputs}, not one crop and {_AFTER_STEM}")
    try:
        return read_stem(read_onnx(data))
    except ValueError as error:
        raise ModelMismatch(f"graph {entry.role}: {entry.path.name}: {error}; run `vultus models build` or reinstall") from error


def runtime_version() -> str:
    """Return the version of ONNX Runtime in use."""
    import onnxruntime

    return str(onnxruntime.__version__)


def build_graphs(arguments: tuple[str, ...] = ()) -> int:
    """Run `python -m models.recipes build` in the source checkout that this package lies in and return its exit status.

    Raises ModelMissing when there is no checkout or the `recipes` extra is not installed.
    """
    import subprocess
    import sys
    from importlib.util import find_spec

    checkout = Path(__file__).resolve().parents[2]
    if not (checkout / "models" / "recipes" / "__main__.py").is_file():
        raise ModelMissing("building graphs needs a source checkout: clone the repository, then `pip install -e '.[recipes]'` in it")
    if find_spec("onnx") is None:
        raise ModelMissing("building graphs needs the recipes extra: run `pip install -e '.[recipes]'` in the checkout")
    return subprocess.run([sys.executable, "-m", "models.recipes", "build", *arguments], cwd=checkout, check=False).returncode


def optimise(manifest: Manifest) -> Path:
    """Let ONNX Runtime optimise every graph for this machine, keep the results beside the manifest, and return their folder.

    Opening a graph then costs less than half. Raises ModelError, and OSError when the folder cannot be written.
    """
    import tempfile

    with tempfile.TemporaryDirectory(prefix="vultus-optimise-") as folder:
        made = {}
        for entry in manifest.entries:
            if entry.outputs == (_AFTER_STEM,):
                continue  # the core runs it everywhere
            saved = Path(folder) / f"{entry.role}.ort"  # the runtime goes by the suffix: its own format opens sooner than ONNX
            _session(entry, entry.read(), 1, save_to=saved)
            made[entry.role] = (entry, saved.read_bytes())
    return optimised.keep(made, runtime_version())


def _session(entry: GraphEntry, data: bytes, threads: int, *, ready: bool = False, save_to: Path | None = None) -> Any:
    """Make a session; `ready` bytes are taken as they are, and `save_to` is where the optimised graph goes."""
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    if ready:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.add_session_config_entry("session.use_ort_model_bytes_directly", "1")
    if save_to is not None:
        options.optimized_model_filepath = str(save_to)
    for key, value in _OPTIONS.items():
        options.add_session_config_entry(key, value)
    if not _multiplies_exactly():
        options.add_session_config_entry("session.x64quantprecision", "1")
    refusals = (state.Fail, state.InvalidArgument, state.InvalidGraph, state.InvalidProtobuf, state.NotImplemented, state.RuntimeException)
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except refusals as error:
        what = str(error).strip().splitlines()[0]
        version = onnxruntime.__version__
        raise ModelMismatch(f"graph {entry.role}: ONNX Runtime {version} cannot open {entry.path.name} ({what})") from error


def _multiplies_exactly() -> bool:
    """Say whether ONNX Runtime's fast kernel for u8 x s8 is exact here.

    On x86 without VNNI it adds pairs of products in 16 bits, which saturate, so an embedding would depend on the processor;
    the option that avoids it gives the same numbers and costs about twice the time, so it is set only there.
    """
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return True
    return bool({"avx512_vnni", "avx_vnni"} & optimised.processor_flags())


def _in_core(entry: GraphEntry) -> Graph | None:
    """Open a graph that the core runs alone; None where it does not, and ONNX Runtime says what is wrong, if anything is."""
    tensors = [(s.dtype, s.shape) for s in (*entry.inputs, *entry.outputs)]
    if tensors != [("float32", CROP), ("float32", EMBEDDING)] or not pays():
        return None
    data = entry.read()
    try:
        graph = read_onnx(data)
        if (graph.inputs, graph.outputs) != ((INPUT[0],), (entry.outputs[0].name,)):
            return None
        return Graph(entry, None, unpack(graph.properties.get(KEY, "")), build_trunk(graph, INPUT[2][1]))
    except ValueError:
        return None


def _stem_of(entry: GraphEntry, session: Any) -> Stem | None:
    """Return the layers that run before the session; None where the session begins with the input that the manifest states."""
    text = session.get_modelmeta().custom_metadata_map.get(KEY)
    if text is None:
        return None
    if [(s.dtype, s.shape) for s in entry.inputs] != [("float32", CROP)]:
        raise ModelMismatch(f"graph {entry.role}: its first layers take one crop {CROP}, the manifest states {entry.inputs}")
    try:
        return unpack(text)
    except ValueError as error:
        raise ModelMismatch(f"graph {entry.role}: {entry.path.name}: {error}; run `vultus models build` or reinstall") from error


def _check(entry: GraphEntry, kind: str, stated: tuple[TensorSpec, ...], found: Any) -> None:
    got = tuple((a.name, _DTYPES.get(a.type, a.type), tuple(a.shape)) for a in found)
    want = tuple((s.name, s.dtype, s.shape) for s in stated)
    if got != want:
        raise ModelMismatch(f"graph {entry.role}: {entry.path.name} has the {kind}s {got}, the manifest states {want}")


def _allocate(spec: TensorSpec) -> npt.NDArray[Any]:
    return np.zeros(spec.shape, np.dtype(spec.dtype))
