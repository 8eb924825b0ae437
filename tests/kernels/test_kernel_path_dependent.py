"""Kernels of path-dependent and twisted paths against plain NumPy, and their independence of the tile."""

import numpy as np
import pytest

from riskengine.kernels.importance import quadratic_value, twist, weigh, weigh_rows
from riskengine.kernels.path_dependent import (
    TILE, Exposure, PathNoise, PathOut, PathStream, Selling, press, sell, track_drawdown, value_groups,
    walk_paths,
)
from riskengine.kernels.products import pack_rows


def rows_of(matrix, real):
    rows, columns = np.nonzero(matrix)
    starts = np.searchsorted(rows, np.arange(matrix.shape[0] + 1)).astype(np.int64)
    return starts, columns.astype(np.int64), matrix[rows, columns].astype(real)


def make_selling(real, factors=5, cells=3, markets=2, seed=1):
    rng = np.random.default_rng(seed)

    def sparse(*shape):
        return rng.uniform(0.1, 1, shape) * (rng.uniform(size=shape) < 0.6)

    dense = {"loading": sparse(cells, factors), "amount": sparse(markets, cells),
             "impact": -0.1 * sparse(factors, markets)}
    vectors = [rng.uniform(0, 0.9, cells), rng.uniform(0, 0.01, cells), rng.uniform(0, 1, cells)]
    ends = [np.array([0.3, 1.0]), np.array([0.6, 1.0])]
    return dense, Selling(
        *rows_of(dense["loading"], real), *(v.astype(real) for v in vectors), *rows_of(dense["amount"], real),
        *(v.astype(real) for v in ends), *rows_of(dense["impact"], real),
    )


@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_selling_and_pressure(real):
    dense, selling = make_selling(real)
    rng = np.random.default_rng(2)
    moves, loss = rng.normal(0, 0.02, (5, 48)).astype(real), rng.normal(0, 0.02, (3, 48)).astype(real)
    sold, flow = np.full((3, 48), 0.5, real), np.empty((3, 48), real)
    lingering, pressure = rng.uniform(0, 1, (2, 48)).astype(real), np.empty((2, 48), real)
    q = selling.memory[:, None] * loss + dense["loading"] @ moves
    f = selling.share[:, None] * np.maximum(0, -selling.threshold[:, None] - q)
    order = dense["amount"] @ f
    before = lingering.copy()
    sell(selling, moves, loss, sold, flow)
    press(selling, flow, lingering, pressure)
    close = {"rtol": 0, "atol": 50 * np.finfo(real).eps}
    assert (f > 0).any() and (f == 0).any()
    assert np.allclose(loss, q, **close) and np.allclose(flow, f, **close)
    assert np.allclose(sold, 0.5 + f, **close)
    fade = selling.decay[0]
    assert np.allclose(lingering[0], fade * before[0] + 0.7 * order[0], **close)
    assert np.allclose(pressure[0], order[0] - (1 - fade) * before[0], **close)
    assert np.allclose(pressure[1], order[1], **close)
    assert np.array_equal(lingering[1], before[1]), "nothing of a lasting impact lingers"


def test_drawdown_is_the_largest_fall_from_the_peak():
    path = np.array([[1.0, -1.0, 0.0], [3.0, -2.0, 0.0], [-1.0, 5.0, 0.0], [2.0, 4.5, 0.0]])
    peak, drawdown = np.zeros(3), np.zeros(3)
    for value in path:
        track_drawdown(value, peak, drawdown)
    assert drawdown.tolist() == [4.0, 2.0, 0.0] and peak.tolist() == [3.0, 5.0, 0.0]


def test_groups_with_cross_gamma():
    rng = np.random.default_rng(3)
    delta, half, cross = rng.normal(size=(2, 4)), rng.normal(size=(2, 4)), rng.normal(size=(2, 4, 4))
    cross[:, np.arange(4), np.arange(4)] = 0
    state, out = rng.normal(size=(4, 20)), np.full((2, 30), 7.0)
    value_groups(Exposure(delta[0], half[0], np.empty(0), delta, half, cross), state, 5, 20, out)
    wanted = delta @ state + half @ state**2 + np.einsum("kn,gkl,ln->gn", state, cross, state)
    assert np.allclose(out[:, 5:25], wanted, rtol=1e-12)
    assert np.all(out[:, :5] == 7) and np.all(out[:, 25:] == 7)


