"""Price impact of orders: the propagators of every asset class (METHOD 4).

    Treasury            dy = −Σ_u G(t−u) X[u]/Cap,   G(τ) = long_run + (impact − long_run) 2^(−τ/half-life)
    agency, corporate   dlogP = X/(ε Cap)
    equity              dlogP = M X/Cap

The propagator form is that of Bouchaud et al. (2004); impact and long run are those of Beltran et al. (2013).
"""

from __future__ import annotations

import numpy as np

from riskengine.base.axes import ASSET_CLASSES
from riskengine.flows.draws import ParameterDraws
from riskengine.flows.external_accounts import ExternalAccounts
from riskengine.flows.propagation import FlowPrices

LINEAR_ORDERS = 0.10
"""Orders beyond this share of a market's capitalisation lie outside the range of the estimates."""


def flow_prices(
    accounts: ExternalAccounts, draws: ParameterDraws, dt: float, flow_channel: bool = True,
    risk_off: bool = False
) -> FlowPrices:
    """Propagators per USD bn of orders, made once per kind.

    flow_channel False: orders do not move yields (the claim that only expected policy does).  risk_off:
    dealers impaired, the impact part is multiplied, the long run is not.
    """
    return draws.derive(
        ("propagators", dt, flow_channel, risk_off),
        lambda: _flow_prices(accounts, draws, dt, flow_channel, risk_off), accounts)


def _flow_prices(
    accounts: ExternalAccounts, draws: ParameterDraws, dt: float, flow_channel: bool, risk_off: bool
) -> FlowPrices:
    cap = accounts.capitalisation
    # bp per 1% of outstanding → yield per unit fraction: 20 bp / 1% = 0.0020 / 0.01 = 0.20
    impact = draws["ust_impact_per_1pct_outstanding"] * 1e-4 / 0.01 / cap[0]
    long_run = impact * np.minimum(draws["ust_longrun_ratio"], 1.0)
    if risk_off:
        impact = impact * draws["dealer_impaired_multiplier"]
    duration = draws["duration_treasury"]
    if not flow_channel:
        impact, long_run = np.zeros_like(impact), np.zeros_like(long_run)
    elasticity = draws["ltdebt_demand_elasticity"]
    per_order = np.zeros((len(ASSET_CLASSES), draws.count))
    for a, name in enumerate(ASSET_CLASSES):
        if name in ("agency", "corporate"):
            per_order[a] = 1.0 / (elasticity * cap[a])
        elif name == "equity":
            per_order[a] = draws["equity_multiplier"] / cap[a]
    return FlowPrices(impact, long_run, 2.0 ** (-dt / draws["propagator_half_life"]), per_order.T, duration)


def implied_treasury_elasticity(impact_bp: float = 20.0, ratio: float = 0.30, duration: float = 6.0) -> float:
    """Market elasticity behind the long-run impact, 1/(long-run yield × duration per 1% of outstanding): 2.8
    at the default, which agrees with demand estimates of 3.2 (2.8–3.6)."""
    return 0.01 / (impact_bp * ratio * 1e-4 * duration)
