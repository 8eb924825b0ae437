"""The vocabulary of a trader's sentence: sides, sizes, tenors, dates, names of instruments.

Plain tables and small readers of one kind of word each; ``trade_text`` puts the words together.  Words that
name something this engine does not price are listed with the reason, so that the refusal can say it.
"""

from __future__ import annotations

import calendar
import re
from datetime import date, timedelta

from riskengine.base.axes import CURRENCIES

BUY = ("BUY", "BOUGHT", "BOT", "BUYING", "LONG", "PURCHASE", "ADD")
SELL = ("SELL", "SOLD", "SLD", "SELLING", "SHORT")
FILLER = frozenset(
    "A AN THE OF IN AT FOR TO ON WITH INTO WORTH PLEASE PLS ME US GO I WANT AGAINST VS VERSUS BY WE "
    "STRIKE STRUCK K EXPIRY EXPIRING EXP MATURITY MATURING DUE TENOR NOTIONAL FACE AMOUNT CONTRACTS CONTRACT LOTS "
    "LOT CTS X EUROPEAN OUTRIGHT CASH MARKET BUILDING BUILDINGS PROPERTY REAL ESTATE COMMERCIAL PORTFOLIO".split())

SCALES = {
    "K": 1e3, "THOUSAND": 1e3, "M": 1e6, "MM": 1e6, "MIO": 1e6, "MLN": 1e6, "MN": 1e6, "MIL": 1e6,
    "MILLION": 1e6, "MILLIONS": 1e6, "B": 1e9, "BN": 1e9, "BLN": 1e9, "BIO": 1e9, "BILLION": 1e9,
    "BILLIONS": 1e9, "YARD": 1e9, "YARDS": 1e9, "YD": 1e9, "YDS": 1e9, "TN": 1e12, "TRILLION": 1e12,
}
TENOR_UNITS = {
    "Y": "Y", "YR": "Y", "YRS": "Y", "YEAR": "Y", "YEARS": "Y", "MO": "M", "MOS": "M", "MTH": "M",
    "MTHS": "M",
    "MONTH": "M", "MONTHS": "M", "W": "W", "WK": "W", "WKS": "W", "WEEK": "W", "WEEKS": "W", "D": "D",
    "DAY": "D", "DAYS": "D",
}
"""Units that can only be a tenor; a bare M is million or months, decided by what else the sentence has."""
MONTHS = {name.upper(): n for n, name in enumerate(calendar.month_abbr) if name} | {
    name.upper(): n for n, name in enumerate(calendar.month_name) if name} | {"SEPT": 9}
MONTH_CODES = {"H": 3, "M": 6, "U": 9, "Z": 12}

NICKNAMES = {
    "CABLE": "GBPUSD", "AUSSIE": "AUDUSD", "KIWI": "NZDUSD", "LOONIE": "USDCAD", "EURO": "EUR",
    "EUROS": "EUR",
    "YEN": "JPY", "STERLING": "GBP", "SWISSY": "USDCHF", "YUAN": "CNY", "RENMINBI": "CNY", "RMB": "CNY",
    "CNH": "CNY", "DOLLARS": "USD", "DOLLAR": "USD", "BUCKS": "USD", "WON": "KRW", "PESO": "MXN",
    "S&P": "SPX", "SPY": "SPX", "NASDAQ-100": "NDX",
}
TREASURY = ("UST", "USTS", "TREASURY", "TREASURIES", "TSY", "TSYS", "T", "TS", "T-NOTE", "T-NOTES", "T-BOND",
            "T-BONDS", "NOTE", "NOTES", "BOND", "BONDS", "GOVT", "T-BILL", "T-BILLS", "BILL", "BILLS",
            "TBILL",
            "TBILLS")
BILLS = ("T-BILL", "T-BILLS", "BILL", "BILLS", "TBILL", "TBILLS")
FUTURES = {"ES": ("SP500", 50.0), "MES": ("SP500", 5.0), "NQ": ("NASDAQ", 20.0), "MNQ": ("NASDAQ", 2.0)}
"""Root → (index, USD per index point): CME contract specifications."""
INDEX_WORDS = {"SPX": "SP500", "SP500": "SP500", "SPX500": "SP500", "NDX": "NASDAQ", "NASDAQ": "NASDAQ",
               "COMP": "NASDAQ", "CCMP": "NASDAQ"}
