"""The page of the laboratory: prior, data and posterior of every sensitivity, how far each holds, what it
costs.

``render_estimation`` fills ``templates/estimation.html``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from riskengine.base.sensitivity import Sensitivities, Sensitivity
from riskengine.reports import formats
from riskengine.reports.charts import figure
from riskengine.reports.charts.estimates import (
    ForestRow, coefficient_path, forest, quantile_plot, realised_and_fitted, response,
)
from riskengine.reports.estimation_tables import (
    CHARTED_UNITS, GROUP_NAMES, changes_table, elasticity_table, engine_table, exclusion_table,
    influence_table,
    outcome_tables, full_name, projection_table, sensitivity_table, short_name, single_table,
)
from riskengine.reports.html_table import Table, from_mixed_records
from riskengine.reports.page import render_page

MOST_PATHS = 30
"""Coefficient paths drawn: the engine's elasticities first, then the strongest breaks."""


def render_estimation(
    found: Sensitivities, previous: Sensitivities | None, structural: Any, diagnostics: Sequence[Mapping],
) -> str:
    """The page of one estimate.

    previous : the estimate to compare with, None for the first.  structural : a structural check, the reason
    why there is none, or None.  diagnostics : rows of the factor models.
    """
    sections = [("overview", "Overview"), ("sensitivities", "Prior, data, posterior"),
                ("stability", "Stability"),
                ("fit", "Realised and fitted"), ("flows", "Flows: local projections"),
                ("tails", "Tails: quantiles"),
                ("volatility", "Volatility and correlation"), ("structural", "Structural check"),
                ("changes", "Since the last estimate"), ("excluded", "Not estimated")]
    return render_page(
        "estimation.html", found=found, contents=sections, figures=_figures(found), groups=_groups(found),
        engine=engine_table(found), paths=_paths(found), influence=influence_table(found), fits=_fits(found),
        responses=_responses(found), projections=projection_table(found), quantiles=_quantiles(found),
        diagnostics=_diagnostics(diagnostics), check=_check(structural),
        changes=changes_table(found, previous),
        previous=previous, excluded=exclusion_table(found),
        unidentified=[r for r in found.rows if not r.identified
                                                                          and r.used_as])


def _figures(found: Sensitivities) -> list[tuple[str, str, str]]:
    tested = [r for r in found.rows if r.stability is not None and r.stability.sup_f is not None]
    priors = [r for r in found.rows if r.prior is not None]
    apart = [r for r in priors if r.conflict is not None and r.conflict > 2]
    return [
        ("Coefficients", str(len(found.rows)), f"{len(found.exclusions)} more asked for, not estimated"),
        ("With a published value", str(len(priors)),
         f"{sum(r.prior.overlaps for r in priors if r.prior)} of them from overlapping data"),
        ("Prior and data apart", str(len(apart)), "by more than 2 standard errors"),
        ("Break in the sample", f"{sum(r.stability.breaks for r in tested if r.stability)} of {len(tested)}",
         "sup-F beyond its 5% value"),
        ("Used by the engine", str(sum(bool(r.used_as) for r in found.rows)), "the rest are diagnostics"),
    ]


def _groups(found: Sensitivities) -> list[tuple[str, str, list[Markup], Table]]:
    out = []
    for group, (heading, words) in GROUP_NAMES.items():
        rows = [r for r in found.rows if r.group == group]
        if not rows:
            continue
        drawings = []
        for unit in dict.fromkeys(r.unit for r in rows):
            same = [r for r in rows if r.unit == unit]
            charted = [r for r in same if r.prior is not None] if unit in CHARTED_UNITS else same
            if not charted:
                continue
            drawings.append(figure(f"{heading}: {unit}", "68% and 90% intervals", forest(
                [_forest_row(r) for r in charted], f"{heading}, {unit}", unit, _decimals(charted)),
                "coefficients with a published value" if len(charted) < len(same) else ""))
        out.append((heading, words, drawings, sensitivity_table(rows, heading)))
    return out


