"""Wide tables whose column names tell the publisher: one date column, one column per series.

    1 Mo, 10 Yr              US Treasury par yields            treasury.10Y
    ISO codes with USD       ECB reference rates, per EUR      ecb.USD
    ISO codes with EUR       foreign units per USD             h10_per_usd.EUR (monthly: g5_per_usd.EUR)
    JPYUSD, USDEUR           Federal Reserve H.10              h10.JPY (JPY per USD), h10.EUR (USD per EUR)
    ACMY10                   New York Fed term structure       acm.ACMY10
    DE10Y                    10-year government bond yields    sovereign10y.DE
    Atlanta, GA              Case–Shiller metros               case_shiller.atlanta
    KRW=X, DX-Y.NYB          market closes                     fx_close.KRW, fx_close.DXY
    SPY, TLT …               exchange-traded funds             etf.SPY
    sasdate                  FRED-QD, FRED-MD                  fredqd.GDPC1, fredmd.INDPRO
    Date, Open … Close       one index or share                --as, or the name of the file
    anything else            the column name is the id (FRED ids as they are)
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import PurePath

import numpy as np

from riskengine.data.readers.assembly import Assembly, read_wide, slug
from riskengine.data.readers.frame import DATE_NAMES, Frame
from riskengine.data.readers.known_series import describe, known_ids
from riskengine.data.readers.number_text import MISSING
from riskengine.data.readers.periods import find_frequency

TENOR = re.compile(r"(\d+(?:\.\d+)?) ?(mo|month|yr|year)s?\.?", re.IGNORECASE)
CURRENCY_CODES = frozenset(
    "AED ARS AUD BGN BRL CAD CHF CLP CNY COP CYP CZK DKK EEK EUR GBP HKD HRK HUF IDR ILS INR ISK JPY KRW "
    "LTL LVL MTL MXN MYR NOK NZD PEN PHP PLN ROL RON RUB SAR SEK SGD SIT SKK THB TRL TRY TWD USD VND "
    "ZAR".split())
FUNDS = frozenset(
    "ACWI AGG BIL BND BNDX DIA EEM EFA EMB EWA EWC EWG EWJ EWT EWU EWY EWZ FXA FXB FXC FXE FXI FXY GLD HYG "
    "IAU IEF IEI INDA ITB IVV IWM IYR JNK KRE LQD MBB MCHI MUB QQQ REET RWR SCHH SHY SLV SPY TIP TLT USO "
    "UUP VEA VGK VNQ VOO VT VTI VWO XHB XLB XLC XLE XLF XLI XLK XLP XLRE XLU XLV XLY XME XOP XRT".split())
_OHLC = frozenset({"open", "high", "low", "close", "adj close", "adj_close", "adjclose", "adjusted close",
                   "volume", "dividends", "stock splits", "openinterest"})
VALUE_NAMES = frozenset(
    {"value", "values", "close", "price", "obs_value", "observation_value", "rate", "level",
                         "index", "last", "px_last", "amount", "usd_bn", "wert"})
_TICKERS = {"DX-Y.NYB": "fx_close.DXY", "DXY": "fx_close.DXY", "^DXY": "fx_close.DXY"}
_FILE_NAMES = {"^GSPC": "SP500", "_GSPC": "SP500", "GSPC": "SP500", "^SPX": "SP500", "^VIX": "VIXCLS",
               "^IXIC": "NASDAQCOM"}
_ID = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.^=&+\-]*$")


def read_family(frame: Frame, assembly: Assembly, file: str, series_id: str | None) -> str:
    """Read a wide table into *assembly*; returns the name of the layout that was recognised."""
    names = [h for j, h in enumerate(frame.header) if j != frame.date_column and h]
    date_name = frame.header[frame.date_column].lower()
    if not names:
        raise frame.findings.stop("no column of figures beside the date", row=frame.lines[0])
    if date_name == "sasdate":
        return _fred_database(frame, assembly)
    if {n.lower() for n in names} <= _OHLC and "close" in {n.lower() for n in names}:
        return _one_close(frame, assembly, file, series_id)
    if len(names) == 1 and names[0].lower() in VALUE_NAMES:
        chosen = _name_of_file(frame, file, series_id)
        read_wide(frame, assembly, lambda _: chosen)
        return "one series (date, value)"
    for layout, test, rule in _FAMILIES:
        if test(names):
            read_wide(frame, assembly, rule, missing=MISSING | {"nd"})
            return layout
    if all(n in CURRENCY_CODES for n in names) and "USD" in names and "EUR" not in names:
        read_wide(frame, assembly, lambda n: f"ecb.{n}")
        return "ECB euro reference rates"
    if all(n in CURRENCY_CODES for n in names) and len(names) > 1 and "USD" not in names:
        return _per_usd(frame, assembly)
    if "observation_date" == date_name or all(n in known_ids() for n in names):
        read_wide(frame, assembly, lambda n: n)
        return "FRED"
    read_wide(frame, assembly, lambda n: n if _ID.match(n) else slug(n) or None)
    return "FRED" if date_name == "date" and frame.header[frame.date_column] == "DATE" else "wide table"


def _tenor(name: str) -> str:
    match = TENOR.fullmatch(name)
    return f"treasury.{match[1]}{'M' if match[2].lower().startswith('mo') else 'Y'}"


def _h10(name: str) -> str:
    return f"h10.{name.removeprefix('USD') if name.startswith('USD') else name.removesuffix('USD')}"


def _is_pair(name: str) -> bool:
    return len(name) == 6 and "USD" in (name[:3], name[3:]) and {name[:3], name[3:]} <= CURRENCY_CODES


def _metro(name: str) -> str:
    return f"case_shiller.{slug(name.split(',')[0])}"


def _ticker(name: str) -> str | None:
    if name in _TICKERS:
        return _TICKERS[name]
    code = name.removesuffix("=X")
    return f"fx_close.{code.removeprefix('USD') if len(code) == 6 else code}"


_FAMILIES: tuple[tuple[str, Callable[[list[str]], bool], Callable[[str], str | None]], ...] = (
    ("US Treasury par yields", lambda names: sum(bool(TENOR.fullmatch(n)) for n in names) * 2 > len(names),
     lambda n: _tenor(n) if TENOR.fullmatch(n) else None),
    ("Federal Reserve H.10", lambda names: all(map(_is_pair, names)), _h10),
    ("New York Fed ACM", lambda names: all(re.fullmatch(r"ACM[A-Z]+\d+", n) for n in names),
     lambda n: f"acm.{n}"),
    ("10-year government bond yields", lambda names: all(re.fullmatch(r"[A-Z]{2}10Y", n) for n in names),
     lambda n: f"sovereign10y.{n[:2]}"),
    ("Case-Shiller metros", lambda names: sum(bool(re.fullmatch(r".+, [A-Z]{2}|\d+-City Composite", n))
                                              for n in names) * 2 > len(names), _metro),
    ("market closes", lambda names: all(n in _TICKERS or re.fullmatch(r"([A-Z]{3}|USD[A-Z]{3})=X", n)
                                        for n in names), _ticker),
    ("exchange-traded funds", lambda names: sum(n in FUNDS for n in names) * 2 > len(names),
     lambda n: f"etf.{n}"),
)


def _fred_database(frame: Frame, assembly: Assembly) -> str:
    days, _ = frame.dates()
    known = np.sort(days[~np.isnat(days)])
    monthly = find_frequency(known) == "monthly"
    prefix = "fredmd" if monthly else "fredqd"
    read_wide(frame, assembly, lambda n: f"{prefix}.{n if _ID.match(n) else slug(n)}")
    return "FRED-MD" if monthly else "FRED-QD"


def _per_usd(frame: Frame, assembly: Assembly) -> str:
    """Currency columns without USD: foreign units per USD, daily (H.10) or monthly averages (G.5)."""
    days, period = frame.dates()
    known = np.sort(days[~np.isnat(days)])
    monthly = period == "monthly" or find_frequency(known) == "monthly"
    prefix = "g5_per_usd" if monthly else "h10_per_usd"
    frame.findings.remark("currency columns without USD: read as foreign units per USD")
    read_wide(frame, assembly, lambda n: f"{prefix}.{n}")
    return "Federal Reserve G.5" if monthly else "Federal Reserve H.10, foreign units per USD"


def _one_close(frame: Frame, assembly: Assembly, file: str, series_id: str | None) -> str:
    chosen = _name_of_file(frame, file, series_id)
    others = [h for h in frame.header if h.lower() in _OHLC - {"close"}]
    if others:
        frame.findings.remark(f"only the column Close is read; left out: {', '.join(others)}")
    known = describe(chosen, "daily")
    known = replace(known, kind=known.kind or "price")
    read_wide(frame, assembly, lambda n: chosen if n.lower() == "close" else None, lambda _: known)
    return "closes of one index or share"


def _name_of_file(frame: Frame, file: str, series_id: str | None) -> str:
    """Id of a series whose column has no name of its own: --as, else the file's name."""
    if series_id:
        return series_id
    stem = PurePath(file).name.split(".")[0] or PurePath(file).stem
    stem = _FILE_NAMES.get(stem, stem)
    if stem in known_ids():
        return stem
    chosen = stem if _ID.match(stem) else slug(stem)
    if not chosen or chosen.lower() in DATE_NAMES | VALUE_NAMES | {"data", "download", "export", "table"}:
        raise frame.findings.stop("the header names no series and neither does the file", row=1,
                                  got=", ".join(frame.header), accepted="--as SERIES_ID")
    frame.findings.remark("the header names no series; named after the file", got=chosen,
                          accepted="another id with --as SERIES_ID")
    return chosen
