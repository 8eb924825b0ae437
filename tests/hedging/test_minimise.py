"""Hedges: closed forms, a linear programme, costs, budgets, limits, more instruments, a perfect hedge."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linprog, minimize_scalar
from scipy.stats import norm, qmc

from riskengine.base.errors import InputError
from riskengine.hedging.minimise import measure_of, minimise
from riskengine.hedging.trading_cost import TradingCost, no_cost

P = 16_384
TAIL = 0.025


@pytest.fixture(scope="module")
def normals():
    return norm.ppf(qmc.Sobol(4, seed=11).random(P)).T.copy()


@pytest.fixture(scope="module")
def book(normals):
    return 3e7 * normals[0] + 1e7 * normals[1] + 2e7 * normals[2]


@pytest.fixture(scope="module")
def units(normals):
    z = normals
    return np.stack([1e5 * (0.8 * z[0] + 0.6 * z[3]), 1e5 * z[1], 1e5 * (0.9 * z[0] + 0.1 * z[2])])


def spread(count, usd):
    return TradingCost(np.full(count, float(usd)), np.zeros(count, dtype=np.int64), np.zeros(count), np.zeros(1))


def test_of_two_normals_the_es_hedge_is_the_least_variance_ratio(book, units):
    ratio = -np.cov(book, units[0])[0, 1] / units[0].var()
    for measure, close in (("es", 0.01), ("variance", 1e-3), ("var", 0.1)):
        found = minimise(book, units[:1], no_cost(1), measure=measure)
        assert found.sizes[0] == pytest.approx(ratio, rel=close)
    several = minimise(book, units, no_cost(3), measure="variance")
    cov = np.cov(np.vstack([book, units]))
    assert several.sizes == pytest.approx(-np.linalg.solve(cov[1:, 1:], cov[1:, 0]), rel=1e-3)


def test_the_linear_programme_of_rockafellar_and_uryasev_is_no_better():
    rng = np.random.default_rng(4)
    p = rng.standard_t(3, 600)
    u = np.vstack([p * 0.3 + rng.standard_normal(600), rng.standard_normal(600) ** 2 - 1, rng.standard_t(4, 600)])
    mass, n, fee = 0.05 * 600, 3, 0.02
    found = linprog(
        np.concatenate([np.full(2 * n, fee), [1.0], np.full(600, 1 / mass)]),
        A_ub=np.hstack([-u.T, u.T, -np.ones((600, 1)), -np.eye(600)]), b_ub=p,
        bounds=[(0, None)] * (2 * n) + [(None, None)] + [(0, None)] * 600, method="highs")
    ours = minimise(p, u, spread(3, fee), 0.95)
    assert ours.after == pytest.approx(found.fun, rel=2e-5)
    assert ours.after == pytest.approx(measure_of(p + ours.sizes @ u, "es", 0.05) + fee * np.abs(ours.sizes).sum())


def test_one_instrument_with_impact_against_a_scalar_search(book, units):
    cost = TradingCost(np.array([300.0]), np.zeros(1, dtype=np.int64), np.array([1e6]), np.array([2e-7]))
    best = minimize_scalar(lambda h: measure_of(book + h * units[0], "es", TAIL) + cost.total(np.array([h])),
                           bounds=(-600, 0), method="bounded", options={"xatol": 1e-4})
    found = minimise(book, units[:1], cost)
    assert found.after == pytest.approx(best.fun, rel=1e-6)


def test_dearer_trading_never_trades_more_nor_does_better(book, units):
    risk, total = [], []
    for fee in (0.0, 1e3, 1e4, 5e4, 3e5):
        found = minimise(book, units, spread(3, fee))
        total.append(found.after)
        risk.append(found.risk)
    assert all(b >= a - 1e-6 * a for a, b in zip(total, total[1:])) and all(
        b >= a * (1 - 1e-5) for a, b in zip(risk, risk[1:]))


def test_no_trade_when_the_first_unit_costs_more_than_it_saves(book, units):
    gain = abs(np.mean(units[1][book <= np.quantile(book, TAIL)]))
    dear = minimise(book, units[1:2], spread(1, 1.05 * gain))
    assert dear.sizes[0] == 0.0 and dear.cost == 0.0 and dear.after == dear.before
    assert minimise(book, units[1:2], spread(1, 0.9 * gain)).sizes[0] != 0.0
    # impact starts at zero slope: with impact alone something small is always worth it
    assert minimise(book, units[1:2], TradingCost(np.zeros(1), np.zeros(1, dtype=np.int64), np.array([1e6]),
                                                   np.array([1e-3]))).sizes[0] != 0.0


@pytest.mark.parametrize("measure", ["es", "variance"])
def test_another_instrument_never_makes_it_worse_on_the_same_paths(book, units, measure):
    cost = spread(3, 800.0)
    after = [minimise(book, units[:n], spread(n, 800.0), measure=measure).after for n in (1, 2, 3)]
    assert after[1] <= after[0] * (1 + 1e-7) and after[2] <= after[1] * (1 + 1e-7)
    assert minimise(book, units, cost, measure=measure).after < measure_of(book, measure, TAIL)


def test_the_same_position_is_a_perfect_hedge(book):
    for measure in ("es", "variance"):
        found = minimise(book, (book / 500)[None], no_cost(1), measure=measure)
        assert found.sizes[0] == pytest.approx(-500.0, rel=1e-4) and found.risk < 1e-3 * found.before


def test_a_budget_is_kept_and_used(book, units):
    cost = TradingCost(np.full(3, 500.0), np.array([0, 1, 0]), np.full(3, 1e6), np.full(2, 1e-7))
    free = minimise(book, units, cost)
    for share in (0.1, 0.5):
        found = minimise(book, units, cost, budget=share * free.cost)
        assert 0.97 * share * free.cost <= found.cost <= share * free.cost * (1 + 1e-9)
        assert free.after < found.after < found.before and found.price_of_budget > 0
    assert minimise(book, units, cost, budget=0.0).cost <= 1e-3
    assert minimise(book, units, cost, budget=2 * free.cost).sizes == pytest.approx(free.sizes)


def test_limits_and_sides_hold(book, units):
    low, high = np.array([-20.0, 0.0, -np.inf]), np.array([0.0, 50.0, np.inf])
    found = minimise(book, units, no_cost(3), lower=low, upper=high)
    assert (found.sizes >= low - 1e-9).all() and (found.sizes <= high + 1e-9).all()
    assert found.sizes[1] == 0.0, "the wrong side is not traded"


def test_flow_of_one_market_is_shared_and_costs_add_up():
    cost = TradingCost(np.array([1.0, 2.0]), np.zeros(2, dtype=np.int64), np.array([1e6, 2e6]), np.array([1e-4]))
    sizes = np.array([3.0, -4.0])
    assert cost.total(sizes) == pytest.approx(3 + 8 + 1e-4 * (11e6) ** 1.5)
    assert cost.by_trade(sizes).sum() == pytest.approx(cost.total(sizes))
    step = 1e-5
    slope = [(cost.total(np.abs(sizes) + step * e) - cost.total(np.abs(sizes) - step * e)) / (2 * step)
             for e in np.eye(2)]
    assert cost.slope(np.abs(sizes)) == pytest.approx(slope, rel=1e-6)


def test_a_sure_gain_is_refused_and_bad_questions_too(book, units):
    with pytest.raises(InputError, match="expected P&L outweighs its risk"):
        minimise(book, units[:1] + 1e6, no_cost(1))
    with pytest.raises(InputError, match="measure to minimise"):
        minimise(book, units, no_cost(3), measure="mean")
    with pytest.raises(InputError, match="level of the tail"):
        minimise(book, units, no_cost(3), level=0.9999)
    with pytest.raises(InputError, match="does not move"):
        minimise(book, np.zeros((1, P)), no_cost(1))
    with pytest.raises(InputError, match="must allow no trade"):
        minimise(book, units[:1], no_cost(1), lower=np.array([1.0]), upper=np.array([2.0]))


def test_measures_of_a_small_sample_by_hand():
    x = np.arange(100.0)
    assert measure_of(x, "es", 0.025) == pytest.approx(-(0 + 1 + 0.5 * 2) / 2.5)
    assert measure_of(x, "var", 0.05) == -4.0 and measure_of(x, "variance", 0.05) == pytest.approx(x.std())
