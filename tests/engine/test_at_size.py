"""The night at size against full revaluation: accuracy within the stated error, same bits, bounded memory, Ctrl-C."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from riskengine.base.axes import FACTORS
from riskengine.base.sampling import Chunk, RunSpec
from riskengine.base.units import Horizon
from riskengine.benchmark.books import synthetic_csv, synthetic_portfolio
from riskengine.data.configs import load_scenario
from riskengine.engine import at_size
from riskengine.engine.at_size import FULL_REVALUATION_LIMIT, budget_for, simulate_at_size
from riskengine.engine.block_task import BLOCK, sample_of_paths
from riskengine.engine.collapse import collapse_book, expand
from riskengine.engine.correction import Residuals, correct_row
from riskengine.engine.ladder import build_ladder
from riskengine.engine.paths import prepare, simulate
from riskengine.engine.results import baseline_result, scenario_results
from riskengine.execution import Serial, Threads
from riskengine.instruments.portfolio import compile_book
from riskengine.measures.tail_risk import measure_tail
from riskengine.simulation import simulate_noise

ROOT = Path(__file__).resolve().parents[2]
AS_OF = "2024-09-24"
TEN, YEAR = Horizon(10, 1), Horizon(52, 5)
SPEC = RunSpec(paths=20_480, draws=512)


@pytest.fixture(scope="module")
def mixed():
    return synthetic_portfolio(150, AS_OF)


@pytest.fixture(scope="module")
def items(world):
    return [prepare(load_scenario(n), world, SPEC) for n in ("exodus_10pct", "withholding_tax_30_no_exemptions")]


def digest(found) -> str:
    pnl = found.pnl
    return hashlib.sha256(pnl.total.tobytes() + pnl.groups.tobytes() + pnl.gains.tobytes()).hexdigest()


def test_ladder_values_every_cash_flow(world, mixed):
    """Seven nodes per segment against all dates, at twice the moves of a year."""
    linear = replace(mixed, positions=tuple(p for p in mixed.positions if p.type in ("treasury_bond", "fx_forward")))
    book = compile_book(linear, world.snapshot, FACTORS, YEAR)
    noise, fixing = simulate_noise(world.weekly, YEAR, SPEC, Chunk(0, 2000), book.fixings)
    moves = 2.0 * noise
    ladder, rows, amounts = build_ladder(book)
    terms = np.einsum("ej,ejn->en", ladder.terms, moves[ladder.rows])
    legs = book.legs_by_group
    mine = ladder.amounts @ np.exp(terms) + amounts @ np.exp(fixing[rows]) + legs.constant[:, None]
    want = book.pnl(moves, fixing)
    assert len(rows) > 0
    assert len(ladder.rows) < len(legs.pair_index) / 4
    np.testing.assert_allclose(mine, want, rtol=0, atol=1e-6 * np.abs(want).max())


def test_everything_revalued_is_the_engine(world, book, items):
    """With a budget for every instrument only float32 rounding is left, path by path, group by group."""
    full = simulate(items, book, world, YEAR, SPEC)
    found = simulate_at_size(items, book, world, YEAR, SPEC, 10_000)
    assert found.plan.approximated == 0
    scale = full.total[0].std()
    np.testing.assert_allclose(found.pnl.total, full.total, rtol=0, atol=1e-5 * scale)
    np.testing.assert_allclose(found.pnl.gains, full.gains, rtol=0, atol=1e-5 * scale)
    for row, (dimension, label) in enumerate(found.pnl.margins):
        leaves = full.book.groups_where(dimension, label)
        np.testing.assert_allclose(
            found.pnl.groups[0, row], full.groups[0, leaves].sum(axis=0, dtype=float), rtol=0, atol=1e-5 * scale)
    double = simulate_at_size(items, book, world, YEAR, replace(SPEC, precision="float64"), 10_000)
    exact = simulate(items, book, world, YEAR, replace(SPEC, precision="float64"))
    np.testing.assert_allclose(double.pnl.total, exact.total, rtol=0, atol=1e-6 * scale)


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**40), budget=st.integers(0, 12))
def test_var_and_es_within_the_stated_error(world, mixed, seed, budget):
    spec = replace(SPEC, seed=seed)
    full = simulate((), mixed, world, TEN, spec)
    found = simulate_at_size((), mixed, world, TEN, spec, budget)
    want = measure_tail(full.total[0], full.draw, spec.draws, spec.levels)
    got = measure_tail(found.pnl.total[0], full.draw, spec.draws, spec.levels)
    assert found.plan.approximated > 20
    for i, error in enumerate(found.errors[0]):
        rounding = 1e-5 * want.sd
        assert abs(got.var[i] - want.var[i]) <= error.bound_var + 3 * error.se_var + rounding
        assert abs(got.es[i] - want.es[i]) <= error.bound_es + 3 * error.se_es + rounding
        # and far inside the Monte Carlo error of the estimate itself
        assert abs(got.es[i] - want.es[i]) < 0.25 * want.se_es_given_draws[i]
    assert abs(got.mean - want.mean) < 5 * found.errors[0][0].se_mean + 1e-6 * want.sd


def test_correction_beats_the_bare_approximation(world, mixed, items):
    """On delta-gamma alone a year's tail is wrong by far more than after the correction."""
    full = simulate(items, mixed, world, YEAR, SPEC)
    found = simulate_at_size(items, mixed, world, YEAR, SPEC, 0)
    book = compile_book(mixed, world.snapshot, FACTORS, YEAR)
    spread = np.sqrt(np.diag(world.weekly.horizon_covariance(52)))
    collapsed = collapse_book(book, spread, 0, "float32")
    base, _ = expand(collapsed, np.zeros(len(FACTORS)), spread)
    assert np.abs(base).sum() > 0
    for row in range(3):
        want = measure_tail(full.total[row], full.draw, 512, SPEC.levels)
        got = measure_tail(found.pnl.total[row], full.draw, 512, SPEC.levels)
        off = np.abs(found.pnl.total[row] - full.total[row])
        worst = full.total[row] <= -want.var[1]
        assert off[worst].mean() < 0.2 * off[~worst].mean()
        assert abs(got.es[2] / want.es[2] - 1) < 1e-3


