"""JAX and torch peers: named when missing, chosen when importable, and the same work as the NumPy peers.

Where a library is installed its own numbers are checked, else its tests are skipped.  A stand-in torch with
the functions the adapter calls, made of NumPy, runs the programs everywhere.
"""

import sys
import textwrap
from importlib.metadata import PackageNotFoundError

import numpy as np
import pytest

from riskengine.benchmark import array_peers, peers, run, workloads

STAND_IN = '''
"""The functions of torch that the peer calls, on NumPy arrays."""
import numpy
from scipy.special import ndtr as _ndtr
from types import SimpleNamespace

__version__ = "0.0"
float32 = numpy.float32
threads = None


class Tensor(numpy.ndarray):
    def numpy(self):
        return numpy.asarray(self)


def as_tensor(x):
    return numpy.asarray(x).view(Tensor)


def set_num_threads(n):
    global threads
    threads = n


class Generator:
    def manual_seed(self, seed):
        self.rng = numpy.random.default_rng(seed)
        return self


def randn(shape, generator, dtype):
    return generator.rng.standard_normal(shape, dtype=dtype).view(Tensor)


special = SimpleNamespace(ndtr=_ndtr)
exp, log, sqrt = numpy.exp, numpy.log, numpy.sqrt


def stack(parts):
    return numpy.stack(parts).view(Tensor)


def clamp(x, min):
    return numpy.maximum(x, min)
'''


@pytest.fixture(params=("stand-in", *array_peers.LIBRARIES))
def library(request, tmp_path, monkeypatch):
    """The adapter of a library: of the stand-in always, of JAX and torch where they are installed."""
    if request.param == "stand-in":
        yield from stand_in(tmp_path, monkeypatch)
    else:
        if not array_peers.installed()[request.param]:
            pytest.skip(f"{request.param} is not installed")
        yield array_peers.open_library(request.param, 2)


@pytest.fixture
def torch(tmp_path, monkeypatch):
    yield from stand_in(tmp_path, monkeypatch)


def stand_in(tmp_path, monkeypatch):
    (tmp_path / "torch.py").write_text(textwrap.dedent(STAND_IN), encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(array_peers, "LIBRARIES", ("torch",))
    monkeypatch.setattr(array_peers, "installed", lambda: {"torch": True})
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    yield array_peers.open_library("torch", 3)
    sys.modules.pop("torch", None)


def test_a_missing_library_is_named_and_never_a_case(monkeypatch):
    monkeypatch.setattr(array_peers, "find_spec", lambda name: None)
    assert array_peers.installed() == {"jax": False, "torch": False}
    assert array_peers.versions() == {"jax": "not installed", "torch": "not installed"}
    assert run.machine()["jax"] == "not installed"
    assert list(run.cases("NORMALS", 100, 1)) == [run.ENGINE, run.ENGINE64, run.NUMPY, run.NUMPY32]
    for workload in ("W1", "W2", "W3"):
        assert not [name for name in run.cases(workload, 320, 1) if name.startswith(("jax", "torch"))]


def test_an_importable_library_becomes_a_case_of_every_workload(torch, monkeypatch):
    def version(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(array_peers, "version", version)
    assert torch.threads == 3 and sys.modules["torch"].threads == 1, "batches on three threads of one"
    assert array_peers.versions() == {"torch": "of unknown version"}
    for workload, name in (("W1", "torch float32"), ("W2", "torch float32"), ("W3", "torch float64")):
        found = run.cases(workload, 320, 1)
        assert next(iter(found)) == run.ENGINE and list(found)[-1] == name
    assert not [name for name in run.cases("NORMALS", 320, 1) if name.startswith("torch")]


def test_w1_by_a_library_agrees_with_numpy(library):
    work, paths = workloads.horizon_workload(), 65_000  # not a multiple of the batch
    rows, components = array_peers.prepare_horizon(library, work, paths, workloads.LEVELS)()
    expected, _ = peers.run_horizon(work, paths, np.float64, 1, workloads.LEVELS)
    z = (rows - expected)[:, :, :2] / np.hypot(rows[:, :, 2:], expected[:, :, 2:])
    assert np.abs(z).max() < 4.5 and np.sqrt((z**2).mean()) > 0.3
    assert np.allclose(components.sum(axis=0), rows[-1, :, 1], rtol=1e-4)


def test_w2_by_a_library_agrees_with_numpy(library):
    work, paths = workloads.path_workload(), 7_000  # not a multiple of the batch
    terminal, drawdown = array_peers.prepare_paths(library, work, paths)()
    there, fall, _ = peers.run_paths(work, paths, np.float64)
    for ours, theirs in ((terminal, there), (drawdown, fall)):
        se = np.hypot(ours.std(), theirs.std()) / np.sqrt(paths)
        assert abs(ours.mean() - theirs.mean()) < 4.5 * se
        assert 0.9 < ours.std() / theirs.std() < 1.1
    assert not np.array_equal(terminal[:2_000], terminal[5_000:]), "every batch has a stream of its own"


def test_w3_by_a_library_is_the_same_number(library):
    work, moves = workloads.revaluation_workload(), workloads.revaluation_moves(700)
    by_position = peers.Revaluation(work)
    expected = by_position.run(moves)
    got = array_peers.prepare_revaluation(library, by_position, moves, batch=300)()
    assert got.dtype == np.float64 and np.abs(got - expected).max() < 1e-12 * np.abs(expected).max()


def test_normals_and_the_what_if_of_w2():
    ours, theirs = (f(4_800, np.float32) for f in (workloads.draw_normals, peers.draw_normals))
    assert ours.shape == theirs.shape == (40, 2_400) and ours.dtype == np.float32
    for z in (ours, theirs):
        assert abs(z.mean()) < 0.015 and abs(z.std() - 1) < 0.015
    walk = workloads.path_workload()
    moved = walk.with_ramp(1.25)
    assert np.array_equal(moved.ramp, 1.25 * walk.ramp)
    before, after = (w.run(1_024)[0] for w in (walk, moved))
    assert not np.array_equal(before, after)
    assert np.array_equal(after, moved.run(1_024)[0])
