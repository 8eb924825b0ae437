"""Which series the engine knows: id, unit, frequency, source, transformation, publication lag, revisions.

Every series belongs to one panel (a table on one calendar) and is read under the id ``panel.LABEL``.
The **point-in-time rule** used everywhere: an observation of period end *e* is known at the close of

    e + lag     (calendar days, per series; ``lag_fourth_quarter`` where the fourth quarter is later)

and ``load_panel(name, as_of)`` shows nothing that was not known at the close of ``as_of``.  What the rule
cannot undo are revisions: the tables hold the latest vintage, not the first release; ``revised`` says for
which series that matters.

Lags (calendar days) and their reasons
    0    daily FX, Treasury par yields, equity closes: the figure of day D is struck and quoted on D and known
         that evening (the H.10 *table* is printed weekly, on the following Monday; the noon rate itself is
         not secret)
    1–3  monthly averages of rates and exchange rates: printed on the first business days of the next month
    5–40 monthly macro series: the usual release calendar of each publisher
    60   national income and product accounts: the second estimate, the first one with saving and corporate
         profits (90 for a fourth quarter, whose profits and saving come with the third estimate); the whole
         table is taken as one release so that its identities hold
    0/90 Federal Reserve stress-test history: market quotes (equity index, VIX, BBB yield) were observable at
         quarter end; house and commercial real-estate prices (from the Financial Accounts) about 75 days
         later, taken as 90. The Board prints the table once a year, in February.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from riskengine.base.axes import CURRENCIES, KEY_RATES
from riskengine.base.errors import InputError, Problem, suggest
from riskengine.data.continuation import continuations, source_ids
from riskengine.data.selection import active_store

DEFAULT_AS_OF = "2024-09-24"
"""The last day for which both the daily exchange rates and the daily Treasury curve are embedded; with
imported data the default is ``default_as_of()``."""
IMPORTED = "imported_daily"
"""The panel of the daily series of the data store that carry no embedded panel on."""

PUBLIC_DOMAIN = "work of the US government, public domain; source named"
ARCH_LICENCE = "read in place from the installed package arch (NCSA licence); not redistributed here"


@dataclass(frozen=True, slots=True)
class SeriesInfo:
    """What one series is.

    id : ``panel.label``.  unit : of the values a reader gets (after ``transformation``).
    frequency : 'daily', 'monthly', 'quarterly'.  column : its name in the source table.
    lag_days, lag_fourth_quarter : publication lag.
    revised : the publisher changes past values.  kind : 'price' (log moves), 'rate' (absolute moves), 'flow'.
    """

    id: str
    panel: str
    label: str
    title: str
    unit: str
    frequency: str
    source: str
    transformation: str
    lag_days: int
    revised: bool
    licence: str
    column: str
    kind: str = "price"
    lag_fourth_quarter: int | None = None


@dataclass(frozen=True, slots=True)
class PanelInfo:
    """One table: its bundled file (None: built from another panel or read from ``arch``) and its series."""

    name: str
    file: str | None
    frequency: str
    series: tuple[SeriesInfo, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(s.label for s in self.series)


CURRENCY_NAMES = dict(zip(CURRENCIES, (
    "Australian dollar", "Brazilian real", "Canadian dollar", "Swiss franc", "Chinese yuan", "Danish krone",
    "euro", "pound sterling", "Hong Kong dollar", "Indian rupee", "Japanese yen", "South Korean won",
    "Mexican peso", "Malaysian ringgit", "Norwegian krone", "New Zealand dollar", "Swedish krona",
    "Singapore dollar", "Thai baht", "New Taiwan dollar", "South African rand"), strict=True))

PAR_COLUMNS = {
    "1M": "1 Mo", "2M": "2 Mo", "3M": "3 Mo", "4M": "4 Mo", "6M": "6 Mo", "1Y": "1 Yr", "2Y": "2 Yr",
    "3Y": "3 Yr", "5Y": "5 Yr", "7Y": "7 Yr", "10Y": "10 Yr", "20Y": "20 Yr", "30Y": "30 Yr",
}
TENOR_YEARS = {"1M": 1 / 12, "2M": 2 / 12, "3M": 0.25, "4M": 4 / 12} | KEY_RATES

_RATES_MONTHLY = {
    **{f"GS{c}": f"constant maturity Treasury yield, {t}" for c, t in (
        ("1M", "1 month"), ("3M", "3 months"), ("6M", "6 months"), ("1", "1 year"), ("2", "2 years"),
        ("3", "3 years"), ("5", "5 years"), ("7", "7 years"), ("10", "10 years"), ("20", "20 years"),
        ("30", "30 years"))},
    "TB3MS": "3-month Treasury bill, secondary market, discount basis",
    "TB6MS": "6-month Treasury bill, secondary market, discount basis",
    "TB1YR": "1-year Treasury bill, secondary market, discount basis",
    **{f"FII{n}": f"inflation-indexed Treasury yield, constant maturity {n} years"
       for n in (5, 7, 10, 20, 30)},
    "LTIIT": "inflation-indexed Treasuries with more than 10 years, average yield",
    "FEDFUNDS": "effective federal funds rate",
    "MPRIME": "bank prime loan rate",
}
_MACRO_MONTHLY = {  # column: (title, unit, source, lag, revised, kind)
    "CPIAUCSL": ("consumer prices, all urban consumers, seasonally adjusted", "index 1982-84 = 100",
                 "Bureau of Labor Statistics", 15, True, "price"),
    "UNRATE": ("unemployment rate", "percent", "Bureau of Labor Statistics", 8, True, "rate"),
    "INDPRO": ("industrial production", "index 2017 = 100", "Federal Reserve G.17", 18, True, "price"),
    "HOUST": ("housing starts", "thousands, annual rate", "Census Bureau", 20, True, "price"),
    "M2SL": ("money stock M2", "USD bn", "Federal Reserve H.6", 28, True, "price"),
    "MCOILWTICO": ("crude oil, West Texas Intermediate", "USD per barrel",
                   "Energy Information Administration", 10, False, "price"),
    "MCOILBRENTEU": ("crude oil, Brent", "USD per barrel",
                     "Energy Information Administration", 10, False, "price"),
    "USGSEC": ("Treasury and agency securities held by commercial banks", "USD bn", "Federal Reserve H.8",
               15, True, "price"),
    "REALLN": ("real-estate loans of commercial banks", "USD bn", "Federal Reserve H.8", 15, True, "price"),
    "LOANS": ("loans and leases in bank credit", "USD bn", "Federal Reserve H.8", 15, True, "price"),
    "PSAVERT": ("personal saving rate", "percent", "Bureau of Economic Analysis", 31, True, "rate"),
    "PCE": ("personal consumption expenditures", "USD bn, annual rate", "Bureau of Economic Analysis",
            31, True, "price"),
    "TOTRESNS": ("reserves of depository institutions", "USD bn", "Federal Reserve H.6", 28, True, "price"),
}
_NIPA = {
    "GDP": "gross domestic product", "NETFI": "balance on current account (NIPA basis)",
    "NETEXP": "net exports of goods and services", "EXPGS": "exports of goods and services",
    "IMPGS": "imports of goods and services", "GSAVE": "gross saving", "GPSAVE": "gross private saving",
    "GGSAVE": "gross government saving", "PSAVE": "personal saving",
    "GPDI": "gross private domestic investment", "FPI": "fixed private investment",
    "PNFI": "private non-residential fixed investment",
    "PRFI": "private residential fixed investment", "GCE": "government consumption and gross investment",
    "FGDEF": "net federal government saving", "TGDEF": "net government saving",
    "GDPC1": "real gross domestic product", "GNP": "gross national product",
}
_STRESS = {  # label: (column, title, unit, lag, revised, kind)
    "bbb_corporate_yield": ("bbb_corporate_yield_pct", "BBB corporate bond yield, quarterly average",
                            "decimal", 0, False, "rate"),
    "equity_total_market_index": ("equity_total_market_index", "US total stock market index, end of quarter",
                                  "index points", 0, False, "price"),
    "house_price_index": ("house_price_index", "national house price index", "index points",
                          90, True, "price"),
    "commercial_real_estate_price_index": (
        "commercial_real_estate_price_index", "commercial real-estate price index", "index points",
        90, True, "price"),
    "vix_quarter_max": ("vix_quarter_max", "VIX, largest value of the quarter", "percent", 0, False, "rate"),
}


def _treasury(panel: str, tenors: tuple[str, ...], source: str, transformation: str, title: str) -> tuple:
    return tuple(
        SeriesInfo(f"{panel}.{t}", panel, t, f"{title}, {t}", "decimal", "daily", source, transformation,
                   0, False, PUBLIC_DOMAIN, PAR_COLUMNS[t], "rate") for t in tenors)


def _currencies(panel: str, frequency: str, source: str, lag: int) -> tuple[SeriesInfo, ...]:
    return tuple(
        SeriesInfo(f"{panel}.{c}", panel, c, CURRENCY_NAMES[c], f"USD per {c}", frequency, source,
                   "inverse of the published quote (foreign units per USD)", lag, False, PUBLIC_DOMAIN, c)
        for c in CURRENCIES)


def _build() -> dict[str, PanelInfo]:
    par_source = "US Treasury, daily par yield curve rates"
    cmt_source = "Federal Reserve H.15, constant maturity (dates rebuilt; a few around holidays off by one)"
    percent = "published percent / 100"
    nipa = "Bureau of Economic Analysis, national income and product accounts"
    stress = "Federal Reserve Board, 2025 stress test scenarios, historical domestic table"
    arch = "package arch, bundled daily index file"
    panels = [
        PanelInfo("fx_daily", "fx_daily.parquet", "daily",
                  _currencies("fx_daily", "daily", "Federal Reserve H.10, noon New York rates", 0)),
        PanelInfo("fx_monthly", "fx_monthly.parquet", "monthly",
                  _currencies("fx_monthly", "monthly", "Federal Reserve G.5, monthly averages", 3)),
        PanelInfo("treasury_par_daily", "treasury_par_daily.parquet", "daily",
                  _treasury("treasury_par_daily", tuple(PAR_COLUMNS), par_source, percent,
                            "Treasury par yield")),
        PanelInfo("treasury_cmt_daily", "treasury_cmt_daily.parquet", "daily",
                  _treasury("treasury_cmt_daily", ("1Y", "3Y", "5Y", "10Y"), cmt_source, percent,
                            "constant maturity Treasury yield")),
        PanelInfo("zero_rates_daily", None, "daily",
                  _treasury("zero_rates_daily", tuple(KEY_RATES), par_source,
                            "bootstrapped from treasury_par_daily to continuously compounded zero rates",
                            "Treasury zero rate")),
        PanelInfo("rates_monthly", "rates_monthly.parquet", "monthly", tuple(
            SeriesInfo(f"rates_monthly.{c}", "rates_monthly", c, title, "decimal", "monthly",
                       "Federal Reserve H.15, monthly averages", percent, 1, False, PUBLIC_DOMAIN, c, "rate")
            for c, title in _RATES_MONTHLY.items())),
        PanelInfo("macro_monthly", "macro_monthly.parquet", "monthly", tuple(
            SeriesInfo(f"macro_monthly.{c}", "macro_monthly", c, title, unit, "monthly", source, "none",
                       lag, revised, PUBLIC_DOMAIN, c, kind)
            for c, (title, unit, source, lag, revised, kind) in _MACRO_MONTHLY.items())),
        PanelInfo("external_saving_quarterly", "external_saving_quarterly.parquet", "quarterly", tuple(
            SeriesInfo(f"external_saving_quarterly.{c}", "external_saving_quarterly", c, title,
                       "USD bn of 2017, annual rate" if c == "GDPC1" else "USD bn, annual rate",
                       "quarterly", nipa, "none", 60, True, PUBLIC_DOMAIN, c, "flow", 90)
            for c, title in _NIPA.items())),
        PanelInfo("stress_history_quarterly", "stress_history_quarterly.parquet", "quarterly", tuple(
            SeriesInfo(f"stress_history_quarterly.{label}", "stress_history_quarterly", label, title, unit,
                       "quarterly", stress, percent if unit == "decimal" else "none", lag, revised,
                       PUBLIC_DOMAIN, column, kind)
            for label, (column, title, unit, lag, revised, kind) in _STRESS.items())),
        PanelInfo("equity_daily", None, "daily", tuple(
            SeriesInfo(f"equity_daily.{label}", "equity_daily", label, title, "index points", "daily", arch,
                       "close", 0, False, ARCH_LICENCE, folder)
            for label, folder, title in (("SP500", "sp500", "S&P 500, daily close"),
                                         ("NASDAQ", "nasdaq", "NASDAQ Composite, daily close")))),
    ]
    return {p.name: p for p in panels}


PANELS: dict[str, PanelInfo] = _build()
SERIES: dict[str, SeriesInfo] = {s.id: s for p in PANELS.values() for s in p.series}


def panel_info(name: str) -> PanelInfo:
    """The panel called *name*, as the active data store carries it on; InputError with the known names."""
    store = active_store()
    panels = PANELS if store.version == "embedded" else _panels_at(store.version)
    try:
        return panels[name]
    except KeyError:
        raise InputError(
            Problem("unknown panel", got=repr(name), accepted=suggest(name, tuple(panels)))) from None


def panels_in_use() -> dict[str, PanelInfo]:
    """Every panel by name: the embedded ones and, while something daily is imported, ``imported_daily``."""
    store = active_store()
    return PANELS if store.version == "embedded" else _panels_at(store.version)


def default_as_of() -> str:
    """The day a night is run for when none is named.

    The last New York business day on which the euro and the 10-year yield are quoted, and the S&P 500 as well
    where the data store carries it on; currencies quoted a few weeks earlier are bridged and marked
    (``snapshot``).  Never before DEFAULT_AS_OF, which it is while nothing is imported.
    """
    if active_store().version == "embedded":
        return DEFAULT_AS_OF
    from riskengine.data.panels import last_common_day

    return max(DEFAULT_AS_OF, last_common_day())


@lru_cache(maxsize=8)
def _panels_at(version: str) -> dict[str, PanelInfo]:
    """The panels with the store of content hash *version*: named sources, and ``imported_daily``."""
    store = active_store()
    panels = {}
    for name, panel in PANELS.items():
        sources = continuations("treasury_par_daily" if name == "zero_rates_daily" else name)
        series = tuple(_carried_on(s, sources.get(s.label, ()), store) for s in panel.series)
        panels[name] = replace(panel, series=series)
    claimed = source_ids()
    entries = [e for e in store.series.values()
               if e.frequency == "daily" and e.id not in claimed and not e.published]
    if entries:
        panels[IMPORTED] = PanelInfo(IMPORTED, None, "daily", tuple(
            SeriesInfo(f"{IMPORTED}.{e.id}", IMPORTED, e.id, e.title, e.unit, "daily", e.source,
                       "none", e.lag_days, e.revised, "imported by the user; not redistributed", e.id,
                       "rate" if kind_of(e) == "return" else kind_of(e)) for e in entries))
    return panels


def _carried_on(series: SeriesInfo, sources: tuple, store) -> SeriesInfo:
    named = [f"{c.series} ({c.hour}{', chained by its returns' if c.quote == 'chained' else ''})"
             for c in sources if c.series in store.series]
    if not named:
        return series
    return replace(series, source=f"{series.source}; after its end, imported: {', '.join(named)}")


def kind_of(entry) -> str:
    """'price', 'rate', 'flow' or 'return' of a series of the data store; a series nobody knows is a rate
    where its unit is a percentage, else a price."""
    from riskengine.data.readers.known_series import describe

    known = describe(entry.id, entry.frequency).kind
    return known or ("rate" if entry.unit.lower().startswith(("percent", "per cent", "%")) else "price")


def series_info(series_id: str) -> SeriesInfo:
    """The series ``panel.label``; InputError with near ids otherwise."""
    for panel in panels_in_use().values():
        if series_id.startswith(panel.name + "."):
            for series in panel.series:
                if series.id == series_id:
                    return series
    known = tuple(s.id for p in panels_in_use().values() for s in p.series)
    raise InputError(Problem("unknown series", got=repr(series_id), accepted=suggest(series_id, known)))