def test_scenarios_agree_with_full_revaluation_of_the_embedded_book(world, book, items):
    """Expected P&L, by asset class too, within 1% of the P&L's own size and far within 1% of net assets."""
    full = scenario_results(items, simulate(items, book, world, YEAR, SPEC), world, SPEC)
    found = simulate_at_size(items, book, world, YEAR, SPEC, 2, keep_groups=False)
    assert found.plan.approximated > 0
    nav = found.pnl.book.nav
    for want, got in zip(full, scenario_results(items, found.pnl, world, SPEC), strict=True):
        assert abs(got.expected_pnl_usd - want.expected_pnl_usd) < 0.01 * abs(want.expected_pnl_usd)
        assert abs(got.expected_pnl_usd - want.expected_pnl_usd) < 1e-4 * nav
        for name, value in want.by_asset_class.items():
            assert abs(got.by_asset_class[name] - value) < 1e-4 * nav
        assert sum(got.by_book.values()) == pytest.approx(got.expected_pnl_usd, abs=1.0)
        assert set(got.channels) == set(want.channels)


def test_pinned_scenarios_keep_their_conditional_noise(world, book):
    from riskengine.data.configs import list_scenarios

    found = None
    for path in list_scenarios():
        scenario = load_scenario(path)
        item = prepare(scenario, world, SPEC)
        if item.shocks.noise_map is not None:
            found = item
            break
    assert found is not None
    spec = replace(SPEC, paths=4096)
    item = prepare(found.scenario, world, spec)
    full = simulate([item], book, world, found.scenario.horizon, spec)
    mine = simulate_at_size([item], book, world, found.scenario.horizon, spec, 10_000, keep_groups=False)
    np.testing.assert_allclose(mine.pnl.total[1], full.total[1], rtol=0, atol=2e-5 * full.total[0].std())


def test_same_bits_on_any_threads_and_rounds(world, mixed, items, monkeypatch):
    want = digest(simulate_at_size(items, mixed, world, YEAR, SPEC, 5, Serial()))
    for threads, blocks in ((1, 1), (2, 3), (3, 16)):
        monkeypatch.setattr(at_size, "BLOCKS_PER_WORKER", blocks)
        with Threads(threads) as pool:
            assert digest(simulate_at_size(items, mixed, world, YEAR, SPEC, 5, pool)) == want
    other = replace(SPEC, seed=1)
    assert digest(simulate_at_size(items, mixed, world, YEAR, other, 5)) != want


def test_baseline_result_reads_margins(world, mixed):
    found = simulate_at_size((), mixed, world, TEN, SPEC, 10)
    risk = baseline_result(found.pnl, mixed, world, SPEC, 0.975, "student_t")
    for dimension in ("desk", "book", "asset_class", "strategy"):
        parts = sum(g.component_es[1] for g in risk.groups if g.dimension == dimension)
        assert parts == pytest.approx(risk.total.es[1], rel=1e-5)
    assert sum(p.component_es for p in risk.positions) == pytest.approx(risk.total.es[1], rel=1e-4)


def test_sample_is_one_percent_and_its_own_stream():
    spec = RunSpec(paths=512 * 400, draws=512)
    chosen = np.concatenate([sample_of_paths(spec, Chunk(lo, lo + BLOCK)) for lo in range(0, spec.paths, BLOCK)])
    assert abs(chosen.mean() - 0.01) < 5 * np.sqrt(0.01 / chosen.size)
    assert not np.array_equal(chosen[:BLOCK], sample_of_paths(replace(spec, seed=1), Chunk(0, BLOCK)))


