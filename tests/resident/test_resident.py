"""Every operation of a held state against a full recompute: the engine in full mode, a fresh state in
delta-gamma."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from riskengine.base.axes import FACTORS
from riskengine.base.errors import InputError
from riskengine.base.sampling import RunSpec
from riskengine.base.units import Horizon
from riskengine.data.configs import load_scenario
from riskengine.engine.paths import prepare, simulate
from riskengine.execution import Serial, Threads
from riskengine.instruments.exposures import FIRST_BUMP
from riskengine.instruments.portfolio import parse_position
from riskengine.kernels.resident import EXACT_BELOW, STEP
from riskengine.measures.tail_risk import measure_tail
from riskengine.resident import hold, measure_latencies
from riskengine.resident.expansion import expand
from riskengine.resident.positions import assemble, lower_portfolio, resize_position
from riskengine.resident.responses import Responses
from riskengine.resident.what_if import UNDO_DEPTH, scale_by_factor, scale_world

SPEC = RunSpec(paths=2048, draws=64)
DAY, YEAR = Horizon(1, 1), Horizon(52, 5)


@pytest.fixture(scope="module")
def selling():
    return load_scenario("china_sells_treasuries")


@pytest.fixture(scope="module")
def year(world, book, selling):
    return hold(world, book, SPEC, YEAR, scenario=selling)


@pytest.fixture(scope="module")
def quick(world, book, selling):
    return hold(world, book, SPEC, YEAR, mode="delta_gamma", scenario=selling)


def new_position(as_of, **cells):
    row = {"position_id": "NEW", "type": "fx_option", "notional": "80000000", "currency": "EUR",
           "desk": "fx_g10", "book": "europe", "strategy": "weak_dollar", "expiry": "4M", "strike": "101%F",
           "put_call": "call"} | cells
    return parse_position(row, as_of, tag_names=("region",))


def digest(state) -> str:
    rows = [state.baseline.total, *state.baseline.rows]
    if state.policy is not None:
        rows += [state.policy.total, *state.policy.rows]
    return hashlib.sha256(b"".join(row.tobytes() for row in rows)).hexdigest()


def assert_engine_bits(state, prepared):
    """Rows and totals equal engine.simulate on the state's own inputs, bit for bit."""
    setting = state.setting
    want = simulate(prepared, state.portfolio, setting.world, setting.horizon, setting.spec)
    assert state.baseline.labels == want.book.group_labels
    for n, rows in enumerate((state.baseline, state.policy)[: 1 + len(prepared)]):
        assert np.array_equal(np.stack(rows.rows), want.groups[n])
        assert np.array_equal(rows.total, want.total[n])
        tail = measure_tail(want.total[n], want.draw, setting.spec.draws, setting.spec.levels)
        assert rows.measures.total.var == tail.var
        assert rows.measures.total.es == tail.es
        assert rows.measures.total.mean == tail.mean


@pytest.mark.parametrize("operation", [
    lambda s: s.remove("FX-EUR-2"),
    lambda s: s.remove(*(p.position_id for p in s.portfolio.positions[:3])),
    lambda s: s.resize("FX-EUR-3", -2.5),
    lambda s: s.add(new_position(s.portfolio.as_of)),
    lambda s: s.add(new_position(s.portfolio.as_of, desk="a new desk", expiry="7M")),
    lambda s: s.add(new_position(s.portfolio.as_of)).resize("NEW", 3.0).remove("FX-EUR-1").undo(),
], ids=["remove", "remove three", "resize", "add", "add: new leaf, new fixing", "chain and undo"])
def test_trades_in_full_mode_equal_the_engine_to_the_bit(year, world, selling, operation):
    after = operation(year)
    assert after.portfolio.positions != year.portfolio.positions
    assert_engine_bits(after, [prepare(selling, world, SPEC)])
    assert digest(after) != digest(year)


def test_trades_share_the_rows_they_do_not_touch(year):
    after = year.resize(year.portfolio.positions[-1].position_id, 1.5)
    shared = sum(a is b for a, b in zip(year.baseline.rows, after.baseline.rows, strict=True))
    assert shared == len(year.baseline.rows) - 1
    assert len(after.change.groups) == 1
    (var, es), = after.change.groups.values()
    assert any(x != 0.0 for x in var) and any(x != 0.0 for x in es)


def test_one_day_states_keep_exact_float32_noise(world, book):
    state = hold(world, book, SPEC, DAY)
    assert state.cache.noise.dtype == np.float32
    assert_engine_bits(state, [])
    assert_engine_bits(state.remove("FX-EUR-2").add(new_position(book.as_of)), [])