def _forest_row(r: Sensitivity) -> ForestRow:
    prior = (r.prior.value, r.prior.se) if r.prior else None
    return ForestRow(short_name(r),
                     (prior, (r.estimate, r.se), (r.posterior, r.posterior_se) if r.prior else None))


def _decimals(rows: Sequence[Sensitivity]) -> int:
    largest = max(abs(r.posterior) for r in rows)
    return 1 if largest >= 10 else 2


def _paths(found: Sensitivities) -> list[Markup]:
    with_path = [r for r in found.rows if r.stability is not None and r.stability.rolling]
    used = sorted((r for r in with_path if r.used_as),
                  key=lambda r: (r.group == "currencies", r.group == "rates"))
    rest = sorted((r for r in with_path if not r.used_as),
                  key=lambda r: -(r.stability.sup_f or 0.0))  # type: ignore[union-attr]
    out = []
    for r in [*used, *rest][:MOST_PATHS]:
        s = r.stability
        assert s is not None
        words = f"sup-F {formats.number(s.sup_f, 1)} (5%: {formats.number(s.critical_5, 2)})" + (
            f", break after {s.break_date[:7]}" if s.breaks else ", no break")
        out.append(figure(full_name(r), r.unit, coefficient_path(
            s.rolling_dates, s.rolling, s.rolling_se, f"{r.dependent} on {r.regressor}", r.unit, r.estimate,
            r.posterior if r.prior else None, s.break_date if s.breaks else ""),
            f"windows of {s.window} observations · {words}"))
    return out


def _fits(found: Sensitivities) -> list[Markup]:
    out = []
    for r in found.rows:
        if r.fitted is not None:
            f = r.fitted
            out.append(figure(full_name(r), f.unit, realised_and_fitted(
                f.dates, f.realised, f.fitted, f"{r.dependent}: realised, fitted, residual", f.unit),
                f"R² {formats.number(r.r2, 2)}, {r.n} observations, {r.first[:7]} … {r.last[:7]}"))
    return out


def _responses(found: Sensitivities) -> list[tuple[str, list[Markup]]]:
    out = []
    for words in dict.fromkeys(p.response for p in found.projections):
        drawings = [figure(f"{p.holders}", f"{p.unit} per 1%", response(
            p.horizons, p.beta, p.se, f"{p.response} after {p.impulse}", f"{p.unit} per 1%"),
            f"{p.impulse} · {p.first[:7]} … {p.last[:7]}, {p.n[0]} months")
            for p in found.projections if p.response == words]
        out.append((words, drawings))
    return out


def _quantiles(found: Sensitivities) -> list[Markup]:
    return [figure(f"{q.dependent} on the {q.regressor}", q.unit, quantile_plot(
        q.taus, q.beta, q.se, q.ols, q.ols_se, f"{q.dependent} on the {q.regressor} by quantile", q.unit),
        f"{q.n} weeks, {q.first} … {q.last}, both regressors together") for q in found.quantiles]


def _diagnostics(rows: Sequence[Mapping]) -> list[Table]:
    keep = [dict(r) for r in rows if r.get("kind") in ("factor", "model")]
    seen: dict[str, dict] = {}
    for r in keep:  # daily and weekly models print the same factors: the first, daily, stands
        if r["kind"] == "model":  # shares, counts and degrees of freedom in one column
            r["estimate"], r["se"] = formats.significant(r.get("estimate")), formats.significant(r.get("se"))
        seen.setdefault(f"{r['kind']}:{r.get('factor') or r.get('name')}", r)
    return from_mixed_records(list(seen.values()), "Factor models")


def _check(structural: Any) -> dict[str, Any] | None:
    if structural is None:
        return None
    if isinstance(structural, str):
        return {"reason": structural}
    return {"reason": "", "elasticities": elasticity_table(structural),
            "outcomes": outcome_tables(structural),
            "single": single_table(structural), "missing": structural.missing, "book": structural.book,
            "paths": f"{structural.paths:,}"}
