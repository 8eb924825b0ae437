"""Group P&L at the horizon against NumPy on the same normals, closed forms, and to the bit over executors."""

import hashlib
import pickle

import numpy as np
import pytest
from scipy import stats

from riskengine.base.axes import Axis
from riskengine.base.errors import InputError, ModelError
from riskengine.base.sampling import BLOCK_BOOTSTRAP, BLOCK_MIXING, RunSpec
from riskengine.execution import Serial, Threads
from riskengine.kernels.draws import fill_words
from riskengine.kernels.group_pnl import Target, simulate_groups
from riskengine.kernels.paths import Noise, Stream, accumulate_noise
from riskengine.kernels.products import pack_rows
from riskengine.measures.group_tails import measure_group_tails
from riskengine.simulation.horizon_pnl import (
    GroupExposures,
    MoveCovariance,
    _ChunkTask,
    lay_out,
    simulate_group_pnl,
)
from riskengine.simulation.noise import mixing_table

SEED = 987654321
DOF = 5.0


def axis(k: int) -> Axis:
    return Axis("test factor", tuple(f"f{i}" for i in range(k)))


def covariance(k: int) -> np.ndarray:
    rng = np.random.default_rng(k)
    loadings = rng.standard_normal((k, 3))
    vol = 0.01 * np.exp(0.5 * rng.standard_normal(k))
    matrix = loadings @ loadings.T + 2 * np.eye(k)
    sd = np.sqrt(np.diag(matrix))
    return matrix / np.outer(sd, sd) * np.outer(vol, vol)


def book(k: int, groups: int, cross: bool) -> GroupExposures:
    rng = np.random.default_rng(groups)
    hessian = rng.standard_normal((groups, k, k)) * 3e7
    hessian = hessian + hessian.transpose(0, 2, 1)
    if not cross:
        hessian *= np.eye(k)
    return GroupExposures.from_hessian(axis(k), tuple(f"g{g}" for g in range(groups)),
                                       1e6 * rng.standard_normal((groups, k)), hessian)