OPTION_MULTIPLIER = 100.0
"""USD per index point of SPX and NDX options (Cboe contract specifications)."""
BASKETS = {"EXPORTERS": "EXPORTERS", "EXPORTER": "EXPORTERS", "IMPORTERS": "IMPORTERS",
           "IMPORTER": "IMPORTERS",
           "DOMESTIC": "DOMESTIC", "DOMESTICS": "DOMESTIC"}
LISTED = ("REIT", "REITS", "LISTED-REAL-ESTATE")
PROPERTY = {
    "OFFICE": "OFFICE", "OFFICES": "OFFICE", "RETAIL": "RETAIL", "MALL": "RETAIL", "MALLS": "RETAIL",
    "SHOPPING": "RETAIL", "MULTIFAMILY": "MULTIFAMILY", "APARTMENTS": "MULTIFAMILY",
    "APARTMENT": "MULTIFAMILY",
    "INDUSTRIAL": "INDUSTRIAL", "WAREHOUSE": "INDUSTRIAL", "WAREHOUSES": "INDUSTRIAL",
    "LOGISTICS": "INDUSTRIAL",
}
RESIDENTIAL = ("RESIDENTIAL", "HOMES", "HOME", "HOUSING", "HOUSES", "HOUSE")
METROS = {
    "NEW-YORK": "NEW_YORK", "NY": "NEW_YORK", "NYC": "NEW_YORK", "MANHATTAN": "NEW_YORK", "LOS-ANGELES":
    "LOS_ANGELES", "LA": "LOS_ANGELES", "SAN-FRANCISCO": "SAN_FRANCISCO", "SF": "SAN_FRANCISCO", "BAY-AREA":
    "SAN_FRANCISCO", "MIAMI": "MIAMI", "NATIONAL": "NATIONAL", "NATIONWIDE": "NATIONAL",
}
PHRASES = {
    "LISTED REAL ESTATE": "LISTED-REAL-ESTATE", "NEW YORK": "NEW-YORK", "LOS ANGELES": "LOS-ANGELES",
    "SAN FRANCISCO": "SAN-FRANCISCO", "BAY AREA": "BAY-AREA", "S&P 500": "SPX", "S&P500": "SPX",
    "S & P 500": "SPX",
    "S AND P 500": "SPX", "NASDAQ 100": "NDX", "NASDAQ-100": "NDX", "T BILL": "T-BILL", "T BILLS": "T-BILL",
    "T NOTE": "T-NOTE", "T BOND": "T-BOND", "US TREASURY": "UST", "US TREASURIES": "UST",
    "U.S. TREASURY": "UST",
    "LONG BOND": "UST 30Y", "AT THE MONEY FORWARD": "ATMF", "AT-THE-MONEY": "ATM", "AT THE MONEY": "ATM",
    "ATM FORWARD": "ATMF", "ATM FWD": "ATMF", "CAP RATE": "CAP", "LOAN RATE": "LOAN", "LOAN AT": "LOAN",
    "CAP AT": "CAP", "DV 01": "DV01", "PER BP": "DV01", "RISK REVERSAL": "RISK-REVERSAL",
    "GO LONG": "LONG", "GO SHORT": "SHORT", "ON THE RUN": "", "ON-THE-RUN": "", "REAL ESTATE": "REAL ESTATE",
    "SINGLE FAMILY": "RESIDENTIAL", "SINGLE-FAMILY": "RESIDENTIAL",
}
OPTION_WORDS = {"CALL": "call", "CALLS": "call", "PUT": "put", "PUTS": "put"}
GENERIC = ("BASKET", "BASKETS", "STOCKS", "SHARES", "EQUITIES", "INDEX", "FUTURE", "FUTURES", "FUT", "FUTS",
           "EMINI", "E-MINI", "FX", "OPTION", "OPTIONS", "EQUITY")
"""Words that add nothing to the name of an instrument."""
FORWARD_WORDS = ("FWD", "FORWARD", "FWDS", "FORWARDS", "NDF", "NDFS")