@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_a_path_does_not_depend_on_its_place_in_the_tile(real):
    _, selling = make_selling(real)
    rng = np.random.default_rng(4)
    lower = np.linalg.cholesky(0.3 + 0.7 * np.eye(5))
    full = [np.full(5, x, dtype=real) for x in (1e-5, 0.1, 0.8, 1e-4)]
    noise = PathNoise(pack_rows(lower, real), np.empty((0, 4)), np.empty((5, 0), real), *full,
                      rng.normal(0, 1e-3, (6, 5, 4)).astype(real))
    groups = rng.normal(size=(2, 5))
    exposure = Exposure(groups.sum(axis=0).astype(real), np.zeros(5, real), np.empty(0, real), groups,
                        np.zeros((2, 5)), np.zeros((0, 5, 5)))
    draw = rng.integers(0, 4, 900).astype(np.int32)

    def run(lo, hi):
        n = hi - lo
        out = PathOut(np.empty((2, n)), np.empty(n), np.empty((3, n)), np.empty((5, n)))
        walk_paths(noise, selling, exposure, PathStream(11, 0, 0, lo, draw[lo:hi].copy()), out)
        return out

    whole = run(0, 900)
    assert (whole.sold > 0).mean() > 0.05
    for lo in (1, 100, TILE + 17):
        for mine, all_paths in zip(run(lo, 777), whole, strict=True):
            assert np.array_equal(mine, all_paths[..., lo:777])


def test_weights_are_the_ratio_of_the_densities():
    """One step, one factor: the plain density of (y, χ²) over that of the mixture, by SciPy."""
    from scipy import stats

    rng, nu = np.random.default_rng(5), 5.0
    y, chi = rng.normal(size=64), rng.chisquare(nu, 64)
    s = np.sqrt((nu - 2) / chi)
    b, curve, theta, q = 0.7, 0.2, np.array([0.0, 0.6]), np.array([1.0, 1.8])
    c = 1 - 2 * theta * curve
    parts = np.column_stack([[0.25, 0.75], theta, 0.5 * theta**2 * b**2 / c, 0.5 * np.log(c), 0.5 * (q - 1),
                             0.5 * nu * np.log(q), [0, 0]])
    out = np.empty(64)
    weigh(b * y, curve * y * y, 1 / s, chi[None], parts, out)
    plain = stats.norm.pdf(y) * stats.chi2.pdf(chi, nu)
    other = stats.norm.pdf(y, theta[1] * b / (s * c[1]), 1 / np.sqrt(c[1]))
    other = other * stats.chi2.pdf(chi * q[1], nu) * q[1]
    assert np.allclose(out, plain / (0.25 * plain + 0.75 * other), rtol=1e-12)


def test_weights_of_one_jump_among_several_steps():
    from scipy import stats

    rng, nu, q = np.random.default_rng(6), 4.5, 3.0
    chi = rng.chisquare(nu, (3, 50))
    parts = np.array([[0.1, 0, 0, 0, 0, 0, 0], [0.9, 0, 0, 0, 0.5 * (q - 1), 0.5 * nu * np.log(q), 1.0]])
    out = np.empty(50)
    weigh(np.zeros(50), np.zeros(50), np.ones(50), chi, parts, out)
    ratio = (stats.chi2.pdf(chi * q, nu) * q / stats.chi2.pdf(chi, nu)).mean(axis=0)
    assert np.allclose(out, 1 / (0.1 + 0.9 * ratio), rtol=1e-12)


def test_weights_of_rows_are_the_ratio_of_their_probabilities():
    """Three laws over four rows in two steps, one of which moves a single step, against the sums written out."""
    rng, share = np.random.default_rng(8), np.array([0.1, 0.5, 0.4])
    q = rng.dirichlet(np.ones(4), (3, 2))
    q[0] = 0.25
    rows = rng.integers(0, 4, (2, 60))
    out = np.empty(60)
    weigh_rows(rows, np.log(4 * q), share, np.array([False, False, True]), out)
    one, two = 4 * q[:, 0, rows[0]], 4 * q[:, 1, rows[1]]
    assert np.allclose(out, 1 / (0.1 + 0.5 * one[1] * two[1] + 0.4 * (one[2] + two[2]) / 2), rtol=1e-12)


def test_twist_and_quadratic_value():
    rng = np.random.default_rng(7)
    normals, component = rng.normal(size=(3, 40)), rng.integers(0, 2, 40)
    stretch, tilt, inverse = rng.uniform(1, 2, (2, 3)), rng.normal(size=(2, 3)), rng.uniform(1, 2, 40)
    change, value = np.empty((3, 40)), np.empty(40)
    twist(normals, component, stretch, tilt, inverse, change)
    wanted = normals * stretch[component].T + tilt[component].T * inverse
    assert np.allclose(normals + change, wanted, rtol=1e-13)
    delta, gamma = rng.normal(size=3), rng.normal(size=(3, 3))
    quadratic_value(delta, gamma @ normals, normals, value)
    curve = 0.5 * np.einsum("kn,kl,ln->n", normals, gamma, normals)
    assert np.allclose(value, delta @ normals + curve, rtol=1e-12)
