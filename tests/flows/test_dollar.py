"""The dollar module alone: check values of METHOD 13, stability of the look-through, the J-curve."""

from __future__ import annotations

import numpy as np
import pytest

from riskengine.flows.balance_of_payments import jcurve_response, jcurve_weights, look_through
from riskengine.flows.clearing import Clearing
from riskengine.flows.draws import ParameterDraws
from riskengine.flows.orders import HolderOrders
from riskengine.flows.propagation import PIN_FLOW, PIN_NONE, PinnedDollar, FlowPrices, run_recursion
from riskengine.flows.targets import no_sellers


def run_dollar(chain, outflow, dt, gamma=1.95, eta=0.9, pin=None):
    """Paths for dollars that leave directly; outflow : (T,) USD bn per step; gamma, eta scalar or (D,)."""
    gamma, eta = np.atleast_1d(gamma).astype(float), np.atleast_1d(eta).astype(float)
    count, steps = max(gamma.size, eta.size), outflow.size
    base = chain.few.values
    values = {name: np.full(count, float(np.median(x))) for name, x in base.items()}
    values["gamma_broad_per_gdp"] = np.broadcast_to(gamma, count)
    values["ca_per_10pct_depreciation"] = np.broadcast_to(eta, count)
    draws = ParameterDraws(values, np.zeros((count, 8)), np.full((count, 2), 0.5), True, chain.few.settings)
    orders = HolderOrders(outside=[("flow", np.repeat(np.cumsum(outflow)[None], count, axis=0))])
    zero = np.zeros(count)
    prices = FlowPrices(zero, zero, zero, np.zeros((count, 4)), zero)
    pinned = PinnedDollar(
        np.zeros((count, steps)) if pin is None else np.repeat(pin[None], count, axis=0),
        np.full(count, PIN_NONE if pin is None else PIN_FLOW), no_sellers(chain.accounts, draws),
    )
    return run_recursion(orders, Clearing((), {}, {}, np.zeros((2, 1, 4))), pinned, prices, chain.accounts, draws,
                         np.zeros((count, steps)), zero, dt)


@pytest.mark.parametrize("per_year", [52, 260])
def test_lasting_slowdown(chain, per_year):
    """650 USD bn a year less: s at the end of years 1, 3, 5 and in the limit x/(η GDP)."""
    s = 100 * run_dollar(chain, np.full(40 * per_year, 650 / per_year), 1 / per_year).s[0]
    at = [s[k * per_year - 1] for k in (1, 3, 5)]
    assert at == pytest.approx([3.93, 11.37, 16.53], abs=0.03)
    assert 100 * 650 / (0.09 * 32563) == pytest.approx(22.18, abs=0.01)
    assert s[-1] == pytest.approx(22.18, abs=0.03)


def test_one_off_outflow(chain):
    """1,000 USD bn over 13 weeks: level, peak and decay, and the current account five years on."""
    flow = np.zeros(40 * 52)
    flow[:13] = 1000 / 13
    paths = run_dollar(chain, flow, 1 / 52)
    s = 100 * paths.s[0]
    assert [s[12], s.max(), s[155], s[259]] == pytest.approx([6.00, 6.08, 5.14, 3.11], abs=0.03)
    assert (np.argmax(s) + 1) / 52 == pytest.approx(1.1, abs=0.05)
    assert paths.current_account[0, 259] == pytest.approx(151, abs=1)


def test_look_through_keeps_every_draw_stable(chain):
    """Undershoot at most 4% of the peak for γ from a third to eight times the centre, η over its band."""
    gamma, eta = (x.ravel() for x in np.meshgrid(1.95 * np.array([1 / 3, 1, 2, 4, 8]), [0.7, 0.9, 1.2]))
    flow = np.zeros(40 * 52)
    flow[:13] = 1000 / 13
    s = run_dollar(chain, flow, 1 / 52, gamma, eta).s
    assert (s.min(axis=1) >= -0.04 * s.max(axis=1)).all()


def test_look_through_is_zero_at_the_centre_and_leaves_the_limit():
    gdp = 32563.0
    assert look_through(np.array([1.95 / gdp]), np.array([0.09 * gdp]))[0] == 0.0
    assert look_through(np.array([4.9 / gdp]), np.array([0.09 * gdp]))[0] > 0.5


def test_look_through_leaves_the_limit(chain):
    s = run_dollar(chain, np.full(60 * 52, 650 / 52), 1 / 52, 4.9).s[0]
    assert s[-1] == pytest.approx(650 / (0.09 * 32563), rel=2e-3)


def test_pinning_the_dollar_returns_the_flow_that_made_it(chain):
    """Inverse of the module: the path of a flow, pinned, needs exactly that flow."""
    flow = np.full(104, 400 / 52)
    free = run_dollar(chain, flow, 1 / 52, 4.0)
    back = run_dollar(chain, np.zeros(104), 1 / 52, 4.0, pin=free.s[0])
    assert back.needed[0] == pytest.approx(np.cumsum(flow), rel=1e-9)


def test_jcurve():
    assert jcurve_response(np.array([0, 0.25, 0.5, 1, 2, 3, 9])) == pytest.approx(
        [0, -0.075, -0.15, 0, 0.5, 1, 1])
    for dt in (1 / 260, 1 / 52):
        assert jcurve_weights(dt).sum() == pytest.approx(1.0, abs=1e-12)


def test_kernel_equals_a_plain_recursion(chain):
    """The compiled recursion against twenty lines of NumPy."""
    dt, gdp = 1 / 52, chain.accounts.gdp
    flow = np.random.default_rng(3).normal(10, 20, 200)
    gamma, eta_gdp = 4.9 / gdp, 0.12 * gdp
    theta = max(0.0, 1 - 0.19 / (gamma * eta_gdp))
    weights = jcurve_weights(dt)
    s, out, absorbed, total = np.zeros(200), 0.0, 0.0, 0.0
    for t in range(200):
        out += flow[t]
        lags = min(t, weights.size)
        account = eta_gdp * sum(weights[k] * s[t - 1 - k] for k in range(lags))
        absorbed += account * dt
        s[t] = gamma * (out - absorbed - theta * (eta_gdp * total - absorbed))
        total += s[t] * dt
    assert run_dollar(chain, flow, dt, 4.9, 1.2).s[0] == pytest.approx(s, rel=1e-10, abs=1e-14)