def rebuilt_moves(matrix: np.ndarray, paths: int, noise: str) -> np.ndarray:
    """Moves in float64 from the generator's words: Box–Muller, chi-square quantile, Cholesky factor."""
    k = len(matrix)
    z = np.empty((-(-k // 4) * 4, paths))
    words = np.empty((4, paths), np.uint32)
    for j in range(len(z) // 4):
        fill_words(0, j, 0, SEED, words)
        u, angle = (words[::2] + 0.5) / 2.0**32, 2 * np.pi * (words[1::2] + 0.5) / 2.0**32
        radius = np.sqrt(-2 * np.log(u))
        z[4 * j : 4 * j + 4 : 2] = radius * np.sin(angle)
        z[4 * j + 1 : 4 * j + 4 : 2] = radius * np.cos(angle)
    x = np.linalg.cholesky(matrix) @ z[:k]
    if noise == "student_t":
        fill_words(0, BLOCK_MIXING, 0, SEED, words)
        x *= np.sqrt((DOF - 2) / stats.chi2.ppf((words[0] + 0.5) / 2.0**32, DOF))
    return x


@pytest.mark.parametrize(("precision", "tolerance"), [("float64", 1e-7), ("float32", 2e-5)])
@pytest.mark.parametrize("noise", ["student_t", "gaussian"])
@pytest.mark.parametrize(("factors", "groups", "cross"), [(40, 20, False), (7, 1, True), (48, 5, True)])
def test_pnl_equals_numpy_on_the_same_words(precision, tolerance, noise, factors, groups, cross):
    paths, exposures, matrix = 1_504, book(factors, groups, cross), covariance(factors)
    spec = RunSpec(paths, 32, SEED, noise=noise, precision=precision)
    pnl = simulate_group_pnl(MoveCovariance(axis(factors), matrix, DOF), exposures, spec)
    x = rebuilt_moves(matrix, paths, noise)
    expected = exposures.delta @ x + 0.5 * exposures.gamma @ x**2
    if cross:
        assert exposures.cross is not None
        expected += 0.5 * np.einsum("gkl,kp,lp->gp", exposures.cross, x, x, optimize=True)
    assert pnl.groups.dtype == precision
    assert np.abs(pnl.groups - expected).max() <= tolerance * np.abs(expected).max()
    total = np.zeros(paths)
    for row in pnl.groups:
        total += row
    assert np.array_equal(pnl.total, total)


@pytest.mark.parametrize("noise", ["student_t", "gaussian", "historical"])
@pytest.mark.parametrize("steps", [1, 3])
def test_steps_add_up_to_the_moves_of_the_engine(noise, steps):
    factors, paths, first = 11, 700, 5
    rng = np.random.default_rng(steps)
    volatility = rng.uniform(0.005, 0.02, (steps, factors))
    residuals = rng.standard_normal((factors, 300 if noise == "historical" else 0))
    mixing = mixing_table(DOF) if noise == "student_t" else np.empty((0, 4))
    lower = np.linalg.cholesky(covariance(factors) * 1e4)
    fixings = np.empty((0, 2), np.int64)
    of_run = Noise(pack_rows(lower, np.float64), volatility, mixing, residuals, fixings)
    stream, exposures = Stream(SEED, BLOCK_MIXING, BLOCK_BOOTSTRAP), book(factors, 3, True)
    moves = np.empty((factors, paths))
    accumulate_noise(of_run, stream, first, moves, np.empty((0, paths)))
    pnl = Target(np.empty((3, paths)), np.empty(paths), first)
    simulate_groups(of_run, stream, lay_out(exposures, np.dtype("float64")), first, first + paths, pnl)
    assert exposures.cross is not None
    expected = exposures.delta @ moves + 0.5 * exposures.gamma @ moves**2
    expected += 0.5 * np.einsum("gkl,kp,lp->gp", exposures.cross, moves, moves, optimize=True)
    assert np.abs(pnl.groups - expected).max() <= 1e-12 * np.abs(expected).max()


def test_delta_only_has_the_normal_and_student_t_tails():
    matrix, paths = covariance(12), 200_000
    delta = np.random.default_rng(3).standard_normal((4, 12)) * 1e6
    exposures = GroupExposures(axis(12), tuple("abcd"), delta, np.zeros_like(delta))
    unit_t = stats.t(DOF, scale=np.sqrt((DOF - 2) / DOF))
    for noise, unit in (("gaussian", stats.norm()), ("student_t", unit_t)):
        spec = RunSpec(paths, 64, SEED, noise=noise)
        pnl = simulate_group_pnl(MoveCovariance(axis(12), matrix, DOF), exposures, spec)
        tails = measure_group_tails(pnl.groups, pnl.total)
        for row, weights in enumerate([*delta, delta.sum(axis=0)]):
            sd = np.sqrt(weights @ matrix @ weights)
            for i, level in enumerate(tails.levels):
                es = unit.expect(lambda y: -y, ub=unit.ppf(1 - level), conditional=True)
                assert abs(tails.var[row, i] + sd * unit.ppf(1 - level)) < 4.5 * tails.se_var[row, i]
                assert abs(tails.es[row, i] - sd * es) < 4.5 * tails.se_es[row, i]
                assert 0 < tails.se_es[row, i] < 0.05 * tails.es[row, i]


def digest(executor, chunk_paths, precision="float32"):
    spec = RunSpec(20_000, 32, SEED, "student_t", precision=precision)
    model = MoveCovariance(axis(40), covariance(40), DOF)
    pnl = simulate_group_pnl(model, book(40, 20, True), spec, executor, chunk_paths=chunk_paths)
    return hashlib.sha256(pnl.groups.tobytes() + pnl.total.tobytes()).hexdigest()


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_same_bits_for_any_chunk_and_number_of_threads(precision):
    reference = digest(None, 20_000, precision)
    assert digest(Serial(), 4_080, precision) == reference
    with Threads(2) as two, Threads(3) as three:
        for chunk_paths in (333, 1_024, 8_160):
            assert digest(two, chunk_paths, precision) == reference
            assert digest(three, chunk_paths, precision) == reference
    assert len({reference, digest(None, 20_000, "float64" if precision == "float32" else "float32")}) == 2


def test_a_task_that_travels_brings_its_part_back():
    class Elsewhere:
        def map(self, function, items):
            return [pickle.loads(pickle.dumps(function))(item) for item in items]

    assert digest(Elsewhere(), 1_000) == digest(None, 20_000)
    task = _ChunkTask(None, None, None, 2, target="ours")
    assert pickle.loads(pickle.dumps(task)).target is None


def test_rounding_in_cross_gamma_is_left_out():
    exposures = book(6, 2, True)
    hessian = exposures.cross.copy()
    hessian[:, 0, 1] = hessian[:, 1, 0] = 1e-3
    np.einsum("gkk->gk", hessian)[:] = exposures.gamma
    kept = GroupExposures.from_hessian(exposures.axis, exposures.groups, exposures.delta, hessian,
                                       np.full(6, 0.01))
    assert np.all(kept.cross[:, 0, 1] == 0)
    rest = ~np.eye(6, dtype=bool)
    rest[0, 1] = rest[1, 0] = False
    assert np.array_equal(kept.cross[:, rest], exposures.cross[:, rest])


def test_refusals():
    matrix = covariance(5)
    model, spec = MoveCovariance(axis(5), matrix, DOF), RunSpec(64, 32, noise="student_t")
    with pytest.raises(InputError, match="same factors"):
        simulate_group_pnl(model, book(6, 2, False), spec)
    with pytest.raises(InputError, match="residuals"):
        simulate_group_pnl(model, book(5, 2, False), RunSpec(64, 32, noise="filtered_historical"))
    with pytest.raises(InputError, match="symmetric"):
        MoveCovariance(axis(5), matrix + np.triu(matrix, 1), DOF)
    with pytest.raises(InputError, match="finite numbers of this shape"):
        GroupExposures(axis(5), ("a",), np.full((1, 5), np.nan), np.zeros((1, 5)))
    with pytest.raises(InputError, match="belongs to gamma"):
        GroupExposures(axis(5), ("a",), np.ones((1, 5)), np.zeros((1, 5)), np.eye(5)[None])
    with pytest.raises(ModelError, match="positive definite"):
        simulate_group_pnl(MoveCovariance(axis(5), np.ones((5, 5)), DOF), book(5, 2, False), spec)
