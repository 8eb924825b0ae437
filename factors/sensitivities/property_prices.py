"""Listed and direct real estate on the market and on rates.

    listed    r = a + b r_SPX + g Δ10y + e                     month-end closes
    direct    Dimson sums on de-smoothed quarterly prices      factors.real_estate
    homes     Δ₁₂ ln P = a + g_0 Δ₁₂ y10(t) + g_1 Δ₁₂ y10(t − 12) + e     Case–Shiller
    metros    Δ₁₂ ln P_m = a + b Δ₁₂ ln P_US + e

Yearly changes of monthly data overlap: Newey–West with 18 lags.  Direct property answers over one to two
years: contemporaneous coefficients understate it, so lags are accumulated.
"""

from __future__ import annotations

import numpy as np

from factors.definitions import HAC_LAGS_MONTHLY
from factors.real_estate import NationalProperty, estimate_national
from factors.sensitivities.equities import closes, dollar_move
from factors.sensitivities.observations import change_over, lagged, log_of, moves, stack
from factors.sensitivities.prior import Findings, posterior_row
from factors.sensitivities.regression import regress
from riskengine.data.panels import load_panel

METROS = {"new_york": "New York", "los_angeles": "Los Angeles", "san_francisco": "San Francisco",
          "miami": "Miami"}
YEARLY_LAGS = 18


def property_rows(found: Findings) -> None:
    """Listed funds, national homes and commercial property, Case–Shiller."""
    for fund in ("IYR", "VNQ"):
        found.attempt(f"reit.{fund}", "real_estate", lambda f=fund: _listed(found, f))
    found.attempt("reit_dollar.IYR", "real_estate", lambda: _listed_dollar(found))
    found.attempt("property", "real_estate", lambda: _national(found))
    found.attempt("homes_on_10y", "real_estate", lambda: _homes(found))
    for series, metro in METROS.items():
        found.attempt(f"metro.{series}", "real_estate", lambda s=series, m=metro: _metro(found, s, m))


def _listed(found: Findings, fund: str) -> None:
    seen = found.observations
    r, market = closes(found, fund), moves(seen.sp500("month_end"), 100.0)
    d10 = moves(seen.ten_year("month_end"))
    fit = regress(seen.since(seen.months, r, "2000-06"), stack([market, d10]), seen.months, HAC_LAGS_MONTHLY,
                  [fund, "S&P 500", "10-year"])
    used = fund == "IYR"
    shared = {"group": "real_estate", "dependent": f"US listed real estate ({fund}), month end",
              "engine": "prior" if used else "diagnostic"}
    found.add(f"reit_market.{fund}", fit, regressor="S&P 500", unit="× index",
              prior="parameter.reit_beta_spx",
              used_as="reit_beta_spx" if used else "", keep_fit="%" if used else "", **shared)
    found.add(f"reit_rates.{fund}", fit, slope=1, regressor="10-year yield (S&P held)", unit="% per 100 bp",
              prior="parameter.reit_per_100bp_10y", used_as="reit_per_100bp_10y" if used else "", **shared)


def _listed_dollar(found: Findings) -> None:
    seen = found.observations
    d, dollar = dollar_move(found)
    x = stack([d, moves(seen.sp500("month_end"), 100.0), moves(seen.ten_year("month_end"))])
    fit = regress(closes(found, "IYR"), x, seen.months, HAC_LAGS_MONTHLY,
                  ["IYR", f"{dollar} dollar", "S&P 500", "10-year"])
    found.add("reit_dollar.IYR", fit, group="real_estate", dependent="US listed real estate (IYR), month end",
              regressor=f"{dollar} dollar (S&P, 10-year held)", dollar=dollar, unit="% per +1% of the dollar",
              prior="reit_dollar.IYR", note="a diagnostic: never added to the engine's channels")


def _national(found: Findings) -> None:
    """Home and commercial prices on the 10-year and on equities, from the laboratory's Dimson regressions."""
    seen = found.observations
    panels = {name: load_panel(name, seen.as_of) for name in ("stress_history_quarterly", "zero_rates_daily")}
    for name, item in estimate_national(panels).items():
        for key, value, se, words, unit, scale in (
                ("rates", item.rate_loading, item.se_rate, "10-year zero rate", "% per 100 bp", 1.0),
                ("market", item.equity_loading, item.se_equity, "US equities", "% per 1%", 1.0)):
            found.rows.append(posterior_row(
                f"property_{key}.{name}", value * scale, se * scale, None, group="real_estate",
                dependent=f"{name} prices, de-smoothed, quarterly",
                regressor=f"{words}, {item.lags + 1} quarters summed",
                dollar="", unit=unit, lag=max(item.lags, 4), first=item.sample.split(" … ")[0],
                last=item.sample.split(" … ")[1], n=item.observations, r2=item.r2,
                method=f"Dimson, Newey–West ({max(item.lags, 4)}, n/(n − k))", engine="data",
                used_as=f"factor model: {'HOME_*' if name == 'home' else 'CAP_*'} loadings",
                note=_windows(item) if key == "rates" else ""))


def _windows(item: NationalProperty) -> str:
    parts = "; ".join(f"{lags} lags {slope:.1f} ({se:.1f})" for lags, slope, se, _, _ in item.rate_by_lags)
    return f"smoothing a = {item.smoothing.coefficient:.2f}; other windows: {parts}"


def _homes(found: Findings) -> None:
    seen = found.observations
    price = log_of(seen.average("CSUSHPINSA"), "CSUSHPINSA")
    ten = 100.0 * seen.average("panel:rates_monthly.GS10")
    d = change_over(ten, 12)
    fit = regress(seen.since(seen.months, change_over(price, 12, 100.0), "1988-01"),
                  stack([d, lagged(d, 12)]),
                  seen.months, YEARLY_LAGS,
                  ["national home prices", "10-year, this year", "10-year, the year before"])
    total, se = float(fit.slopes.sum()), float(np.sqrt(fit.covariance.sum()))
    found.rows.append(posterior_row(
        "homes_on_10y", total, se, None, group="real_estate",
        dependent="US home prices (Case–Shiller), 12-month change",
        regressor="10-year yield, two years accumulated", dollar="", unit="% per 100 bp", lag=fit.lag,
        first=str(fit.dates[0]), last=str(fit.dates[-1]), n=fit.n, r2=fit.r2,
        method=f"OLS, overlapping years, Newey–West ({fit.lag}), sum of two years",
        note="yields and prices both follow the business cycle: the sign is not that of a pure rate shock"))


def _metro(found: Findings, series: str, metro: str) -> None:
    seen = found.observations
    y = change_over(log_of(seen.average(f"case_shiller.{series}"), metro), 12, 100.0)
    x = change_over(log_of(seen.average("CSUSHPINSA"), "CSUSHPINSA"), 12, 100.0)
    fit = regress(y, x, seen.months, YEARLY_LAGS, [metro, "national home prices"])
    found.add(f"metro.{series}", fit, group="real_estate",
              dependent=f"home prices in {metro}, 12-month change",
              regressor="US home prices, 12-month change", unit="× national", window=120)
