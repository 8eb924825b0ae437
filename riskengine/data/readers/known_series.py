"""What the publishers say about their series: title, unit, frequency, publication lag, revisions.

``describe(series_id)`` answers for every id the readers give.  Lags are calendar days after the period end
(see ``catalog`` for the rule and the reasons); a series that is not known here gets a conservative lag,
counts as revised, and its entry says that both were assumed.

Reasons for lags that are not in ``catalog``
    0    quotes and closes; the broad dollar (a formula of the day's noon rates with published weights)
    1    effective federal funds rate, SOFR, option-adjusted spreads: printed the next morning
    45   Fama–French daily factors and industries: built from the monthly CRSP update
    49   TIC: the 18th of the second month after
    62   Case–Shiller: last Tuesday of the second month after
    95   net international investment position: end of the quarter after
    150  BIS commercial property prices: about five months
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache

from riskengine.data.catalog import CURRENCY_NAMES, SERIES

CASE_SHILLER = "S&P Dow Jones Indices, S&P CoreLogic Case-Shiller home price indices"
TIC = "US Treasury, Treasury International Capital system"
STRESS = "Federal Reserve Board, stress test scenarios"
H15 = "Federal Reserve H.15"
NOT_KNOWN = {"daily": 1, "weekly": 7, "monthly": 45, "quarterly": 120, "annual": 365, "irregular": 45}
"""Publication lag assumed for a series that nothing is known about, calendar days."""


@dataclass(frozen=True, slots=True)
class Description:
    """What is known about a series; ``frequency`` '' and ``kind`` '' where the data must say.

    kind : 'price' (positive), 'rate', 'flow', 'return' or ''.
    """

    title: str
    unit: str
    source: str
    frequency: str
    lag_days: int
    revised: bool
    kind: str = ""
    lag_fourth_quarter: int | None = None
    note: str = ""


def _rates() -> dict[str, Description]:
    tenors = {"1MO": "1 month", "2MO": "2 months", "3MO": "3 months", "4MO": "4 months", "6MO": "6 months",
              "1": "1 year", "2": "2 years", "3": "3 years", "5": "5 years", "7": "7 years", "10": "10 years",
              "20": "20 years", "30": "30 years"}
    found = {f"DGS{c}": Description(f"constant maturity Treasury yield, {t}", "percent", H15, "daily", 0,
                                    False,
                                    "rate") for c, t in tenors.items()}
    for c in ("5", "7", "10", "20", "30"):
        found[f"DFII{c}"] = Description(f"inflation-indexed Treasury yield, {tenors[c]}", "percent", H15,
                                        "daily", 0, False, "rate")
    for c in ("5", "7", "10", "20", "30"):
        found[f"T{c}YIE"] = Description(f"breakeven inflation, {tenors[c]}", "percent",
                                        "Federal Reserve Bank of St. Louis, from H.15", "daily", 0, False,
                                        "rate")
    for name, title, source, lag in (
        ("T5YIFR", "forward inflation expectation, 5 years in 5 years", "FRED, from H.15", 0),
        ("T10Y2Y", "Treasury spread, 10 years less 2 years", "FRED, from H.15", 0),
        ("T10Y3M", "Treasury spread, 10 years less 3 months", "FRED, from H.15", 0),
        ("DFF", "effective federal funds rate", "Federal Reserve Bank of New York", 1),
        ("DFEDTARU", "federal funds target range, upper limit", "Federal Reserve Board", 0),
        ("DFEDTARL", "federal funds target range, lower limit", "Federal Reserve Board", 0),
        ("SOFR", "secured overnight financing rate", "Federal Reserve Bank of New York", 1),
        ("DTB3", "3-month Treasury bill, secondary market, discount basis", H15, 0),
        ("THREEFYTP10", "term premium of a 10-year zero-coupon bond (Kim-Wright)", "Federal Reserve Board",
         7),
        ("BAMLH0A0HYM2", "option-adjusted spread, US high yield", "ICE Data Indices", 1),
        ("BAMLC0A0CM", "option-adjusted spread, US corporate", "ICE Data Indices", 1),
        ("BAMLC0A4CBBB", "option-adjusted spread, US corporate BBB", "ICE Data Indices", 1),
        ("DAAA", "Moody's seasoned Aaa corporate bond yield", "Moody's", 1),
        ("DBAA", "Moody's seasoned Baa corporate bond yield", "Moody's", 1),
    ):
        found[name] = Description(title, "percent", source, "daily", lag, name == "THREEFYTP10", "rate")
    found["MORTGAGE30US"] = Description("30-year fixed mortgage rate", "percent", "Freddie Mac", "weekly", 0,
                                        False, "rate")
    return found


def _others() -> dict[str, Description]:
    h10 = "Federal Reserve H.10"
    found = {
        "DTWEXBGS": Description("broad dollar index, goods and services", "index, January 2006 = 100", h10,
                                "daily", 0, True, "price", note="weights are revised once a year"),
        "DTWEXAFEGS": Description("dollar index, advanced foreign economies", "index, January 2006 = 100",
                                  h10,
                                  "daily", 0, True, "price", note="weights are revised once a year"),
        "DTWEXEMEGS": Description("dollar index, emerging market economies", "index, January 2006 = 100", h10,
                                  "daily", 0, True, "price", note="weights are revised once a year"),
        "DTWEXM": Description("dollar index, major currencies, goods (discontinued)",
                              "index, March 1973 = 100",
                              h10, "daily", 0, False, "price"),
        "DTWEXB": Description("broad dollar index, goods (discontinued)", "index, January 1997 = 100",
                              h10, "daily", 0, False, "price"),
        "VIXCLS": Description("VIX, implied volatility of the S&P 500, close", "percent", "Cboe", "daily", 0,
                              False, "price"),
        "SP500": Description("S&P 500, daily close", "index points", "S&P Dow Jones Indices", "daily", 0,
                             False,
                             "price"),
        "NASDAQCOM": Description("NASDAQ Composite, daily close", "index points", "NASDAQ", "daily", 0, False,
                                 "price"),
        "DJIA": Description("Dow Jones Industrial Average, daily close", "index points",
                            "S&P Dow Jones Indices", "daily", 0, False, "price"),
        "DCOILWTICO": Description("crude oil, West Texas Intermediate", "USD per barrel",
                                  "Energy Information Administration", "daily", 5, False),
        "DCOILBRENTEU": Description("crude oil, Brent", "USD per barrel", "Energy Information Administration",
                                    "daily", 5, False, "price"),
        "CSUSHPINSA": Description("national home price index, not seasonally adjusted",
                                  "index, January 2000 = 100", CASE_SHILLER, "monthly", 62, True, "price"),
        "CSUSHPISA": Description("national home price index, seasonally adjusted",
                                 "index, January 2000 = 100",
                                 CASE_SHILLER, "monthly", 62, True, "price"),
        "COMREPUSQ159N": Description("commercial property prices, change on a year earlier", "percent",
                                     "Bank for International Settlements", "quarterly", 150, True, "return"),
        "IIPUSNETIQ": Description("US net international investment position", "USD mn",
                                  "Bureau of Economic Analysis", "quarterly", 95, True, "flow"),
        "FDHBFIN": Description("federal debt held by foreign and international investors", "USD bn",
                               "US Treasury, Fiscal Service", "quarterly", 75, True, "price"),
        "WALCL": Description("assets of the Federal Reserve", "USD mn", "Federal Reserve H.4.1", "weekly", 1,
                             False, "price"),
        "TREAST": Description("Treasury securities held by the Federal Reserve", "USD mn",
                              "Federal Reserve H.4.1", "weekly", 1, False, "price"),
    }
    codes = {"AL": "AUD", "EU": "EUR", "NZ": "NZD", "UK": "GBP"}
    for code, currency in codes.items():
        found[f"DEXUS{code}"] = Description(f"noon rate of the {CURRENCY_NAMES[currency]}",
                                            f"USD per {currency}",
                                            h10, "daily", 0, False, "price")
    for code, currency in {"BZ": "BRL", "CA": "CAD", "CH": "CNY", "DN": "DKK", "HK": "HKD", "IN": "INR",
                           "JP": "JPY", "KO": "KRW", "MA": "MYR", "MX": "MXN", "NO": "NOK", "SD": "SEK",
                           "SF": "ZAR", "SI": "SGD", "SZ": "CHF", "TA": "TWD", "TH": "THB"}.items():
        found[f"DEX{code}US"] = Description(f"noon rate of the {CURRENCY_NAMES[currency]}",
                                            f"{currency} per USD",
                                            h10, "daily", 0, False, "price")
    for info in SERIES.values():  # monthly and quarterly series the package knows too, as published
        if info.panel in ("rates_monthly", "macro_monthly", "external_saving_quarterly"):
            found[info.column] = Description(
                info.title, "percent" if info.unit == "decimal" else info.unit, info.source, info.frequency,
                info.lag_days, info.revised, info.kind, info.lag_fourth_quarter)
    return found


@lru_cache(maxsize=1)
def known_ids() -> dict[str, Description]:
    """Ids that stand for themselves (FRED's); families with a publisher's prefix are in ``describe``."""
    return _others() | _rates()


_FAMILIES: tuple[tuple[str, Description], ...] = (
    (r"etf\.(.+)",
     Description("{0}, daily close adjusted for distributions", "USD per share", "exchange close",
                               "daily", 0, True, "price",
                               note="adjusted closes of the past change with every distribution")),
    (r"ff[35]?\.(.+)", Description("Fama-French factor {0}", "percent return", "Kenneth R. French data "
                                                                               "library",
                               "", 45, True, "return")),
    (r"ff(\d+)\.(.+)", Description("Fama-French {0} industries, {1}, value weighted", "percent return",
                                   "Kenneth R. French data library", "", 45, True, "return")),
    (r"fx_close\.DXY", Description("ICE US dollar index, close", "index points", "market close", "daily", 0,
                                   False, "price")),
    (r"fx_close\.(.+)", Description("{0}, market close", "{0} per USD", "market close", "daily", 0, False,
                                    "price")),
    (r"h10_per_usd\.(.+)", Description("{0}, noon New York rate", "{0} per USD", "Federal Reserve H.10",
                                       "daily", 0, False, "price")),
    (r"g5_per_usd\.(.+)", Description("{0}, monthly average of noon rates", "{0} per USD",
                                      "Federal Reserve G.5", "monthly", 3, False, "price")),
    (r"h10\.(AUD|EUR|GBP|NZD)", Description("{0}, noon New York rate", "USD per {0}", "Federal Reserve H.10",
                                            "daily", 0, False, "price")),
    (r"h10\.(.+)", Description("{0}, noon New York rate", "{0} per USD", "Federal Reserve H.10", "daily", 0,
                               False, "price")),
    (r"ecb\.(.+)", Description("{0}, euro reference rate", "{0} per EUR", "European Central Bank", "daily", 0,
                               False, "price")),
    (r"treasury\.(.+)", Description("Treasury par yield, {0}", "percent",
                                    "US Treasury, daily par yield curve rates", "daily", 0, False, "rate")),
    (r"acm\.(.+)", Description("Adrian-Crump-Moench term structure, {0}", "percent",
                               "Federal Reserve Bank of New York", "", 5, True, "rate",
                               note="the whole history is estimated again with every release")),
    (r"sovereign10y\.(.+)", Description("10-year government bond yield, {0}", "percent",
                                        "monthly government bond yields by country", "monthly", 30, False,
                                        "rate")),
    (r"case_shiller\.(.+)", Description("home price index, {0}, not seasonally adjusted",
                                        "index, January 2000 = 100", CASE_SHILLER, "monthly", 62, True,
                                        "price")),
    (r"tic\.holders\.(.+)", Description("Treasury securities held by residents of {0}", "USD bn",
                                        f"{TIC}, Major Foreign Holders", "monthly", 49, True, "flow")),
    (r"tic\.slt\.(.+)\.(\w+?)_(pos|net|valchg)", Description(
        "US long-term securities of foreigners, {0}, {1}, {2}", "USD mn", f"{TIC}, SLT Table 1", "monthly",
        49,
        True, "flow")),
    (r"tic\.flows\.(.+)\.(\w+?)_(pos|net|valchg)", Description(
        "US long-term securities of foreigners, {0}, {1}, {2}", "USD mn", TIC, "monthly", 49, True, "flow",
        note="estimates of Bertaut, Tryon and Judson before 2021, published years later; breaks where the "
             "surveys change (June 2002 to 2011)")),
    (r"tic\.(.+)", Description("{0}", "USD mn", TIC, "monthly", 49, True, "flow")),
    (r"fredqd\.(.+)", Description("FRED-QD, {0}", "as published by FRED-QD",
                                  "Federal Reserve Bank of St. Louis, FRED-QD", "quarterly", 90, True, "",
                                  note="lag of the slowest series of the table")),
    (r"fredmd\.(.+)", Description("FRED-MD, {0}", "as published by FRED-MD",
                                  "Federal Reserve Bank of St. Louis, FRED-MD", "monthly", 45, True, "",
                                  note="lag of the slowest series of the table")),
)
_FAMILY = tuple((re.compile(pattern), description) for pattern, description in _FAMILIES)
_WORDS = {"pos": "position", "net": "net sales to foreigners", "valchg": "valuation change",
          "treas": "Treasuries", "agcy": "agency bonds", "corp": "corporate and other bonds",
          "eqty": "equity", "stk": "equity", "total": "total"}


def describe(series_id: str, frequency: str = "") -> Description:
    """What is known about *series_id*; conservative and noted as assumed when nothing is.

    frequency : the one found in the data, decides the assumed lag of an unknown series.
    """
    if series_id in known_ids():
        return known_ids()[series_id]
    for pattern, description in _FAMILY:
        match = pattern.fullmatch(series_id)
        if match:
            words = [_WORDS.get(g, g.replace("_", " ")) for g in match.groups()]
            return replace(description, title=description.title.format(*words),
                           unit=description.unit.format(*match.groups()))
    lag = NOT_KNOWN.get(frequency, NOT_KNOWN["irregular"])
    return Description(series_id, "not stated", "not stated", "", lag, True, "",
                       note=f"not in the catalogue: lag of {lag} days and revisions are assumed")
