"""Estimate the factor models at a date and show the coefficients (``riskengine estimate``)."""

from __future__ import annotations

from riskengine.data.catalog import default_as_of
from riskengine.data.configs import config_root
from riskengine.data.market_inputs import load_market_inputs
from riskengine.result import EstimationResult


def run_estimate(as_of: str | None = None) -> EstimationResult:
    """Estimate (or load the cached artefact of) both factor models and tabulate coefficients with standard errors."""
    from factors import estimate_models
    from factors.diagnostics import estimate_table

    day = as_of or default_as_of()
    return estimate_table(estimate_models(day, load_market_inputs(config_root() / "market_inputs.csv", day)))