@pytest.mark.parametrize("name", ["mar_a_lago_accord", "unilateral_restrictions", "triple_red_conditional"])
def test_policy_in_full_mode_equals_the_engine_to_the_bit(world, book, name):
    scenario = load_scenario(name)
    state = hold(world, book, SPEC, scenario.horizon).move_policy(scenario)
    assert_engine_bits(state, [prepare(scenario, world, SPEC)])
    assert state.move_policy(None).policy is None


def test_a_few_steps_of_the_chain_have_the_bits_of_all_steps(world):
    fixings = ((0, 3), (23, 0), (6, 7))
    for name in ("exodus_10pct", "tariffs", "withholding_tax_30_interest", "lehman_2008"):
        scenario = load_scenario(name)
        quick = Responses(world, SPEC, scenario.horizon).compute(scenario, fixings)
        whole = prepare(scenario, world, SPEC).shocks
        assert np.abs(quick.end).max() > 0
        assert np.array_equal(quick.end, whole.path[:, -1].T)
        for k, step in fixings:
            assert np.array_equal(quick.at_fixings[k, step], whole.path[:, step, k])


@pytest.mark.parametrize("mode", ["full", "delta_gamma"])
def test_volatility_and_everything(world, book, selling, mode):
    state = hold(world, book, SPEC, YEAR, mode=mode, scenario=selling)
    scaled = state.change_volatility({"FX": 1.3, "UST_10Y": 0.5})
    other = scale_world(world, YEAR, scale_by_factor({"FX": 1.3, "UST_10Y": 0.5}))
    assert scaled.rows.total.std() > state.rows.total.std()
    if mode == "full":
        assert_engine_bits(scaled, [prepare(selling, other, SPEC)])
    fresh = hold(other, book, SPEC, YEAR, mode=mode, scenario=selling)
    gap = np.abs(scaled.rows.total - fresh.rows.total).max()
    assert gap <= 2e-6 * np.abs(fresh.rows.total).max()  # rounding of float32 noise and scale
    reseeded = state.change_everything(spec=replace(SPEC, seed=7))
    other = hold(world, book, replace(SPEC, seed=7), YEAR, mode=mode, scenario=selling)
    assert digest(reseeded) == digest(other)
    assert digest(reseeded.undo()) == digest(state)


def test_delta_gamma_does_not_depend_on_the_way_it_was_reached(quick, world, selling):
    way = quick.add(new_position(quick.portfolio.as_of)).resize("FX-EUR-3", 2.0).remove("FX-EUR-2")
    fresh = hold(world, way.portfolio, SPEC, YEAR, mode="delta_gamma", scenario=selling)
    assert digest(way) == digest(fresh)
    assert way.measures.total == fresh.measures.total
    assert digest(way.undo().undo().undo()) == digest(quick)


@pytest.mark.parametrize("factor", [1.0, 3e7], ids=["exact sums", "sums that round"])
def test_a_total_moves_with_its_rows_to_the_bit(world, book, selling, factor):
    huge = replace(book, positions=tuple(resize_position(p, factor) for p in book.positions))
    state = hold(world, huge, SPEC, YEAR, mode="delta_gamma", scenario=selling)
    exact = state.policy.peak * len(state.policy.rows) < EXACT_BELOW
    assert exact == (factor == 1.0)
    assert state.policy.peak == max(np.abs(row).max() for row in state.policy.rows)
    assert all(np.array_equal(row / STEP, np.round(row / STEP)) for row in state.policy.rows)
    way = state.resize("FX-EUR-3", -0.37).remove("FX-EUR-1").add(new_position(book.as_of, desk="another"))
    for changed in (way, way.remove("NEW")):
        fresh = hold(world, changed.portfolio, SPEC, YEAR, mode="delta_gamma", scenario=selling)
        assert digest(changed) == digest(fresh)


def test_an_expansion_is_that_of_the_revalued_position(world, book):
    for item in lower_portfolio(book, world.snapshot, YEAR):
        found = expand(item)
        legs = assemble([item], np.zeros(1, dtype=np.int64), 1, item.fixings)
        moves = np.zeros((len(FACTORS), 1 + 2 * len(found.factors)))
        for n, k in enumerate(found.factors):
            moves[k, 1 + 2 * n : 3 + 2 * n] = FIRST_BUMP, -FIRST_BUMP
        fixed = moves[[k for k, _ in legs.fixings]]
        values = legs.pnl(np.ascontiguousarray(moves[legs.used]), np.ascontiguousarray(fixed))[0]
        scale = np.abs(found.delta).max(initial=1.0)
        assert found.constant == pytest.approx(values[0], abs=1e-9 * scale)
        slope = (values[1::2] - values[2::2]) / (2 * FIRST_BUMP)
        assert found.delta == pytest.approx(slope, abs=1e-7 * scale)
        assert np.array_equal(found.gamma, found.gamma.T)


