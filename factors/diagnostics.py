"""What was estimated, on what, how well? Plain rows for the report and the table of ``riskengine estimate``.

Three kinds of rows: 'factor' (volatility, history, tests of one factor), 'coefficient' (name, estimate,
standard error, unit, sample, R², method) and 'model' (degrees of freedom, shrinkage, windows …).  Ljung–Box
tests on z and z² (10 lags) say whether the filter left anything behind; a small p means it did.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from scipy.stats import chi2

from factors.definitions import HAC_LAGS_MONTHLY, LONG_HORIZON_QUARTERS, SECTOR_BASKETS
from riskengine.base.axes import CURRENCIES, FACTORS, KEY_RATES, factor_unit
from riskengine.base.units import BUSINESS_DAYS_PER_YEAR
from riskengine.factor_model import FactorModel
from riskengine.result import EstimationResult

LJUNG_BOX_LAGS = 10
HAC = f"OLS, Newey–West ({HAC_LAGS_MONTHLY})"


def estimate_table(models: Mapping[str, FactorModel]) -> EstimationResult:
    """Coefficients once and the model-level estimates of each model, rows with keys model, name, estimate,
    se, unit, sample, r2, method."""
    rows: list[dict] = []
    for name, model in models.items():
        for row in model.diagnostics:
            keep = {k: row.get(k) for k in ("name", "estimate", "se", "unit", "sample", "r2", "method")}
            if row["kind"] == "coefficient" and not rows_have(rows, row["name"]):
                rows.append({"model": "both", **keep})
            elif row["kind"] == "model" and row.get("estimate") is not None:
                rows.append({"model": name, **keep, "sample": model.sample})
    return EstimationResult(rows=tuple(rows))


def rows_have(rows: list[dict], name: str) -> bool:
    """A coefficient of that name is already in the table."""
    return any(r["model"] == "both" and r["name"] == name for r in rows)


def coefficient_rows(betas, paths, regressions, national, reversion) -> list[dict]:
    """Rows of the regressions: currency betas, path betas, non-core loadings, mean reversion, property."""
    rows = []
    for currency, fit in zip(CURRENCIES, betas, strict=True):
        rows.append(_row(f"currency beta {currency}", fit.slopes[0], fit.errors[0],
                         "× broad dollar depreciation", fit.sample, fit.r2, fit.observations, HAC))
    for tenor, fit in zip(KEY_RATES, paths, strict=True):
        rows.append(_row(f"path beta {tenor}", fit.slopes[0], fit.errors[0], "× 2-year", fit.sample, fit.r2,
                         fit.observations, HAC))
    names = {"EQ_NASDAQ": ("EQ_SP500",), "VOL_EQUITY": ("EQ_SP500",), "VOL_FX": ("broad dollar", "EQ_SP500")}
    for label, fit in regressions.items():
        for j, on in enumerate(names[label]):
            rows.append(_row(f"{label} on {on}", fit.slopes[j], fit.errors[j], "log per log", fit.sample,
                             fit.r2, fit.observations, HAC))
    for label, fit in reversion.items():
        how = f"AR(1) of month-end levels, Newey–West ({HAC_LAGS_MONTHLY})" + (", held" if fit.held else "")
        rows.append(_row(f"{label} mean reversion κ", fit.rate, fit.se_rate, "per year", fit.sample, fit.r2,
                         fit.observations, how))
        rows.append(_row(f"{label} half-life", fit.half_life, fit.se_half_life, "years", fit.sample, fit.r2,
                         fit.observations, how))
    for item in national.values():
        how = f"Dimson sum of {item.lags + 1} quarters, de-smoothed and scaled, HAC"
        vol = item.volatility
        n = len(item.smoothing.returns)
        rows.append(_row(f"{item.name} price smoothing a", item.smoothing.coefficient, item.smoothing.se,
                         "AR(1)", item.sample, None, n, "Geltner, HAC"))
        rows.append(_row(f"{item.name} price volatility, published", item.raw_vol, None, "annual",
                         item.sample, None, n, "quarterly × 2"))
        rows.append(_row(f"{item.name} price volatility, de-smoothed", vol.geltner, vol.se_geltner, "annual",
                         item.sample, None, n, "Geltner, quarterly × 2"))
        rows.append(_row(f"{item.name} price volatility, long horizon", vol.long_horizon, vol.se_long_horizon,
                         "annual", item.sample, None, n,
                         f"overlapping {LONG_HORIZON_QUARTERS} quarters, Lo–MacKinlay, "
                         f"variance ratio {vol.variance_ratio:.1f}"))
        rows.append(_row(f"{item.name} price volatility, used", vol.value, vol.se, "annual", item.sample,
                         None, n, f"{vol.method}: {vol.reason}"))
        rows.append(_row(f"{item.name} price on equities", item.equity_loading, item.se_equity, "log per log",
                         item.sample, item.r2, item.observations, how))
        rows.append(_row(f"{item.name} price on the 10-year", item.rate_loading, item.se_rate,
                         "log per 1.00 of yield", item.sample, item.r2, item.observations, how))
        for lags, slope, se, r2, n in item.rate_by_lags:
            rows.append(_row(f"{item.name} price on the 10-year, {lags} lags", slope, se,
                             "log per 1.00 of yield", item.sample, r2, n,
                             "the window used" if lags == item.lags else "another window, not used"))
    return rows


def factor_rows(s, vol_now, vol_long_run, persistence, counts, drawn, national) -> list[dict]:
    """One row per factor of the axis; volatilities annualised."""
    year = math.sqrt(BUSINESS_DAYS_PER_YEAR / s.step_days)
    column = {label: j for j, label in enumerate(s.labels)}
    rows = []
    for i, label in enumerate(FACTORS.labels):
        row = {"kind": "factor", "factor": label, "unit": factor_unit(label), "n": int(counts[i]),
               "vol_now": float(vol_now[i]) * year, "vol_long_run": float(vol_long_run[i]) * year,
               "persistence": float(persistence[i]), "residual_drawn_share": float(drawn[i])}
        if label in column:
            z = s.z[:, column[label]]
            seen = np.isfinite(z)
            fit = s.fits[label]
            z = z[seen]
            row |= {
                "sample": f"{s.dates[seen][0]} … {s.dates[seen][-1]}", "method": fit.method,
                "alpha": _number(fit.alpha), "se_alpha": _number(fit.se_alpha), "gamma": _number(fit.gamma),
                "beta": _number(fit.beta), "se_beta": _number(fit.se_beta), "nu": _number(fit.nu),
                "ljung_box_z_p": ljung_box(z), "ljung_box_z2_p": ljung_box(z * z),
                "z_max": float(np.abs(z).max()),
                "note": _note(label, fit.method, s.live),
            }
        else:
            item = national["home"] if label.startswith("HOME_") else national["commercial"]
            basket = label.startswith("EQ_")
            row |= {"sample": "" if basket else item.sample,
                    "method": "loadings and residual, factors.structure",
                    "note": "assumed loadings of market_inputs" if basket else
                    f"quarterly index, volatility by {item.volatility.method}, lags of up to {item.lags} "
                    "quarters summed"}
        rows.append(row)
    return rows


def model_rows(step_days, *, dof, se_dof, block, shrinkage, em_steps, smallest_eigenvalue, crisis,
               row_dates, drawn, pass_through) -> list[dict]:
    """Estimates that belong to a model as a whole.  row_dates (R,) of the rows of filtered historical
    simulation, drawn the share of their entries that was not observed."""
    size = f"{block[0]} rows × {block[1]} currencies and key rates"
    prior = (f"prior {pass_through.prior:.2f} ({pass_through.se_prior:.2f}) published, "
             f"data {pass_through.data:.2f} ({pass_through.se_data:.2f}), normal–normal; they differ by "
             f"{pass_through.conflict:.1f} standard errors")
    rows = [
        ("degrees of freedom ν", dof, se_dof, "", f"multivariate t, profile likelihood, {size}"),
        ("shrinkage of the correlation", shrinkage, None, "share", f"Ledoit–Wolf to the identity, {size}"),
        ("EM iterations", float(em_steps), None, "count", "Stambaugh start, missing-data likelihood"),
        ("smallest eigenvalue of the correlation", smallest_eigenvalue, None, "",
         f"after shrinkage, {len(FACTORS)} factors"),
        ("stress rows", float(crisis.rows), None, "count", "daily moves in " + "; ".join(crisis.windows)),
        ("shrinkage of the stress correlation", crisis.shrinkage, None, "share",
         "Ledoit–Wolf to the unconditional correlation, daily moves"),
        ("filtered historical rows", float(len(row_dates)), None, "count",
         f"moves over {'a day' if step_days == 1 else f'{step_days} days'} from {row_dates[0]} to "
         f"{row_dates[-1]}, standardised, turned to the model's correlation; {drawn:.0%} of the entries "
         f"drawn (factors without history on that day)"),
        ("cap rate on the 10-year, reduced form", pass_through.value, pass_through.se, "cap rate per yield",
         prior),
    ]
    return [{"kind": "model", "name": n, "estimate": float(e), "se": _number(se), "unit": u, "r2": None,
             "method": m} for n, e, se, u, m in rows]


def volatility_scale_rows(s, inputs) -> list[dict]:
    """Estimated annual scale of VOL_EQUITY and VOL_FX against the scale stated in market inputs, ± 2 standard
    errors of the stated residual; outside it the method column says so."""
    year = math.sqrt(BUSINESS_DAYS_PER_YEAR / s.step_days)
    column = {label: j for j, label in enumerate(s.labels)}
    rows = []
    for label in ("VOL_EQUITY", "VOL_FX"):
        estimated = float(s.vol_long_run[column[label]]) * year
        stated = inputs.get(f"residual_vol.{label}")
        if stated is None:
            verdict = "no stated scale to check against"
        else:
            slope = inputs.get(f"loading.{label}.SP500")
            moved = slope.value * float(s.vol_long_run[column["EQ_SP500"]]) * year if slope else 0.0
            low, high = (math.hypot(max(stated.value + k * (stated.se or 0.0), 0.0), moved) for k in (-2, 2))
            inside = low <= estimated <= high
            verdict = "consistent" if inside else "OUTSIDE, data used"
            verdict = f"stated scale {low:.2f} … {high:.2f}: {verdict}"
        rows.append({"kind": "model", "name": f"annual scale of {label}", "estimate": estimated, "se": None,
                     "unit": "log change", "r2": None, "method": verdict})
    return rows


def _row(name, estimate, se, unit, sample, r2, n, method) -> dict:
    return {"kind": "coefficient", "name": name, "estimate": float(estimate), "se": _number(se), "unit": unit,
            "sample": sample, "r2": _number(r2), "n": int(n), "method": method}


def _number(x) -> float | None:
    """A float, or None for a missing or undefined one (JSON has no NaN)."""
    return None if x is None or not math.isfinite(x) else float(x)


def ljung_box(x: np.ndarray, lags: int = LJUNG_BOX_LAGS) -> float:
    """p-value of Ljung and Box (1978): Q = n (n + 2) Σ_k r_k² / (n − k), χ² with *lags* degrees of
    freedom."""
    n, y = len(x), x - x.mean()
    r = np.array([y[k:] @ y[:-k] for k in range(1, lags + 1)]) / (y @ y)
    return float(chi2.sf(n * (n + 2) * float((r**2 / (n - np.arange(1, lags + 1))).sum()), lags))


def basket_rows(baskets: Mapping[str, tuple]) -> list[dict]:
    """One row per basket estimated on imported sectors: members, days, first and last; none without
    imports."""
    return [{"kind": "model", "name": f"{factor} estimated on imported sectors", "estimate": float(len(days)),
             "se": None, "unit": "days", "r2": None,
             "method": f"mean log return of {', '.join(members)}, {days[0]} … {days[-1]}"}
            for factor, (days, _, members) in baskets.items()]


def _note(label: str, method: str, live: frozenset[str] = frozenset()) -> str:
    if label in live:
        return "estimated on imported sectors" if label in SECTOR_BASKETS else "imported history"
    if label.startswith("EQ_") and "EQ_SP500" in live:
        return ("the daily history has ended: long-run volatility × the S&P 500's ratio of today's to "
                "long-run volatility")
    if label.startswith("EQ_"):
        return "volatility is the long-run one: the daily history ends in 2018"
    if label.startswith("VOL_"):
        return ("log change of the model's own volatility forecast, not of a quoted implied volatility; "
                "reverts to its mean, so the variance of a step decays with the horizon")
    if method.endswith("capped"):
        return "persistence at the cap: the estimate is at or beyond the unit root"
    return "GARCH did not converge" if method.startswith("EWMA") else ""
