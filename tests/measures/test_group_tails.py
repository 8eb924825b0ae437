"""Tails of many series at once = the tails measured one by one: ties, short samples, both precisions."""

import numpy as np
import pytest

from riskengine.base.errors import InputError, ModelError
from riskengine.execution import Threads
from riskengine.kernels import group_tails as kernel
from riskengine.kernels.tails import smallest
from riskengine.measures.contributions import component_es, tail_paths
from riskengine.measures.group_tails import measure_group_tails
from riskengine.measures.tail_risk import measure_tail

LEVELS = (0.95, 0.975, 0.99)


def sample(kind: str, paths: int, real: type) -> np.ndarray:
    rng = np.random.default_rng(paths)
    match kind:
        case "heavy":
            return (1e6 * rng.standard_t(3, (6, paths))).astype(real)
        case "ties":
            return rng.integers(-30, 30, (6, paths)).astype(real)
        case "constant":
            return np.full((6, paths), -7.0, real)
        case "outlier":
            x = rng.standard_normal((6, paths)).astype(real)
            x[:, paths // 3] = -1e30
            return x
        case "sorted":
            return np.sort(rng.standard_normal((6, paths)), axis=1).astype(real)
    raise ValueError(kind)


@pytest.mark.parametrize("real", [np.float32, np.float64])
@pytest.mark.parametrize("kind", ["heavy", "ties", "constant", "outlier", "sorted"])
@pytest.mark.parametrize("paths", [257, 20_011])
def test_equal_to_one_series_at_a_time(kind, paths, real):
    groups = sample(kind, paths, real)
    total = groups.astype(np.float64).sum(axis=0)
    draw = np.arange(paths) % 16
    tails = measure_group_tails(groups, total, LEVELS)
    clustered = measure_group_tails(groups, total, LEVELS, draw_of_path=draw, draws=16)
    assert clustered.clustered and not tails.clustered
    for row, series in enumerate([*groups, total]):
        one = measure_tail(series.astype(np.float64), draw, 16, LEVELS)
        assert np.array_equal(tails.var[row], one.var)
        close = {"rtol": 1e-11, "atol": 1e-11 * np.abs(series).max()}
        assert np.allclose(tails.es[row], one.es, **close)
        assert np.allclose(tails.se_var[row], one.se_var_given_draws, **close)
        loose = {"rtol": 1e-6, "atol": 1e-6 * np.abs(series).max()}
        assert np.allclose(tails.se_es[row], one.se_es_given_draws, **loose)
        assert np.allclose(clustered.se_var[row], one.se_var, **close)
        assert np.allclose(clustered.se_es[row], one.se_es, **close)
    for i, level in enumerate(LEVELS):
        tail = tail_paths(total, level)
        expected = component_es(groups[:, tail.indices], tail)
        assert np.allclose(tails.component_es[:, i], expected, rtol=1e-10, atol=1e-12 * np.abs(total).max())
        assert tails.component_es[:, i].sum() == pytest.approx(tails.es[-1, i], rel=1e-11)


def test_same_bits_on_threads():
    groups = sample("heavy", 30_000, np.float32)
    total = groups.astype(np.float64).sum(axis=0)
    alone = measure_group_tails(groups, total)
    with Threads(3) as pool:
        together = measure_group_tails(groups, total, executor=pool)
    for name in ("var", "es", "se_var", "se_es", "component_es"):
        assert np.array_equal(getattr(alone, name), getattr(together, name)), name


@pytest.mark.parametrize("real", [np.float32, np.float64])
@pytest.mark.parametrize("paths", [1, 63, 64, 1_000])
def test_kept_paths_are_those_at_or_below_the_threshold(real, paths):
    x = np.random.default_rng(0).standard_normal(paths).astype(real)
    threshold = np.sort(x)[paths // 2]
    values, places = np.empty(paths), np.empty(paths, np.int64)
    count = kernel.keep_at_most(x, threshold, values, places)
    assert np.array_equal(places[:count], np.flatnonzero(x <= threshold))
    assert np.array_equal(values[:count], x[x <= threshold])
    assert kernel.keep_at_most(x, threshold, values[:1], places[:1]) == count, "counts on without room"


def test_order_statistics_and_sums_equal_the_other_kernel():
    x = np.random.default_rng(1).standard_normal(50_000)
    ks = np.array([1, 40, 500, 2_500, 2_600, 50_000])
    out = np.empty((ks.size, 3))
    scratch = kernel.scratch_of(x.size, kernel.room_of(x.size, int(ks[-1])))
    if kernel.measure_series(x, ks, np.ones(ks.size, bool), out, scratch) < 0:
        kernel.measure_series(x, ks, np.ones(ks.size, bool), out, kernel.scratch_of(x.size, x.size))
    kth, sums = smallest(x, ks)
    assert np.array_equal(out[:, 0], kth)
    assert np.allclose(ks * kth - out[:, 1], sums, rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize("bad", [np.nan, -np.inf])
def test_what_is_not_finite_is_named(bad):
    groups = sample("heavy", 5_000, np.float32)
    groups[2, 4_321] = bad
    with pytest.raises(ModelError, match="group 2"):
        measure_group_tails(groups, np.nan_to_num(groups.astype(float)).sum(axis=0).clip(-1e9, 1e9))


def test_arrays_that_do_not_fit():
    groups = sample("heavy", 500, np.float64)
    with pytest.raises(InputError, match="groups must be"):
        measure_group_tails(groups, groups[0, :100])
    with pytest.raises(InputError, match="at least one"):
        measure_group_tails(groups, groups[0], ())
    with pytest.raises(InputError, match="at least two draws"):
        measure_group_tails(groups, groups[0], draw_of_path=np.zeros(500, int), draws=1)
