"""How are factors without a daily history built from those with one?

    x = Λ x_S + ε,   Σ = Λ Σ_S Λ' + Ψ

    EQ_EXPORTERS …          loading.X.SP500 · EQ_SP500 + residual_vol.EQ_X
    EQ_LISTED_REAL_ESTATE   loading.….SP500 · EQ_SP500 + loading.….UST_10Y · UST_10Y + residual
    CAP_p                   −c_p (b_eq EQ_SP500 + u) + λ β_p UST_10Y + residual_vol.CAP_p
    HOME_m                  h_eq EQ_SP500 + h_10 UST_10Y + v + residual_vol.HOME_m   (HOME_NATIONAL: none)

c_p cap rate; u, v national components of commercial and house prices (the variance chosen in
factors.property_volatility less what the loadings explain), common to all types and all metros, so that types
and metros are neither one factor nor independent.
β_p: published pass-through of the 10-year yield into cap rates over 12–18 months (CBRE); λ =
posterior mean pass-through / mean β_p: reduced-form co-movement in the data (growth raises yields and
values alike) pulls it down from the published long-run value, which the impact room keeps for scenarios.
Noise is a reduced form, impact is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from factors.definitions import STATISTICAL_FACTORS
from factors.real_estate import NationalProperty
from factors.shrinkage import Posterior, combine
from riskengine.base.axes import FACTORS, METROS, PROPERTY_TYPES
from riskengine.base.errors import InputError, Problem
from riskengine.base.units import BUSINESS_DAYS_PER_YEAR
from riskengine.market import MarketInput

BASKETS = ("EXPORTERS", "IMPORTERS", "DOMESTIC", "LISTED_REAL_ESTATE")
METRO_RESIDUALS = tuple(m for m in METROS if m != "NATIONAL")
REQUIRED_INPUTS = (
    tuple(f"loading.{b}.SP500" for b in BASKETS) + ("loading.LISTED_REAL_ESTATE.UST_10Y",)
    + tuple(f"residual_vol.EQ_{b}" for b in BASKETS)
    + tuple(f"cap_rate.{p}" for p in PROPERTY_TYPES)
    + tuple(f"loading.CAP_{p}.UST_10Y" for p in PROPERTY_TYPES)
    + tuple(f"residual_vol.CAP_{p}" for p in PROPERTY_TYPES)
    + tuple(f"residual_vol.HOME_{m}" for m in METRO_RESIDUALS)
)
"""Rows of market inputs without which the derived factors cannot be built."""
OPTIONAL_INPUTS = ("loading.VOL_EQUITY.SP500", "residual_vol.VOL_EQUITY", "residual_vol.VOL_FX")
"""Stated scales the estimated VOL_* factors are checked against."""


@dataclass(frozen=True, slots=True)
class Structure:
    """Λ (K, N_S) on the factors with a daily history, Ψ (K, K) annual residual covariance, pass-through of
    the 10-year."""

    loadings: np.ndarray
    residual: np.ndarray
    pass_through: Posterior


def require_inputs(inputs: Mapping[str, MarketInput]) -> dict[str, float]:
    """Values of REQUIRED_INPUTS; InputError naming every missing one, residual volatilities positive."""
    missing = [name for name in REQUIRED_INPUTS if name not in inputs]
    problems = [Problem("market input is missing", field=name) for name in missing]
    for name in REQUIRED_INPUTS:
        if name in inputs and name.startswith(("residual_vol", "cap_rate")) and not inputs[name].value > 0:
            problems.append(Problem("must be positive", field=name, got=str(inputs[name].value)))
    if problems:
        raise InputError(problems)
    return {name: float(inputs[name].value) for name in REQUIRED_INPUTS}


def build_structure(inputs: Mapping[str, MarketInput], national: Mapping[str, NationalProperty],
                    annual_covariance: np.ndarray, labels: tuple[str, ...] = STATISTICAL_FACTORS
                    ) -> Structure:
    """Λ and Ψ.  annual_covariance : (2, 2) of (EQ_SP500, UST_10Y), long-run, annualised.  labels : factors
    with a daily history; a basket among them (imported sectors) is itself, without loadings or residual."""
    value = require_inputs(inputs)
    k, n = len(FACTORS), len(labels)
    column = {label: i for i, label in enumerate(labels)}
    spx, ten = column["EQ_SP500"], column["UST_10Y"]
    load, residual = np.zeros((k, n)), np.zeros((k, k))
    for label, i in column.items():
        load[FACTORS.index(label), i] = 1.0

    for basket in (b for b in BASKETS if f"EQ_{b}" not in column):
        i = FACTORS.index(f"EQ_{basket}")
        load[i, spx] = value[f"loading.{basket}.SP500"]
        residual[i, i] = value[f"residual_vol.EQ_{basket}"] ** 2
    if "EQ_LISTED_REAL_ESTATE" not in column:
        load[FACTORS.index("EQ_LISTED_REAL_ESTATE"), ten] = value["loading.LISTED_REAL_ESTATE.UST_10Y"]

    commercial = national["commercial"]
    caps = np.array([value[f"cap_rate.{p}"] for p in PROPERTY_TYPES])
    betas = np.array([value[f"loading.CAP_{p}.UST_10Y"] for p in PROPERTY_TYPES])
    errors = [inputs[f"loading.CAP_{p}.UST_10Y"].se for p in PROPERTY_TYPES]
    if any(e is None or not e > 0 for e in errors):
        raise InputError(Problem("cap-rate loadings need a positive standard error",
                                 field="loading.CAP_*.UST_10Y"))
    posterior = combine(float(betas.mean()), float(np.mean(errors)), -caps.mean() * commercial.rate_loading,
                        caps.mean() * commercial.se_rate)
    rows = FACTORS.indices(f"CAP_{p}" for p in PROPERTY_TYPES)
    load[rows, spx] = -caps * commercial.equity_loading
    load[rows, ten] = betas * posterior.value / betas.mean()
    rate_loading = -posterior.value / caps.mean()
    u = commercial.residual_variance(commercial.equity_loading, rate_loading, annual_covariance)
    residual[np.ix_(rows, rows)] += np.outer(caps, caps) * u
    for i, p in zip(rows, PROPERTY_TYPES, strict=True):
        residual[i, i] += value[f"residual_vol.CAP_{p}"] ** 2

    home = national["home"]
    rows = FACTORS.indices(f"HOME_{m}" for m in METROS)
    load[rows, spx], load[rows, ten] = home.equity_loading, home.rate_loading
    v = home.residual_variance(home.equity_loading, home.rate_loading, annual_covariance)
    residual[np.ix_(rows, rows)] += v
    for i, m in zip(rows, METROS, strict=True):
        if m != "NATIONAL":
            residual[i, i] += value[f"residual_vol.HOME_{m}"] ** 2
    return Structure(load, residual, posterior)


def assemble(structure: Structure, correlation: np.ndarray, vol: np.ndarray, step_days: int) -> np.ndarray:
    """(K, K) covariance per step from the statistical block's correlation (N_S, N_S) and vol (N_S,) per
    step."""
    block = correlation * np.outer(vol, vol)
    per_step = structure.residual * (step_days / BUSINESS_DAYS_PER_YEAR)
    cov = structure.loadings @ block @ structure.loadings.T + per_step
    return 0.5 * (cov + cov.T)
