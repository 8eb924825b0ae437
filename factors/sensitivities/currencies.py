"""Currency betas to the broad dollar, and the dollar on the 2-year.

    Δ ln c_t = a + β_c s_t + e_t      monthly averages, s = depreciation of the broad dollar

A currency is itself in the index: its own weight raises the betas of EUR, CNY, MXN and CAD.  The engine uses
the published beta of configs/impact where there is one, else the factor model's, estimated the same way on
the H.10 broad dollar.
"""

from __future__ import annotations

from factors.definitions import BETA_SAMPLE_START, HAC_LAGS_MONTHLY, PATH_SAMPLE_START
from factors.sensitivities.observations import DXY, log_of, moves, stack
from factors.sensitivities.prior import Findings
from factors.sensitivities.regression import regress
from riskengine.base.axes import CURRENCIES


def currency_rows(found: Findings) -> None:
    """One row per currency, and the broad dollar and DXY on the 2-year."""
    seen = found.observations
    for currency in CURRENCIES:
        found.attempt(f"currency_beta.{currency}", "currencies", lambda c=currency: _beta(found, c))
    found.attempt("dollar_on_2y.broad", "currencies", lambda: _dollar_on_two_year(
        found, *seen.broad_dollar("month_average"), "parameter.rho_broad_per_100bp_2y",
        "rho_broad_per_100bp_2y"))
    found.attempt("dollar_on_2y.DXY", "currencies", lambda: _dollar_on_two_year(
        found, -log_of(seen.average(seen.first_of(DXY)), "DXY"), "DXY", "dollar_on_2y.DXY", ""))


def _beta(found: Findings, currency: str) -> None:
    seen = found.observations
    log_dollar, dollar = seen.broad_dollar("month_average")
    price = log_of(seen.average(f"panel:fx_monthly.{currency}"), currency)
    y = seen.since(seen.months, moves(price), BETA_SAMPLE_START)
    fit = regress(y, moves(log_dollar), seen.months, HAC_LAGS_MONTHLY, [currency, f"{dollar} dollar"])
    published = f"parameter.currency_beta.{currency}"
    stated = published in found.priors
    note = "held in a narrow band against the dollar" if currency == "HKD" else ""
    found.add(f"currency_beta.{currency}", fit, group="currencies",
              dependent=f"{currency} in USD, log, monthly average",
              regressor=f"depreciation of the {dollar} dollar", dollar=dollar, unit="× dollar depreciation",
              prior=published if stated else "", engine="prior" if stated else "data",
              used_as=f"currency_beta.{currency}" if stated else f"currency_beta:{currency}", note=note,
              keep_fit="log change" if currency in ("KRW", "CNY") else "")


def _dollar_on_two_year(found: Findings, log_dollar, dollar: str, prior: str, parameter: str) -> None:
    """% of the dollar per +100 bp of the 2-year, positive = the dollar rises."""
    seen = found.observations
    two = 100.0 * seen.average("panel:rates_monthly.GS2")
    y = seen.since(seen.months, moves(-log_dollar, 100.0), PATH_SAMPLE_START)
    fit = regress(y, stack([moves(two)]), seen.months, HAC_LAGS_MONTHLY, [f"{dollar} dollar", "2-year"])
    found.add(f"dollar_on_2y.{dollar.split()[-1]}", fit, group="currencies",
              dependent=f"{dollar} dollar, log, monthly average",
              regressor="2-year yield", dollar=dollar, unit="% per 100 bp", prior=prior,
              engine="prior" if parameter else "diagnostic", used_as=parameter,
              note="US 2-year alone: the engine's parameter is the differential to foreign 2-year yields"
              if parameter
              else "", keep_fit="%" if parameter else "")
