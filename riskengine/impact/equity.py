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
from riskengine.impact.moves import Term
from riskengine.market import MarketSnapshot

INDEX = "SP500"
REITS = "LISTED_REAL_ESTATE"


def policy_path_beta(model: FactorModel) -> float:
    """Index return per 1.00 of the 2-year yield, from the model's long-run covariance."""
    k, j = FACTORS.index(f"EQ_{INDEX}"), FACTORS.index("UST_2Y")
    return float(model.correlation[k, j] * model.vol_long_run[k] / model.vol_long_run[j])


def equity_terms(draws: ParameterDraws, snapshot: MarketSnapshot, model: FactorModel) -> tuple[Term, ...]:
    """Terms of the index, every basket and listed real estate.

    Drivers: 'equity_orders' M X/Cap; 'dollar' the broad dollar; 'flow_10y' the flow channel of the 10-year;
    'path_2y', 'path_10y' the policy path of the 2- and 10-year.
    """
    return draws.derive("equity", lambda: _equity_terms(draws, snapshot, model), snapshot, model)


def _equity_terms(draws: ParameterDraws, snapshot: MarketSnapshot, model: FactorModel) -> tuple[Term, ...]:
    one = np.ones(draws.count)
    reference = draws["revenue_share_reference"]
    translation = draws["eps_per_10pct_usd_fall"] / 10.0  # per unit of s, at the reference revenue share
    home = market_input(snapshot, f"foreign_revenue_share.{INDEX}")
    # lambda: % per 100 bp = log per 1.00 of yield
    index = (("flow", "equity_orders", one), ("earnings", "dollar", translation * (home / reference)),
             ("term_premium", "flow_10y", -draws["equity_flow_term_premium"]),
             ("policy_path", "path_2y", policy_path_beta(model) * one))
    terms: list[Term] = []
    for name in EQUITIES:
        k = FACTORS.index(f"EQ_{name}")
        loading = one
        if name == REITS:
            loading = draws["reit_beta_spx"]
            slope = draws["reit_per_100bp_10y"]  # % per 100 bp = log per 1.00
            terms += [Term(k, "term_premium", "flow_10y", slope), Term(k, "policy_path", "path_10y", slope)]
        elif name != INDEX:
            loading = index_loading(name, snapshot, model) * one
            abroad = market_input(snapshot, f"foreign_revenue_share.{name}") - home
            imported = market_input(snapshot, f"imported_cost_share.{name}")
            terms.append(Term(k, "earnings", "dollar", translation * (abroad - imported) / reference))
        terms += [Term(k, channel, driver, loading * weight) for channel, driver, weight in index]
    return tuple(terms)


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
