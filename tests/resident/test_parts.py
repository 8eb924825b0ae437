"""Numbers of parts of a held book against ``measures.tail_change`` and NumPy, to the bit."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from riskengine.base.axes import FACTORS
from riskengine.base.errors import ModelError
from riskengine.base.sampling import RunSpec
from riskengine.base.units import Horizon
from riskengine.execution import Serial, Threads
from riskengine.instruments.portfolio import compile_book
from riskengine.kernels.group_sums import sum_gains
from riskengine.kernels.parts import count_bins
from riskengine.kernels.quanta import sum_gains_of_rows, sum_quanta, sum_rows
from riskengine.kernels.resident import measure_row
from riskengine.kernels.tails import QUANTUM, total
from riskengine.measures.tail_change import estimate_mean, estimate_tail
from riskengine.resident.answer import HISTOGRAM_BINS, histogram, outer_values
from riskengine.resident.cache import addresses
from riskengine.resident.measures import GroupRisks, combine
from riskengine.resident.parts import FEW_PATHS, measure_slices, paths_of_draws
from riskengine.resident.positions import compile_lowered, lower_portfolio
from riskengine.resident.rows import PnlRows
from riskengine.simulation import draw_of_path

LEVELS = (0.95, 0.975, 0.99)
SIZES = (1_024, 10_240, FEW_PATHS + 64)


def book_rows(paths: int, seed: int, bad: float | None = None) -> PnlRows:
    """Five leaves: fat tails, an atom at zero, ties, a constant, zeros."""
    g = np.random.default_rng(seed)
    rows = [g.standard_t(4, paths) * 1e6, np.maximum(g.standard_normal(paths), -0.5) * 1e5,
            np.round(g.standard_normal(paths)) * 3e5, np.full(paths, -7.0), np.zeros(paths)]
    rows = tuple(row.astype(np.float32) for row in rows)
    if bad is not None:
        rows[0][paths // 2] = bad
    whole = np.zeros(paths)
    for row in rows:
        whole += row
    labels = tuple(("desk", "book", f"strategy {n}", "fx") for n in range(len(rows)))
    groups = GroupRisks(LEVELS, dict(zip(labels, rows, strict=True)))
    return PnlRows(labels, rows, whole, combine(LEVELS, whole, groups))


def assert_same(found, want) -> None:
    assert found.value == want.value
    assert np.array_equal(found.sums, want.sums)
    assert np.array_equal(found.counts, want.counts)


@pytest.mark.parametrize("paths", SIZES)
@pytest.mark.parametrize("executor", [Serial(), Threads(3)], ids=["serial", "threads"])
def test_slices_have_the_bits_of_the_measures(paths, executor):
    shown, base = book_rows(paths, 1), book_rows(paths, 2)
    draw, counts = draw_of_path(RunSpec(paths, draws=64), 0, paths), paths_of_draws(paths, 64)
    assert np.array_equal(counts, np.bincount(draw, minlength=64))
    parts = [None, (0, 2), (1,), (), (3, 4), (2,)]
    for slices, against in ((measure_slices(parts, shown, base, draw, counts, LEVELS, executor), base),
                            (measure_slices(parts, shown, None, draw, counts, LEVELS, executor), None)):
        for leaves, found in zip(parts, slices, strict=True):
            pnl, still = (np.zeros(paths) for _ in range(2))
            for g in leaves or ():
                pnl += shown.rows[g]
                still += base.rows[g]
            if leaves is None:
                pnl, still = shown.total, base.total
            want = estimate_tail(pnl, draw, counts, LEVELS)
            assert_same(found.tail.mean, want.mean)
            for one, other in zip((*found.tail.var, *found.tail.es), (*want.var, *want.es), strict=True):
                assert_same(one, other)
            if against is None:
                assert_same(found.expected, want.mean)
                continue
            assert np.array_equal(found.expected.sums, estimate_mean(pnl - still, draw, counts).sums)
            if leaves is None:
                assert found.expected.value == estimate_mean(pnl - still, draw, counts).value
            else:
                gains = (engine_gain(shown.rows[g], base.rows[g]) for g in leaves)
                assert found.expected.value == sum(gains, 0.0)


def engine_gain(shocked: np.ndarray, base: np.ndarray) -> float:
    """Mean gain of one leaf as ``engine.paths`` adds it: quantum after quantum."""
    out, mean = np.empty((-(-shocked.size // QUANTUM), 1)), np.zeros(1)
    sum_gains(shocked[None], base[None], out)
    for quantum in out:
        mean += quantum
    return float(mean[0] / shocked.size)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("which", ["shown", "base"])
def test_a_pnl_that_is_not_finite_is_refused(bad, which):
    paths = 2_048
    rows = {name: book_rows(paths, 3, bad if name == which else None) for name in ("shown", "base")}
    draw, counts = draw_of_path(RunSpec(paths, draws=64), 0, paths), paths_of_draws(paths, 64)
    with pytest.raises(ModelError, match="not finite"):
        measure_slices([(0,)], rows["shown"], rows["base"], draw, counts, LEVELS, Serial())


@pytest.mark.parametrize("real", [np.float32, np.float64])
@pytest.mark.parametrize("paths", [7, 1_024, 8_192, 8 * QUANTUM + 1, 33_000])
def test_sums_of_quanta_have_the_bits_of_a_plain_loop(paths, real):
    g = np.random.default_rng(4)
    x, y = (g.standard_t(3, paths).astype(real) * 1e7 for _ in range(2))
    assert sum_quanta(x) == total(x.astype(np.float64))
    if real is np.float32:
        out = np.empty(2)
        sum_rows(addresses([x, y]), paths, 0, 2, out)
        assert out.tolist() == [total(x.astype(np.float64)), total(y.astype(np.float64))]
        sum_gains_of_rows(addresses([x, y]), addresses([y, x]), paths, 0, 2, out)
        assert (out / paths).tolist() == [engine_gain(x, y), engine_gain(y, x)]


@pytest.mark.parametrize("name", ["t", "ties", "falling", "constant"])
def test_ranks_and_bins_are_those_of_numpy(name):
    g = np.random.default_rng(8)
    x = {"t": g.standard_t(3, 20_003) * 1e6, "ties": np.round(g.standard_normal(9_000) * 3),
         "falling": np.arange(30_000, 0, -1.0), "constant": np.full(3_000, 4.0)}[name]
    kth = np.empty(1)
    for k in (1, 2, x.size // 1000 + 1, x.size // 2, x.size):
        measure_row(x, np.array([k]), np.empty(0, np.int64), kth, np.empty(0))
        assert kth[0] == np.sort(x)[k - 1]
    low, high = outer_values(x)
    outer = x.size // 1000
    assert (low, high) == (np.sort(x)[outer], np.sort(x)[-1 - outer])
    edges = np.linspace(low - (low == high), high + (low == high), HISTOGRAM_BINS + 1)
    for values in (x, np.concatenate([edges, np.nextafter(edges, np.inf), np.nextafter(edges, -np.inf)])):
        found = np.zeros(HISTOGRAM_BINS, dtype=np.int64)
        count_bins(values, edges, found)
        assert np.array_equal(found, np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0])


def test_a_histogram_counts_every_path_once():
    g = np.random.default_rng(9)
    one, two = g.standard_normal(5_000), g.standard_normal(5_000) * 2.0 - 1.0
    found = histogram(one, two)
    assert sum(found["before"]) == sum(found["after"]) == 5_000
    assert found == histogram(one, two, None, outer_values(one))
    weighted = histogram(one, two, np.ones(5_000))
    assert weighted["before"] == found["before"] and weighted["after"] == found["after"]


@pytest.mark.parametrize("horizon", [None, Horizon(1, 1), Horizon(52, 5)])
def test_a_book_from_lowered_positions_is_the_compiled_one(world, book, horizon):
    want = compile_book(book, world.snapshot, FACTORS, horizon)
    found = compile_lowered(book, lower_portfolio(book, world.snapshot, horizon), horizon)
    for f in fields(want):
        one, other = getattr(found, f.name), getattr(want, f.name)
        if isinstance(other, np.ndarray):
            one, other = (one,), (other,)
        if isinstance(other, tuple) and other and isinstance(other[0], np.ndarray):
            same = [a.dtype == b.dtype and np.array_equal(a, b) for a, b in zip(one, other, strict=True)]
            assert all(same), f.name
        else:
            assert one == other, f.name
