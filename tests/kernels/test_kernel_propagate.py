"""The recursion of the chain against plain NumPy, draw by draw; sums over drivers against einsum."""

from __future__ import annotations

import numpy as np
import pytest

from riskengine.kernels.moves import combine, follow, look_ahead
from riskengine.kernels.propagate import (
    CLASSES, LINES, PIN_FLOW, PIN_NONE, PIN_SENTIMENT, ROW_DRAWS, Dollar, Orders, Paths, Prices, Targets,
    propagate,
)

STEPS, LAGS, DT = 30, 12, 1 / 52
DRAWS = 3 * ROW_DRAWS


def make_inputs(pinned: bool, seed: int = 5) -> tuple[Orders, Targets, Dollar, Prices]:
    """Two given paths, five groups of desired orders, three sellers; sizes as in a scenario."""
    draw = np.random.default_rng(seed).uniform
    shape = (STEPS, DRAWS)
    lines = draw(-50.0, 400.0, (5, LINES, DRAWS))
    orders = Orders(
        -draw(0.0, 1.0, (2, STEPS)), draw(-50.0, 300.0, (2, LINES, DRAWS)), np.array([0, 3, 1, 0, 2]),
        draw(0.0, 1.0, (5, STEPS)), draw(-0.02, 0.1, (5, DRAWS)), draw(0.0, 0.2, (5, DRAWS)),
        draw(1.0, 4.0, (5, DRAWS)), lines)
    targets = Targets(draw(0.1, 0.5, (3, DRAWS)), draw(20.0, 300.0, (3, DRAWS)),
                      draw(0.1, 1.0, (3, LINES - 1, DRAWS)))
    coefficients = np.stack([draw(2e-5, 2e-4, DRAWS), draw(2e3, 4e3, DRAWS), draw(0.0, 0.3, DRAWS),
                             draw(0.0, 4.0, DRAWS), draw(1.0, 1.2, DRAWS)])
    kind = np.resize([PIN_NONE, PIN_FLOW, PIN_SENTIMENT], DRAWS) if pinned else np.full(DRAWS, PIN_NONE)
    dollar = Dollar(coefficients, draw(-80.0, 80.0, shape), draw(-50.0, 50.0, (1, DRAWS)),
                    draw(-0.01, 0.01, shape), draw(0.0, 0.1, shape), kind, draw(-0.05, 0.2, LAGS), DT)
    prices = Prices(np.stack([draw(1e-7, 1e-6, DRAWS), draw(1e-6, 3e-6, DRAWS), draw(0.8, 0.99, DRAWS),
                              draw(4.0, 7.0, DRAWS)]), draw(0.0, 1e-4, (CLASSES, DRAWS)))
    return orders, targets, dollar, prices


def run(inputs, spans=((0, DRAWS),), flows=True) -> Paths:
    kept, classes = (STEPS, CLASSES) if flows else (1, 0)
    flat, rows = ((STEPS, DRAWS),) * 3, ((kept, DRAWS),) * 3
    out = Paths(*(np.full(shape, np.nan) for shape in (*flat, *rows)), np.zeros((3, kept, DRAWS)),
                np.full((classes, kept, DRAWS), np.nan), np.full((5, kept, DRAWS), np.nan),
                0 if flows else STEPS - 1)
    for span in spans:
        propagate(*inputs, span, out)
    return out


def plain(inputs, d: int) -> dict[str, np.ndarray]:
    """One draw in the letters of METHOD 3 to 5."""
    orders, targets, dollar, prices = inputs
    gamma, eta, theta, rho, damping = dollar.coefficients[:, d]
    long_run, gap, decay, duration = prices.coefficients[:, d]
    f, price, s, account = np.zeros(5), np.zeros(CLASSES), [], []
    z = before = absorbed = absorbed_s = 0.0
    found: dict[str, list] = {name: [] for name in Paths._fields[:-1]}
    for t in range(STEPS):
        cost = orders.wedge[:, d] + price[orders.asset_class]
        response = np.exp(-orders.elasticity[:, d] * np.maximum(cost, 0)) - 1
        wanted = np.where((orders.wedge[:, d] > 0) & (cost > 0), orders.phase[:, t] * response, 0.0)
        f = f + orders.speed[:, d] * (wanted - f)
        total = orders.path[:, t] @ orders.path_lines[:, :, d] + f @ orders.lines[:, :, d]
        leaving = total[CLASSES + 1] + dollar.outside[t, d]
        account.append(eta * sum(dollar.lags[t - 1 - u] * s[u] for u in range(max(0, t - LAGS), t)))
        absorbed_s += account[-1] * DT
        absorbed += (account[-1] + dollar.extra[0, d]) * DT
        pipeline = theta * (eta * sum(s) * DT - absorbed_s)
        rate = rho * dollar.differential[t, d]
        need, sold = 0.0, np.zeros(3)
        if dollar.pin_kind[d] == PIN_NONE:
            s.append((gamma * (leaving - absorbed - pipeline) - rate) / damping)
        else:
            s.append(dollar.pin[t, d])
        if dollar.pin_kind[d] == PIN_FLOW:
            need = (s[-1] * damping + rate) / gamma + pipeline + absorbed - leaving
            sold = np.minimum(need * targets.share[:, d], targets.capacity[:, d])
            total[: CLASSES + 1] -= sold @ targets.lines[:, :, d]
        z = z * decay + total[CLASSES] - before
        before = total[CLASSES]
        dy = -(long_run * before + gap * z)
        price = prices.per_order[:, d] * total[:CLASSES]
        equity = price[3]
        price[0] -= duration * dy
        for name, value in (
            ("fraction", f), ("sold", sold), ("needed", need), ("s", s[-1]), ("orders", total[:CLASSES]),
            ("current_account", account[-1]), ("position", leaving + need - absorbed), ("yield_10y", dy),
            ("equity", equity),
        ):
            found[name].append(value)
    return {name: np.array(value).T for name, value in found.items()}