def test_delta_gamma_is_close_to_full_revaluation_over_a_day(world, book):
    full, fast = (hold(world, book, SPEC, DAY, mode=mode) for mode in ("full", "delta_gamma"))
    assert np.std(fast.rows.total - full.rows.total) < 0.01 * np.std(full.rows.total)
    assert fast.measures.total.es == pytest.approx(full.measures.total.es, rel=0.02)


def test_delta_gamma_rows_are_the_quadratic_in_numpy(quick):
    draw, cache = quick.cache.draw, quick.cache
    moves = cache.noise.astype(np.float64) + quick.response.end[:, draw]
    for label, row in zip(quick.policy.labels, quick.policy.rows, strict=True):
        want = np.zeros(cache.paths)
        for item in quick.lowered:
            if item.label == label:
                x = quick.valuer.expand(item)
                part = moves[x.factors]
                want += x.constant + x.delta @ part + 0.5 * np.einsum("kp,kl,lp->p", part, x.gamma, part)
        assert np.abs(row - want).max() <= 2e-5 * max(np.abs(want).max(), 1.0)


@pytest.mark.parametrize("mode", ["full", "delta_gamma"])
def test_same_bits_on_any_number_of_threads(world, book, selling, mode):
    digests = set()
    for executor in (Serial(), Threads(1), Threads(2)):
        with executor:
            state = hold(world, book, SPEC, YEAR, mode=mode, executor=executor, scenario=selling)
            digests.add(digest(state.resize("FX-EUR-3", 2.0)))
    assert len(digests) == 1


def test_expected_pnl_by_class_adds_up_and_a_policy_is_measured_against_the_baseline(year):
    measures = year.measures
    assert sum(measures.expected_by_class.values()) == pytest.approx(measures.expected_pnl, abs=1.0)
    gap = year.policy.total - year.baseline.total
    assert measures.expected_pnl == pytest.approx(gap.mean(), rel=1e-9)
    assert sum(year.components(0.975).values()) == pytest.approx(
        measures.total.es[SPEC.levels.index(0.975)], rel=1e-9)
    desks = year.risk_by("desk")
    assert set(desks) == {label[0] for label in year.policy.labels}


def test_memory_is_bounded_and_counted(quick):
    state = quick
    sizes = []
    for n in range(UNDO_DEPTH + 4):
        state = state.resize("FX-EUR-3", 1.0 + 0.1 * (n + 1))
        sizes.append(state.memory()["total"])
    assert len(state.past) == UNDO_DEPTH
    assert sizes[-1] == sizes[-2] == sizes[UNDO_DEPTH - 1]
    row, total = 4 * SPEC.paths, 8 * SPEC.paths
    assert sizes[1] - sizes[0] == 2 * (row + total)  # one leaf and the total, baseline and policy


def test_bad_requests_say_what_is_accepted(quick, year, world, book):
    with pytest.raises(InputError, match="FX-EUR-3"):
        quick.resize("FX-EUR-33", 2.0)
    with pytest.raises(InputError, match="other than zero"):
        quick.resize("FX-EUR-3", 0.0)
    with pytest.raises(InputError, match="unknown factor or block"):
        quick.change_volatility({"FXX": 2.0})
    with pytest.raises(InputError, match="positive"):
        quick.change_volatility(-1.0)
    with pytest.raises(InputError, match="another horizon"):
        quick.move_policy(load_scenario("lehman_2008"))
    with pytest.raises(InputError, match="at least one position"):
        year.remove(*(p.position_id for p in year.portfolio.positions))
    with pytest.raises(InputError, match="unique"):
        year.add(year.portfolio.positions[0])
    with pytest.raises(InputError, match="full, delta_gamma"):
        hold(world, book, SPEC, YEAR, mode="fast")
    with pytest.raises(InputError, match="nothing to undo"):
        hold(world, book, SPEC, DAY, mode="delta_gamma").undo()


def test_latencies_are_paired_with_numpy(world, book, selling):
    state = hold(world, book, SPEC, YEAR, mode="delta_gamma")
    rows = measure_latencies(state, selling, runs=2)
    assert [r.operation for r in rows][0] == "add a trade" and len(rows) == 7
    for row in rows:
        assert 0.0 < row.best <= row.median < 60.0
    paired = {r.operation for r in rows if np.isfinite(r.ratio)}
    assert paired == {"add a trade", "change a block's volatility", "simulate again", "move a policy knob"}
