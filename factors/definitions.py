"""What is estimated on what: samples, regimes, crisis windows and the published constants of the laboratory.

Every number here is a choice of sample or a published figure; none is a result.  Regimes: a currency's
history counts only from the start of a regime in which it floats or is managed as it is managed today,
because moves of a fixed parity say nothing about its risk now.  Sources stand beside each constant.
"""

from __future__ import annotations

from riskengine.base.axes import CURRENCIES, KEY_RATES

EARLIEST_AS_OF = "2007-01-01"
"""Before that date some currencies (MYR, CNY) have less than a year of history in a usable regime."""

SAMPLE_START = "1999-01-04"
"""First day used: the euro's first, and the first of the daily equity history."""

FX_REGIME_STARTS: dict[str, tuple[str, ...]] = {
    "BRL": ("2003-01-02",),
    "CNY": ("2005-07-25", "2015-08-14"),
    "HKD": ("2005-05-19",),
    "MYR": ("2005-07-25",),
    "THB": ("1999-01-04", "2008-03-04"),
}
"""Starts of usable regimes, the latest with MIN_REGIME_DAYS observations is used.  BRL: after the 2002
crisis of the young float; CNY: managed since July 2005, fixing reform of 11 August 2015; HKD: two-sided
convertibility zone 7.75–7.85 of 18 May 2005; MYR: end of the 3.80 peg on 21 July 2005; THB: end of the
2006–08 capital controls, which split onshore and offshore rates, on 3 March 2008.  All others:
SAMPLE_START."""

MIN_REGIME_DAYS = 250

VOL_FX_CURRENCIES = tuple(c for c in CURRENCIES if c not in ("CNY", "DKK", "HKD", "MYR"))
"""Currencies behind VOL_FX: managed ones and the krone's peg to the euro are left out."""

VOL_FORECAST_DAYS = 66
"""VOL_* factors: log change of the model's volatility forecast averaged over three months of trading days,
the usual life of an option in a trading book.  (Its daily scale for the S&P 500, .069, is that of the
published VIX; one-month forecasts move more, six-month ones less.)"""
VOL_BURN_IN = 250
"""First days of a filter, still near its starting value, that give no VOL_* history."""

CORRELATION_HALF_LIFE: dict[int, float] = {1: 3.0, 5: 8.0}
"""Years in which an observation of currencies and yields loses half its weight in the correlation, by
step_days. Near the maximum of the out-of-sample log score of 25 currencies and key rates, 2009–2024, grid
1, 2, 3, 5, 8, 12: daily −11.03 (2 years), −11.04 (3), −11.64 (no weights); weekly −9.23 (8), −9.42 (no
weights).  Without weights the variance of an equally weighted currency book was understated by 13%
(backtests.coverage)."""

CRISIS_WINDOWS: tuple[tuple[str, str, str], ...] = (
    ("2001-09-10", "2002-10-09", "September 2001 and the bear market to its trough"),
    ("2008-09-12", "2009-03-31", "Lehman to the trough"),
    ("2010-04-26", "2010-07-02", "first euro-area crisis"),
    ("2011-07-22", "2011-12-30", "US downgrade, euro area"),
    ("2015-08-10", "2016-02-29", "China devaluation and the turn of the year"),
    ("2020-02-20", "2020-04-30", "pandemic dash for cash"),
    ("2022-09-12", "2022-11-10", "dollar peak, gilt crisis"),
)
"""(from, to, what): windows of the stress correlation; those after the as-of date do not exist yet."""

BROAD_DOLLAR_WEIGHTS: dict[str, float] = {
    "AUD": 0.018, "BRL": 0.020, "CAD": 0.128, "CHF": 0.026, "CNY": 0.137, "EUR": 0.208, "GBP": 0.049,
    "HKD": 0.026, "INR": 0.033, "JPY": 0.051, "KRW": 0.040, "MXN": 0.144, "MYR": 0.021, "SEK": 0.006,
    "SGD": 0.018, "THB": 0.016, "TWD": 0.033,
}
"""Broad-dollar weights before normalisation; other currencies 0.
Source: non-negative least squares of daily changes of the Federal Reserve's nominal broad dollar index on the
H.10 currencies, 2020–2024 (own estimate)."""

BETA_SAMPLE_START = "2006-01"
"""Currency betas: monthly from the start of today's broad dollar index.  HAC_LAGS_MONTHLY lags."""
PATH_SAMPLE_START = "2010-01"
"""Path betas: monthly from 2010 (EVIDENCE: 10-year on 2-year .87 (.06), R² .59)."""
MIN_REGRESSION_MONTHS = 60
HAC_LAGS_MONTHLY = 3
HAC_LAGS_QUARTERLY = 4
"""At least; a Dimson regression uses as many as it has lags where that is more."""