@pytest.mark.parametrize("pinned", [False, True])
def test_recursion_equals_plain_numpy(pinned):
    inputs = make_inputs(pinned)
    out = run(inputs)
    for d in (0, 1, 2, ROW_DRAWS + 1, DRAWS - 1):
        for name, expected in plain(inputs, d).items():
            assert getattr(out, name)[..., d] == pytest.approx(expected, rel=1e-10, abs=1e-12), name


@pytest.mark.parametrize("pinned", [False, True])
def test_blocks_of_draws_change_no_bit(pinned):
    inputs = make_inputs(pinned)
    whole = run(inputs)
    parts = run(inputs, [(2 * ROW_DRAWS, DRAWS), (0, ROW_DRAWS), (ROW_DRAWS, 2 * ROW_DRAWS)])
    for one, other in zip(whole[:-1], parts[:-1], strict=True):
        assert np.array_equal(one, other) and not np.isnan(one).any()


def test_prices_without_the_ledger_are_the_same_bits():
    inputs = make_inputs(True)
    full, few = run(inputs), run(inputs, flows=False)
    for name in ("s", "yield_10y", "equity"):
        assert np.array_equal(getattr(full, name), getattr(few, name))
    assert np.array_equal(full.fraction[:, -1], few.fraction[:, 0])


def test_doubling_given_orders_doubles_everything_exactly():
    orders, targets, dollar, prices = make_inputs(False)
    alone = orders._replace(asset_class=orders.asset_class[:0], lines=orders.lines[:0])
    quiet = dollar._replace(outside=0 * dollar.outside, extra=0 * dollar.extra,
                            differential=0 * dollar.differential)
    one = run((alone, targets, quiet, prices))
    two = run((alone._replace(path=2 * alone.path), targets, quiet, prices))
    for name in ("s", "yield_10y", "equity", "current_account", "position", "orders"):
        assert np.array_equal(2 * getattr(one, name), getattr(two, name)) and getattr(one, name).any()


def test_sums_over_drivers():
    draw = np.random.default_rng(1).standard_normal
    moves, weights = draw((4, 7, 33)), draw((6, 33))
    rows, drivers = np.array([2, 0, 2, 1, 2, 0]), np.array([0, 3, 1, 1, 2, 0])
    out = np.zeros((3, 7, 33))
    combine(rows, drivers, weights, moves, out)
    expected = np.zeros_like(out)
    np.add.at(expected, rows, weights[:, None] * moves[drivers])
    assert out == pytest.approx(expected, rel=1e-13, abs=1e-13)


@pytest.mark.parametrize("own", [True, False])
def test_followers(own):
    draw = np.random.default_rng(2).standard_normal
    moves, loadings = draw((5, 6, 20)), draw((2, 3, 20 if own else 1))
    leaders, followers = np.array([0, 2, 4]), np.array([3, 1])
    before = moves.copy()
    follow(loadings, leaders, followers, moves)
    assert np.array_equal(moves[leaders], before[leaders])
    expected = np.einsum("ijd,jtd->itd", np.broadcast_to(loadings, (2, 3, 20)), before[leaders])
    assert moves[followers] == pytest.approx(expected, rel=1e-12, abs=1e-13)


def test_look_ahead():
    draw = np.random.default_rng(3).standard_normal
    path, weight, regime = draw((9, 40)), draw(40), np.arange(40) % 3
    regime[regime == 1] = 0  # a label nobody has
    out = np.empty((5, 40))
    look_ahead(path, 4, weight, regime, out)
    for label in (0, 2):
        here = regime == label
        expected = path[4:][:, here].mean(axis=1, keepdims=True)
        now = path[:5, here]
        assert out[:, here] == pytest.approx(now + weight[here] * (expected - now), rel=1e-12)
