"""Tails measured from what a simulation keeps equal those of all its paths, to the bit."""

import pickle

import numpy as np
import pytest

from riskengine.base.axes import Axis
from riskengine.base.errors import InputError, ModelError
from riskengine.base.sampling import RunSpec
from riskengine.execution import Threads
from riskengine.measures.group_tails import measure_group_tails, measure_kept_tails, widest_tail
from riskengine.simulation import horizon_pnl
from riskengine.simulation.horizon_pnl import GroupExposures, MoveCovariance, simulate_group_pnl, simulate_tails

LEVELS = (0.9, 0.975, 0.99)


def model_and_book(groups, seed=3, factors=7):
    rng = np.random.default_rng(seed)
    axis = Axis("factor", tuple(f"f{k}" for k in range(factors)))
    root = rng.standard_normal((factors, 2 * factors))
    delta, gamma = 1e4 * rng.standard_normal((2, groups, factors))
    names = tuple(f"g{g}" for g in range(groups))
    return MoveCovariance(axis, root @ root.T / 2e5, 5.0), GroupExposures(axis, names, delta, gamma)


def fields(tails):
    return (tails.var, tails.es, tails.se_var, tails.se_es, tails.component_es)


def series_of(kept, series):
    values, places = np.empty(kept.count(series)), np.empty(kept.count(series), np.int64)
    kept.gather(series, values, places)
    return values, places


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize(("groups", "paths"), [(1, 1_024), (5, 20_000), (7, 30_016)])
def test_the_same_bits_as_from_all_paths(groups, paths, precision):
    model, book = model_and_book(groups)
    spec = RunSpec(paths, 32, 11, "student_t", levels=LEVELS, precision=precision)
    pnl = simulate_group_pnl(model, book, spec)
    wanted = measure_group_tails(pnl.groups, pnl.total, LEVELS)
    with Threads(2) as pool:
        for executor, size in ((None, 32_640), (pool, 5_000), (pool, 960)):
            kept = simulate_tails(model, book, spec, widest_tail(paths, LEVELS), executor, chunk_paths=size)
            tails = measure_kept_tails(kept, LEVELS, executor)
            for got, want in zip(fields(tails), fields(wanted), strict=True):
                assert np.array_equal(got, want)
            for g in range(groups + 1):
                row = pnl.total if g == groups else pnl.groups[g]
                values, places = series_of(kept, g)
                assert np.array_equal(values, row[places])
                assert np.all(np.diff(places) > 0)
            for g in range(groups):
                assert np.array_equal(kept.member(g), pnl.groups[g, places])
    draw = np.arange(paths) % 32
    for got, want in zip(
        fields(measure_kept_tails(kept, LEVELS, None, draw, 32)),
        fields(measure_group_tails(pnl.groups, pnl.total, LEVELS, None, draw, 32)), strict=True,
    ):
        assert np.array_equal(got, want)
    if paths > 20_000:
        assert max(kept.count(g) for g in range(groups + 1)) < 0.2 * paths, "only the tails are kept"


def test_a_misleading_pilot_costs_a_second_pass_never_the_answer(monkeypatch):
    model, book = model_and_book(4)
    spec = RunSpec(10_016, 32, 5, "student_t", levels=LEVELS)
    wanted = simulate_tails(model, book, spec, 1_400)
    calls = []

    def too_low(row, share):
        calls.append(share)
        return -np.inf if len(calls) % 2 else np.sort(row)[3]

    monkeypatch.setattr(horizon_pnl, "pilot_threshold", too_low)
    kept = simulate_tails(model, book, spec, 1_400)
    assert all(kept.count(g) >= 1_400 for g in range(5)) and len(calls) == 5
    for got, want in zip(fields(measure_kept_tails(kept, LEVELS)), fields(measure_kept_tails(wanted, LEVELS)),
                         strict=True):
        assert np.array_equal(got, want)


def test_a_task_travels_without_its_scratch():
    model, book = model_and_book(3)
    sent = []

    class Sending:
        def map(self, function, items):
            sent.append(pickle.dumps(function))
            return [pickle.loads(pickle.dumps(pickle.loads(sent[-1])(item))) for item in items]

    spec = RunSpec(6_400, 32, 5, "student_t", levels=LEVELS)
    here, there = (simulate_tails(model, book, spec, 700, e, chunk_paths=1_920) for e in (None, Sending()))
    assert len(sent[0]) < 100_000
    assert len(here.parts) == 4
    for g in range(4):
        assert all(np.array_equal(a, b) for a, b in zip(series_of(here, g), series_of(there, g), strict=True))


def test_limits():
    model, book = model_and_book(2)
    spec = RunSpec(1_024, 32, 5, "student_t", levels=LEVELS)
    for wrong in (0, 1_025):
        with pytest.raises(InputError, match="within the paths"):
            simulate_tails(model, book, spec, wrong)
    short = simulate_tails(model, book, spec, 5)
    with pytest.raises(InputError, match="too short"):
        measure_kept_tails(short, LEVELS)
    huge = GroupExposures(book.axis, book.groups, np.full_like(book.delta, 1e306), book.gamma)
    with pytest.raises(ModelError, match="not finite"), np.errstate(over="ignore"):
        measure_kept_tails(simulate_tails(model, huge, spec, 300), LEVELS)
