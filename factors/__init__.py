"""The laboratory: the only place with statsmodels and arch; estimates the factor models, draws nothing.

    estimate_models(as_of, inputs) -> {'daily': FactorModel, 'weekly': FactorModel}
    estimate_table(models) -> EstimationResult
"""

from __future__ import annotations

__all__ = ["estimate_models", "estimate_table"]


def __getattr__(name: str):
    if name == "estimate_models":
        from factors.estimation import estimate_models

        return estimate_models
    if name == "estimate_table":
        from factors.diagnostics import estimate_table

        return estimate_table
    raise AttributeError(f"module 'factors' has no attribute {name!r}")
