"""Equity: the index by channel, baskets, listed real estate (METHOD 7).

    index    = M X/Cap + 0.25 s (revenue share/0.28) − λ dTP (+ estimated beta × policy path)
    basket i = b_i × index + 0.25 s (rev_i − rev_index − imported costs_i)/0.28
    REITs    = 0.97 × index − 4.7% per 100 bp of the 10-year

Dollar–equity betas are diagnostics and never added on top.  Channels: flow, earnings, term_premium,
policy_path.
"""

from __future__ import annotations

import numpy as np

from riskengine.base.axes import EQUITIES, FACTORS
from riskengine.base.errors import InputError, Problem
from riskengine.factor_model import FactorModel
from riskengine.flows.draws import ParameterDraws
from riskengine.market import MarketSnapshot

INDEX = "SP500"
REITS = "LISTED_REAL_ESTATE"
CHANNELS = ("flow", "earnings", "term_premium", "policy_path")


def policy_path_beta(model: FactorModel) -> float:
    """Index return per 1.00 of the 2-year yield, from the model's long-run covariance."""
    k, j = FACTORS.index(f"EQ_{INDEX}"), FACTORS.index("UST_2Y")
    return float(model.correlation[k, j] * model.vol_long_run[k] / model.vol_long_run[j])


def equity_index(
    flow: np.ndarray, s: np.ndarray, premium_10y: np.ndarray, path_2y: np.ndarray, draws: ParameterDraws,
    snapshot: MarketSnapshot, model: FactorModel,
) -> dict[str, np.ndarray]:
    """Index by channel, each (D, T) log.

    flow : M X/Cap.  s : broad dollar.  premium_10y : flow-channel 10-year.  path_2y : policy path of the
    2-year.
    """
    translation = draws["eps_per_10pct_usd_fall"] / 10.0  # per unit of s, at the reference revenue share
    share = market_input(snapshot, f"foreign_revenue_share.{INDEX}") / draws["revenue_share_reference"]
    # lambda: % per 100 bp = log per 1.00 of yield
    return {
        "flow": flow,
        "earnings": (translation * share)[:, None] * s,
        "term_premium": -draws["equity_flow_term_premium"][:, None] * premium_10y,
        "policy_path": policy_path_beta(model) * path_2y,
    }


def equity_responses(
    index: dict[str, np.ndarray], s: np.ndarray, flow_10y: np.ndarray, path_10y: np.ndarray,
    draws: ParameterDraws,
    snapshot: MarketSnapshot, model: FactorModel,
) -> dict[str, dict[str, np.ndarray]]:
    """factor label → channel → (D, T) log return, for every index and basket."""
    reference = draws["revenue_share_reference"]
    translation = draws["eps_per_10pct_usd_fall"] / 10.0
    home = market_input(snapshot, f"foreign_revenue_share.{INDEX}")
    responses: dict[str, dict[str, np.ndarray]] = {}
    for name in EQUITIES:
        if name == INDEX:
            responses[f"EQ_{name}"] = dict(index)
            continue
        if name == REITS:
            beta = draws["reit_beta_spx"][:, None]
            own = {channel: beta * index[channel] for channel in CHANNELS}
            slope = draws["reit_per_100bp_10y"][:, None]  # % per 100 bp = log per 1.00
            own["term_premium"] = own["term_premium"] + slope * flow_10y
            own["policy_path"] = own["policy_path"] + slope * path_10y
            responses[f"EQ_{name}"] = own
            continue
        loading = index_loading(name, snapshot, model)
        abroad = market_input(snapshot, f"foreign_revenue_share.{name}") - home
        imported = market_input(snapshot, f"imported_cost_share.{name}")
        own = {channel: loading * index[channel] for channel in CHANNELS}
        own["earnings"] = own["earnings"] + (translation * (abroad - imported) / reference)[:, None] * s
        responses[f"EQ_{name}"] = own
    return responses


def index_loading(name: str, snapshot: MarketSnapshot, model: FactorModel) -> float:
    """b_i: the row ``loading.<name>.SP500`` of the market inputs, else the model's own beta for a quoted
    index."""
    if name == "NASDAQ" and f"loading.{name}.{INDEX}" not in snapshot.inputs:
        k, j = FACTORS.index(f"EQ_{name}"), FACTORS.index(f"EQ_{INDEX}")
        return float(model.correlation[k, j] * model.vol_long_run[k] / model.vol_long_run[j])
    return market_input(snapshot, f"loading.{name}.{INDEX}")


def market_input(snapshot: MarketSnapshot, key: str) -> float:
    """Value of a market input; InputError when it is missing."""
    row = snapshot.inputs.get(key)
    if row is None:
        raise InputError(Problem("missing market input", file="market_inputs.csv", field=key))
    return float(row.value)