PROPERTY_LAGS: dict[str, int] = {"home": 4, "commercial": 6}
"""Quarterly lags summed in the Dimson regression of de-smoothed property prices.  Commercial: yields pass
into cap rates over 12–18 months (METHOD 7), and the window is the upper end of that; a year would cut the
phasing short.  Homes: a year (assumption).  Commercial is set by the published phasing and not by fit,
though after all windows of PROPERTY_LAGS_SHOWN had been looked at.  The sums on the 10-year go on falling
with the window, for homes too, and the standard errors do not contain that: the diagnostics print every
window."""
PROPERTY_LAGS_SHOWN = (4, 6, 8, 12)
LONG_HORIZON_QUARTERS = 20
"""Overlapping changes behind the long-horizon volatility of property: five years.  The autocorrelation of
house price changes dies out after about three."""
CONTRAST_LIMIT = 2.0
"""Standard errors by which the long horizon may differ from what Geltner's model expects of it."""
PROPERTY_SAMPLE_START = "1990Q1"
"""Daily zero rates start in 1990."""

DEFAULT_EWMA_DECAY = 0.94
"""RiskMetrics (1996) daily decay, used (and declared in the diagnostics) where GARCH does not converge."""
ASYMMETRIC = ("EQ_", "FX_")
"""Beginnings of labels of factors whose variance has a GJR term: it answers falls and rises differently.
Equities fall into volatility; so do currencies held against the dollar, most of all those of carry (MXN γ
.10, BRL .07 beside α .05, .07), and the yen and the franc the other way round (γ < 0).  Out of sample,
one-day 97.5% under filtered historical simulation, FZ0 score relative to Student-t GARCH without and with the
term: emerging book −.015, −.026; won −.012, −.022; peso −.024, −.029; seven majors −.0050, −.0047 on average,
2000–2024. Yields gain nothing from it (backtests.coverage)."""
MAX_PERSISTENCE = 0.998
"""α + β at or above this is treated as non-stationary: half-life beyond a year and a half of trading days."""

RESIDUAL_START = "2006-02-10"
"""First row of filtered historical residuals: the 30-year bond was reissued on 9 February 2006."""
MIN_RESIDUAL_YEARS = 10
RESIDUAL_SEED = 20060209
SYNTHETIC_SHARE = 0.05
"""A factor whose residual rows are drawn rather than observed in more than this share is flagged
synthetic."""

SECTOR_BASKETS: dict[str, tuple[tuple[str, ...], ...]] = {
    "EQ_EXPORTERS": (("etf.XLK", "etf.XLB", "etf.XLI"), ("ff10.HiTec", "ff10.Manuf")),
    "EQ_IMPORTERS": (("etf.XLY",), ("ff10.Shops",)),
    "EQ_DOMESTIC": (("etf.XLU", "etf.XLF"), ("ff10.Utils", "ff10.Other")),
    "EQ_LISTED_REAL_ESTATE": (("etf.IYR",), ("etf.VNQ",), ("etf.XLRE",)),
}
"""Factor → imported series whose equally weighted log returns it is estimated on; of several sets the first
that is imported and current.  Sorted by where sales are made and where goods are bought: technology,
materials and industrials have the largest foreign share of sales among the sectors that make goods; consumer
discretionary is retail, apparel and cars, which sell in America what is largely bought abroad; utilities and
financials earn at home.  Left out on purpose: energy (oil price), staples and health care (large on both
sides), communication services (a sector of 2018 only), real estate (a factor of its own).  A sector holds
firms of both kinds, so the contrast of exporters and importers is understated.  Listed real estate: the
oldest broad fund first.  ff10: Kenneth French's industries."""
EQUITY_STALE_DAYS = 31
"""An imported equity history that ends earlier says nothing about today's volatility."""

STATISTICAL_FACTORS = (
    tuple(f"FX_{c}" for c in CURRENCIES) + tuple(f"UST_{t}" for t in KEY_RATES)
    + ("EQ_SP500", "EQ_NASDAQ", "VOL_EQUITY", "VOL_FX")
)
"""Factors with an embedded daily history; all others are assembled from them (factors.structure), but for the
SECTOR_BASKETS that the imported data carry."""
NON_CORE = ("EQ_NASDAQ", "VOL_EQUITY", "VOL_FX")