_TREASURY_FORM = "e.g. buy 250m UST 10Y"
REFUSED: dict[str, tuple[str, str]] = {
    **dict.fromkeys(("TIPS", "TIP", "TII", "LINKER", "LINKERS", "INFLATION"), (
        "TIPS are not priced: the engine has no real-yield or breakeven factor", _TREASURY_FORM)),
    **dict.fromkeys(("FRN", "FRNS", "FLOATER"), ("floating-rate notes are not priced", _TREASURY_FORM)),
    **dict.fromkeys(("STRIP", "STRIPS"), ("STRIPS are not priced", _TREASURY_FORM)),
    **dict.fromkeys(("TY", "FV", "TU", "WN", "UXY", "ZN", "ZF", "ZT", "ZB", "UB"), (
        "Treasury futures are not priced (delivery option); use the note itself", _TREASURY_FORM)),
    **dict.fromkeys(("BUND", "BUNDS", "GILT", "GILTS", "JGB", "JGBS", "OAT", "OATS", "BTP", "BTPS"), (
        "foreign government bonds are not priced", _TREASURY_FORM)),
    **dict.fromkeys(("SWAP", "SWAPS", "IRS", "OIS", "SOFR", "SWAPTION", "SWAPTIONS", "PAYER", "RECEIVER"), (
        "swaps are not priced", "the same rate risk as a Treasury, e.g. sell 250m UST 10Y")),
    **dict.fromkeys(("CDS", "CREDIT", "CORPORATE", "AGENCY", "MBS"),
                    ("credit is not priced", _TREASURY_FORM)),
    **dict.fromkeys(("STRADDLE", "STRADDLES", "STRANGLE", "STRANGLES", "COLLAR", "BUTTERFLY", "FLY",
                     "RISK-REVERSAL", "RR", "SPREAD", "STEEPENER", "FLATTENER", "2S10S", "5S30S"), (
        "several legs in one sentence", "one trade for each leg")),
    **dict.fromkeys(("BARRIER", "KO", "KI", "DIGITAL", "BINARY", "ASIAN", "AMERICAN", "EXOTIC", "TOUCH"), (
        "only European calls and puts are priced", "e.g. buy 100m EURUSD 1.25 call 6M")),
    **dict.fromkeys(("GOLD", "XAU", "OIL", "WTI", "BRENT", "BITCOIN", "BTC", "VIX", "COPPER"), (
        "not among the engine's risk factors", "FX, Treasuries, US equity indices, real estate")),
    **dict.fromkeys(("RTY", "RUSSELL", "DAX", "NIKKEI", "FTSE", "STOXX", "DOW", "HSI", "IWM", "QQQ"), (
        "not among the engine's equity indices", "SPX (ES), NDX (NQ), exporters, importers, domestic")),
}
"""Word → (reason, what is accepted instead)."""


def currency_of(word: str) -> str:
    """'EUR' for EUR, euro …; '' when the word is no currency of the engine."""
    word = NICKNAMES.get(word, word)
    return word if word in CURRENCIES or word == "USD" else ""


def third_friday(year: int, month: int) -> date:
    """Last trading day of the quarterly index futures."""
    first = date(year, month, 1)
    return first + timedelta(days=(4 - first.weekday()) % 7 + 14)


def quarterly_expiry(as_of: date, month: int | None = None, year: int | None = None) -> date:
    """The next quarterly expiry after *as_of*, or that of a named month (and year)."""
    if month is not None and year is not None:
        return third_friday(year, month)
    for y in range(as_of.year, as_of.year + 3):
        for m in (month,) if month else (3, 6, 9, 12):
            day = third_friday(y, m)
            if day > as_of:
                return day
    raise AssertionError("unreachable: every year has a third Friday in every month")


def full_year(digits: str, as_of: date) -> int:
    """'2034' → 2034; '34' → 2034; '4' → the next year that ends in 4."""
    if len(digits) == 4:
        return int(digits)
    if len(digits) == 2:
        return as_of.year // 100 * 100 + int(digits)
    year = as_of.year // 10 * 10 + int(digits)
    return year if year >= as_of.year else year + 10


def read_amount(digits: str, scale: str) -> float:
    """'1.5', 'BN' → 1.5e9."""
    return float(digits) * SCALES.get(scale, 1.0)


def amount_text(amount: float) -> str:
    """1.5bn, 250m, 10,000 …"""
    size = abs(amount)
    for scale, letter in ((1e9, "bn"), (1e6, "m")):
        if size >= scale:
            return f"{size / scale:,.6g}{letter}"
    return f"{size:,.6g}"


def visible(text: str, most: int = 48) -> str:
    """*text* cut and with unprintable characters shown as escapes."""
    shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text[: most + 1])
    return f"'{shown}'" if len(text) <= most else f"'{shown[:most]}…'"


FRACTION = re.compile(r"(?<![\d.])(\d{1,2}) ([1357]|[1-9]\d?)/(2|4|8|16|32)(?!\d)")
"""A coupon as a fraction: 4 1/4."""
