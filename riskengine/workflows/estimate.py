"""Estimate the factor models and every sensitivity at a date, tabulate, save, compare with the last estimate.

    out/<as_of>/estimate.html             the page
    out/<as_of>/sensitivities.json        the artefact: prior, data, posterior, checks (data.sensitivities)
    out/<as_of>/sensitivities.parquet     the table, one row per coefficient and per exclusion; .csv the same
    out/<as_of>/projections.parquet, quantiles.parquet
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from riskengine.base.errors import InputError, Problem
from riskengine.base.sensitivity import Exclusion, Sensitivities, Sensitivity
from riskengine.data.catalog import default_as_of
from riskengine.data.configs import config_root
from riskengine.data.market_inputs import load_market_inputs
from riskengine.data.parameters import load_parameters
from riskengine.data.priors import load_priors
from riskengine.data.selection import active_store
from riskengine.data.sensitivities import NAME, cached_path, previous_estimate, save_sensitivities
from riskengine.factor_model import FactorModel
from riskengine.result import EstimationResult


@dataclass(frozen=True, slots=True)
class EstimateOutcome:
    """Models, sensitivities, the last estimate (None: the first one), the structural check, where it is
    saved.

    structural : a StructuralCheck; the reason where the book could not be priced; None when not asked for.
    """

    models: dict[str, FactorModel]
    table: EstimationResult
    found: Sensitivities
    previous: Sensitivities | None
    structural: Any
    folder: Path | None


def run_estimate(as_of: str | None = None) -> EstimationResult:
    """Estimate (or load the cached artefact of) both factor models and tabulate coefficients with standard
    errors."""
    from factors.diagnostics import estimate_table

    return estimate_table(_models(as_of or default_as_of()))


def run_sensitivities(as_of: str | None = None) -> Sensitivities:
    """Every sensitivity as of *as_of* on the active data store, with its priors."""
    from factors.sensitivities import estimate_sensitivities

    day = as_of or default_as_of()
    return estimate_sensitivities(day, load_priors(load_parameters()), active_store())


def estimate_all(
    as_of: str | None = None, out: Path | None = None, structural: bool = True,
    step: Callable[[str], None] | None = None,
) -> EstimateOutcome:
    """Estimate everything on the active data store; with *out*, write the page, the artefact and the tables.

    structural : run the structural check too (shipped book, few paths).  step : told the name of each stage.
    InputError when *out* cannot be written.
    """
    from factors.diagnostics import estimate_table

    say = step or (lambda _name: None)
    day = as_of or default_as_of()
    say("models")
    models = _models(day)
    say("sensitivities")
    found = run_sensitivities(day)
    previous = previous_estimate(out, day, found) if out is not None else None
    check: Any = None
    if structural:
        from riskengine.workflows.structural import structural_check

        say("structural")
        try:
            check = structural_check(found)
        except InputError as error:  # estimates may reach back to days without a market to price the book
            check = str(error)
    outcome = EstimateOutcome(models, estimate_table(models), found, previous, check,
                              out / day if out is not None else None)
    try:
        save_sensitivities(found, cached_path(day, found.data_version))
    except OSError:
        pass  # the cache is a convenience; the output folder below is not
    if out is not None:
        say("report")
        _write(outcome)
    return outcome


def table_rows(found: Sensitivities) -> list[dict[str, Any]]:
    """The table: one record per coefficient, then one per exclusion with its reason; missing numbers are
    None."""
    return [_row(r) for r in found.rows] + [_excluded(e) for e in found.exclusions]


def _models(day: str) -> dict[str, FactorModel]:
    from factors import estimate_models

    return estimate_models(day, load_market_inputs(config_root() / "market_inputs.csv", day))


def _row(r: Sensitivity) -> dict[str, Any]:
    p, s = r.prior, r.stability
    return {
        "id": r.id, "group": r.group, "dependent": r.dependent, "regressor": r.regressor, "dollar": r.dollar,
        "unit": r.unit, "prior": p.value if p else None, "prior_se": p.se if p else None, "data": r.estimate,
        "data_se": r.se, "posterior": r.posterior, "posterior_se": r.posterior_se, "conflict": r.conflict,
        "engine": r.engine, "used_as": r.used_as, "lag": r.lag, "first": r.first, "last": r.last, "n": r.n,
        "r2": r.r2, "method": r.method, "identified": r.identified, "sup_f": s.sup_f if s else None,
        "sup_f_critical_5": s.critical_5 if s else None, "break_date": s.break_date if s else None,
        "cusum_p": s.cusum_p if s else None, "without_influential": s.without_influential if s else None,
        "influential_date": s.influential_date if s else None, "prior_source": p.source if p else None,
        "prior_mark": p.tag if p else None, "prior_overlaps": p.overlaps if p else None, "note": r.note,
        "excluded": None, "needs": None,
    }


_EMPTY: dict[str, Any] = dict.fromkeys((
    "dependent", "regressor", "dollar", "unit", "prior", "prior_se", "data", "data_se", "posterior",
    "posterior_se",
    "conflict", "engine", "used_as", "lag", "first", "last", "n", "r2", "method", "identified", "sup_f",
    "sup_f_critical_5",
    "break_date", "cusum_p", "without_influential", "influential_date", "prior_source", "prior_mark",
    "prior_overlaps", "note"))


def _excluded(e: Exclusion) -> dict[str, Any]:
    return {"id": e.id, "group": e.group, **_EMPTY, "excluded": e.reason, "needs": e.needs or None}


def _write(outcome: EstimateOutcome) -> None:
    from riskengine.reports.estimation import render_estimation

    folder, found = outcome.folder, outcome.found
    assert folder is not None
    page = render_estimation(found, outcome.previous, outcome.structural,
                             [row for m in outcome.models.values() for row in m.diagnostics])
    rows = pl.DataFrame(table_rows(found), infer_schema_length=None)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        save_sensitivities(found, folder / NAME)
        rows.write_parquet(folder / "sensitivities.parquet")
        rows.write_csv(folder / "sensitivities.csv")
        for name, records in (("projections", _projection_rows(found)), ("quantiles", _quantile_rows(found))):
            if records:
                pl.DataFrame(records, infer_schema_length=None).write_parquet(folder / f"{name}.parquet")
        temporary = folder / ".estimate.html"
        temporary.write_text(page, encoding="utf-8")
        os.replace(temporary, folder / "estimate.html")
    except OSError as error:
        raise InputError(Problem(f"the output folder cannot be written: {error.strerror}", field="--out",
                                 got=str(folder))) from None


def _projection_rows(found: Sensitivities) -> list[dict[str, Any]]:
    return [{"id": p.id, "response": p.response, "impulse": p.impulse, "holders": p.holders, "unit": p.unit,
             "horizon_months": h, "beta": p.beta[i], "se": p.se[i], "lag": p.lags[i], "n": p.n[i],
             "first": p.first, "last": p.last, "controls": p.controls}
            for p in found.projections for i, h in enumerate(p.horizons)]


def _quantile_rows(found: Sensitivities) -> list[dict[str, Any]]:
    return [{"id": q.id, "dependent": q.dependent, "regressor": q.regressor, "dollar": q.dollar,
             "unit": q.unit,
             "tau": tau, "beta": q.beta[i], "se": q.se[i], "ols": q.ols, "ols_se": q.ols_se, "n": q.n,
             "first": q.first, "last": q.last}
            for q in found.quantiles for i, tau in enumerate(q.taus)]