def test_missed_tail_paths_are_counted():
    """An approximation that hides a fifth of the bad paths is found by the sample, and corrected on average."""
    rng = np.random.default_rng(3)
    paths, samples = 100_000, 20
    true = rng.normal(0.0, 1.0, paths)
    approximate = np.where(rng.random(paths) < 0.2, true + 6.0, true)
    threshold = np.quantile(approximate, 0.08)
    candidate = approximate <= threshold
    wrong, found, bounds = [], [], []
    for i in range(samples):
        sampled = np.random.default_rng(100 + i).random(paths) < 0.01
        places = np.flatnonzero(candidate | sampled)
        total = approximate.copy()
        total[places] = true[places]
        residuals = Residuals(places, candidate[places], sampled[places], (true - approximate)[places],
                              np.empty((0, int((~candidate[places]).sum()))), np.zeros((2, 1)), np.zeros((2, 0)),
                              np.array([candidate.sum(), (~candidate[places]).sum()], float), paths)
        error = correct_row(total, None, residuals, threshold, (0.95,))[0]
        found.append(error.missed)
        bounds.append(error.bound)
        wrong.append(-np.quantile(total, 0.05))
    hidden = int(((true <= np.quantile(true, 0.05)) & ~candidate).sum())
    assert hidden > 500
    assert abs(np.mean(found) / hidden - 1) < 0.3
    assert np.mean(np.array(bounds) > hidden) > 0.8
    bare = -np.quantile(np.where(candidate, true, approximate), 0.05)
    right = -np.quantile(true, 0.05)
    assert abs(np.mean(wrong) - right) < 0.4 * abs(bare - right)


def test_the_rule_that_switches():
    assert budget_for(None, 66, 100_352, 20) is None
    assert budget_for(None, 20_000, 1_000_000, 52) == at_size.DEFAULT_BUDGET
    assert budget_for(7, 66, 1_000, 1) == 7
    assert 66 * 1_000_000 * 22 < FULL_REVALUATION_LIMIT


MEMORY = """
import resource, sys
from riskengine.base.sampling import RunSpec
from riskengine.base.units import Horizon
from riskengine.benchmark.books import synthetic_portfolio
from riskengine.data.configs import load_scenario
from riskengine.engine.at_size import simulate_at_size
from riskengine.engine.paths import prepare
from riskengine.execution import Threads
from riskengine.workflows.build_world import build_world
world = build_world("2024-09-24")
book = synthetic_portfolio(300)
def go(paths):
    spec = RunSpec(paths=paths, draws=512)
    items = [prepare(load_scenario(n), world, spec) for n in ("exodus_10pct", "tariffs")]
    with Threads(2) as pool:
        return simulate_at_size(items, book, world, items[0].scenario.horizon, spec, 20, pool).plan
go(8192)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
plan = go(204_800)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(after - before, plan.memory_bytes)
"""


def test_memory_stays_within_the_printed_bound():
    done = subprocess.run([sys.executable, "-c", MEMORY], cwd=ROOT, capture_output=True, text=True, check=True)
    used, bound = map(int, done.stdout.split()[-2:])
    assert used <= bound
    assert bound < 204_800 * 300 * 4 / 2, "less than half of positions × paths"


INTERRUPTED = """
import sys
from riskengine.cli import run
from riskengine.workflows import simulator
simulator.LONG_SECONDS = 0.0
sys.exit(run(sys.argv[1:]))
"""


@pytest.mark.parametrize("where", [("--threads", "2"), ("--dask", "local")])
def test_interrupt_leaves_no_run_folder(tmp_path, where):
    """Ctrl-C in the bulk of the run, right after its cost was announced."""
    if "--dask" in where:
        pytest.importorskip("distributed", reason="dask is not installed")
    book = tmp_path / "book.csv"
    book.write_text(synthetic_csv(400, AS_OF), encoding="utf-8")
    out = tmp_path / "runs"
    night = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, "nightly", "--portfolio", str(book), "--paths", "200192",
         "--full-reval", "20", "--out", str(out), *where],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )
    announced = night.stderr.readline()
    size = "at size, 400 positions × 200,192 paths × 30 rows in 9 runs"
    assert announced.startswith(size), announced + night.stderr.read()
    assert " s for the paths and " in announced and " GB" in announced
    time.sleep(0.2)
    night.send_signal(signal.SIGINT)
    _, said = night.communicate(timeout=60)
    assert night.returncode == 130, said
    assert "Traceback" not in said
    assert not any(p.is_file() or p.is_symlink() for p in out.rglob("*"))
