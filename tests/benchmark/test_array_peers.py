"""JAX and torch peers: named when missing, chosen when importable, and the same work as the NumPy peers.

Neither library is needed here: a stand-in torch with the functions the adapter calls, made of NumPy, is put on
the import path.
"""

import sys
import textwrap

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
_rng = None


class Tensor(numpy.ndarray):
    def numpy(self):
        return numpy.asarray(self)


def as_tensor(x):
    return numpy.asarray(x).view(Tensor)


tensor = as_tensor


def set_num_threads(n):
    global threads
    threads = n


def manual_seed(seed):
    global _rng
    _rng = numpy.random.default_rng(seed)


def randn(shape, dtype):
    return _rng.standard_normal(shape, dtype=dtype).view(Tensor)


class _Chi2:
    def __init__(self, dof):
        self.dof = float(dof)

    def sample(self, shape):
        return _rng.chisquare(self.dof, shape).astype(float32).view(Tensor)


distributions = SimpleNamespace(Chi2=_Chi2)
special = SimpleNamespace(ndtr=_ndtr)
exp, log, sqrt = numpy.exp, numpy.log, numpy.sqrt


def clamp(x, min):
    return numpy.maximum(x, min)


def topk(x, k, dim, largest, sorted):
    assert dim == -1 and sorted and not largest
    return SimpleNamespace(values=numpy.sort(x, axis=-1)[..., :k])
'''


@pytest.fixture
def torch(tmp_path, monkeypatch):
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


def test_an_importable_library_becomes_a_case_of_every_workload(torch):
    assert sys.modules["torch"].threads == 3
    assert array_peers.versions() == {"torch": "of unknown version"}
    for workload, name in (("W1", "torch float32"), ("W2", "torch float32"), ("W3", "torch float64")):
        found = run.cases(workload, 320, 1)
        assert next(iter(found)) == run.ENGINE and list(found)[-1] == name
    assert not [name for name in run.cases("NORMALS", 320, 1) if name.startswith("torch")]


def test_w1_by_a_library_agrees_with_numpy(torch):
    work, paths = workloads.horizon_workload(), 60_000
    rows, components = array_peers.prepare_horizon(torch, work, paths, workloads.LEVELS)()
    expected, _ = peers.run_horizon(work, paths, np.float64, 1, workloads.LEVELS)
    z = (rows - expected[:, :, :2]) / (np.sqrt(2.0) * expected[:, :, 2:])
    assert np.abs(z).max() < 4.5
    assert np.allclose(components.sum(axis=0), rows[-1, :, 1], rtol=1e-4)


def test_w2_by_a_library_agrees_with_numpy(torch):
    work, paths = workloads.path_workload(), 5_024
    terminal, drawdown = array_peers.prepare_paths(torch, work, paths)()
    there, fall, _ = peers.run_paths(work, paths, np.float64)
    for ours, theirs in ((terminal, there), (drawdown, fall)):
        se = np.hypot(ours.std(), theirs.std()) / np.sqrt(paths)
        assert abs(ours.mean() - theirs.mean()) < 4.5 * se
        assert 0.9 < ours.std() / theirs.std() < 1.1


def test_w3_by_a_library_is_the_same_number(torch):
    work, moves = workloads.revaluation_workload(), workloads.revaluation_moves(700)
    by_position = peers.Revaluation(work)
    expected = by_position.run(moves)
    got = array_peers.prepare_revaluation(torch, by_position, moves, batch=300)()
    assert np.abs(got - expected).max() < 1e-12 * np.abs(expected).max()


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
