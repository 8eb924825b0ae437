"""Did inflows lift household net worth relative to GDP, or do two trends run side by side?

    Δ₄(NW/GDP) = a + b (net inflow over the year / GDP) + c Δ₄(real ten-year) + e

Net inflow = minus the current account (NIPA).  Levels are two I(1) series: their regression finds a relation
whether there is one or not, so the Engle–Granger test stands beside it (p-value of 'no cointegration').
"""

from __future__ import annotations

import numpy as np
import statsmodels.api as sm
from statsmodels.tsa.stattools import coint

from factors.claims.drafts import Draft, Wording, attempt, exact, from_regression, variant
from factors.claims.regressions import regress
from factors.claims.saving import NIPA, lines_of
from factors.claims.series import Evidence, Monthly, align, period_label, period_number
from factors.claims.verdicts import Region
from factors.claims.yields import REPORT

NET_WORTH = "fredqd.TNWBSHNOx"
DEFLATOR = "fredqd.PCEPILFE"
START = "1980"
WORDING = Wording(
    "D12", "Wealth", "Inflows lifted household net worth over GDP",
    "Household net worth rose from about 350% of GDP in the early 1980s to over 600% because foreign money "
    "bought existing assets.", REPORT, "Δ₄(NW/GDP) = a + b (−CA over four quarters/GDP) + c Δ₄ r10 + e",
    "b above 0", "b about 0 once the real rate is in; two trends over forty years prove nothing",
    ("Spurious trends: both series rise over the sample; a high R² in levels is no evidence.",
     "Net worth moves with asset prices within the quarter, the current account with the cycle: a boom "
     "raises both wealth and the deficit without any foreign buying of assets.",
     "Net worth is deflated in the file and re-inflated here; small differences to the Financial Accounts "
     "remain."))


def test_wealth(evidence: Evidence) -> list[Draft]:
    """The claim about net worth."""
    return [attempt(WORDING, net_worth, evidence)]


def real_rate(evidence: Evidence) -> Monthly:
    """Ten-year yield less consumer-price inflation over the past year, % , by quarter (last month)."""
    number, (ten, prices) = align(evidence.monthly("rates_monthly.GS10"),
                                  evidence.monthly("macro_monthly.CPIAUCSL"))
    inflation = Monthly(int(number[0]), np.log(prices)).change(12).values
    real = 100.0 * (ten - inflation)
    first = -(-int(number[0]) // 3) * 3
    months = Monthly(int(number[0]), real).on(first, int(number[-1]) + 1)
    return Monthly(first // 3, months[: len(months) // 3 * 3].reshape(-1, 3)[:, 2], "Q")


def net_worth(evidence: Evidence) -> Draft:
    """Yearly changes, with and without the real rate; levels and cointegration beside them."""
    evidence.need(NET_WORTH, DEFLATOR)
    number, (worth, price, gdp, ca, rate) = align(
        evidence.quarterly(NET_WORTH), evidence.quarterly(DEFLATOR), evidence.quarterly(NIPA + "GDP"),
        evidence.quarterly(NIPA + "NETFI"), real_rate(evidence))
    ratio = 100.0 * worth * price / 100.0 / gdp
    inflow = -ca
    year = sum(Monthly(0, inflow).on(-j, len(inflow) - j) for j in range(4)) / 4.0
    x = 100.0 * year / gdp
    start = number >= period_number(START, "Q")
    ratio = np.where(start, ratio, np.nan)
    d_ratio = Monthly(0, ratio).change(4).values
    d_rate = Monthly(0, rate).change(4).values
    main = regress(d_ratio, [x, d_rate], number, 8, ["inflow", "Δ real rate"], WORDING.id)
    good = np.isfinite(ratio) & np.isfinite(inflow) & np.isfinite(rate)
    stock = 100.0 * np.cumsum(np.where(np.isfinite(inflow), inflow, 0.0) / 4.0) / gdp
    level = sm.OLS(ratio[good], sm.add_constant(stock[good])).fit()
    alone = float(coint(ratio[good], stock[good], trend="c", autolag="bic")[1])
    both = float(coint(ratio[good], np.column_stack([stock[good], rate[good]]), trend="c", autolag="bic")[1])
    ends = np.flatnonzero(good)
    early = good & (number < period_number("1985", "Q"))
    others = (
        exact("net worth over GDP, 1980–84", float(ratio[early].mean()), "%", n=int(early.sum())),
        exact("net worth over GDP, last", float(ratio[ends[-1]]), "%", period_label(number[ends[-1]], "Q")),
        *variant("without the real rate", regress(d_ratio, [x], number, 8, ["inflow"], WORDING.id),
                 "pp per 1% of GDP", "Q"),
        *variant("real rate", main, "pp per 1 point", "Q", of=2),
        exact("levels on cumulated inflow: R²", float(level.rsquared), "share",
              note="spurious unless cointegrated"),
        exact("Engle–Granger, no cointegration with inflow", alone, "p-value"),
        exact("the same with the real rate", both, "p-value"))
    draft = from_regression(
        WORDING, main, Region(low=0.0), "pp of GDP per 1% of GDP", (
            "net inflow over the year, % of GDP", "Δ₄ net worth, % of GDP"), "Q", pandemic=True,
        series=(NET_WORTH, DEFLATOR, NIPA + "GDP", NIPA + "NETFI", "rates_monthly.GS10",
                "macro_monthly.CPIAUCSL"),
        others=others,
        words=f"In levels R² is {level.rsquared:.2f}, and 'no cointegration' has p = {alone:.2f} "
              f"({both:.2f} with the real rate).")
    return draft.plus(chart=lines_of(number[good], "Q", "% of GDP", ("net worth", ratio[good]),
                                     ("cumulated inflow", stock[good])))
