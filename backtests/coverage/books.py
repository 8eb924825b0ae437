"""What is held: fixed books whose daily P&L is linear in observed moves, by asset class and in total.

A ``Panel`` of moves has its own calendar, the days on which every member is quoted; a book is a row of
weights on it, so that P&L_t = w' x_t.  Everything is held long and a gain is positive:

    currencies   x = Δ ln(USD per unit), per unit of USD exposure
    Treasuries   x = −Δz, z the continuously compounded zero rate of 1, 3, 5, 10 years: gain of 1 USD per bp
                 of DV01, in units of yield; rates before 1990 are constant maturity yields, bootstrapped from
                 the four quoted tenors like the par curve after it
    equities     x = ln(1 + r), r the daily return of the market in excess of bills (imported: ``ff5.Mkt-RF``)
                 or of the S&P 500 index (embedded, 1999 to 2018; imported ``SP500`` carries it on)
    total        per 100 USD: 40 in equities, 60 in Treasuries with the DV01 of 5 years spread evenly over the
                 four tenors, 20 in seven major currencies

Currencies begin with the float (19 March 1973), others with the start of their regime (factors.definitions).
Nothing here depends on what came after: weights are fixed, calendars look at one day at a time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from factors.history import daily_moves, factor_levels, read_panels
from riskengine.base.errors import InputError, Problem, suggest
from riskengine.data.panels import load_panel
from riskengine.data.selection import active_store
from riskengine.market import bootstrap_zero_rates

MAJORS = ("CAD", "CHF", "DKK", "GBP", "JPY", "NOK", "SEK")
"""Moving freely against the dollar since 1973; the Danish krone stands for the mark and the euro."""
AUSTRALASIA = ("AUD", "NZD")
AUSTRALASIA_START = "1985-03-04"
"""Float of the New Zealand dollar; the Australian dollar floats since December 1983."""
SINCE_EURO = ("EUR", "JPY", "GBP", "AUD", "KRW", "MXN", "ZAR")
EMERGING = ("KRW", "MXN", "ZAR", "BRL", "INR")
FLOAT = "1973-03-19"
EMERGING_START = "2003-01-02"
"""The real's usable regime (factors.definitions)."""
TENORS = ("1Y", "3Y", "5Y", "10Y")
YEARS = (1.0, 3.0, 5.0, 10.0)
SECTORS = ("NoDur", "Durbl", "Manuf", "Enrgy", "HiTec", "Telcm", "Shops", "Hlth", "Utils", "Other")
EQUITY_SHARE, TREASURY_SHARE, TREASURY_DURATION, CURRENCY_SHARE = 0.40, 0.60, 5.0, 0.20
NIGHT_CURRENCIES = ("FX_EUR", "FX_JPY", "FX_GBP", "FX_AUD", "FX_KRW", "FX_MXN")
NIGHT_YIELDS = ("UST_2Y", "UST_10Y")
NIGHT_BOOK = "equally weighted FX book"
MAX_GAP_DAYS = 10
"""Moves across a longer gap in the quotes are not one-day moves and are left out."""


@dataclass(frozen=True, slots=True)
class Moves:
    """Moves of a panel: name, dates (T,) of the end of each move, values (T, N) gains of a long holder,
    labels."""

    name: str
    dates: np.ndarray
    values: np.ndarray
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Book:
    """A fixed book: its asset class, the panel it lives on and weights (N,) on that panel's columns."""

    name: str
    asset_class: str
    panel: str
    weights: tuple[float, ...]
    description: str


@dataclass(frozen=True, slots=True)
class Holdings:
    """Books with the panels they need, by name."""

    books: tuple[Book, ...]
    panels: dict[str, Moves]

    def choose(self, names: tuple[str, ...] | None) -> Holdings:
        """Only the books (or asset classes) called *names*; InputError with what there is."""
        if not names:
            return self
        known = tuple(dict.fromkeys([b.asset_class for b in self.books] + [b.name for b in self.books]))
        wrong = [n for n in names if n not in known]
        if wrong:
            raise InputError([Problem("unknown book or asset class", field="books", got=repr(n),
                                      accepted=suggest(n, known)) for n in wrong])
        books = tuple(b for b in self.books if b.name in names or b.asset_class in names)
        used = {b.panel for b in books}
        return Holdings(books, {k: v for k, v in self.panels.items() if k in used})


def standard_books(as_of: str) -> Holdings:
    """Every book the embedded and imported series allow, with nothing after *as_of*; InputError when there is
    none."""
    fx, treasury, equity = _currencies(as_of), _treasuries(as_of), _equity(as_of)
    panels: dict[str, Moves] = {}
    books: list[Book] = []
    for name, currencies, start in (("majors", MAJORS, FLOAT),
                                    ("australasia", AUSTRALASIA, AUSTRALASIA_START),
                                    ("since the euro", SINCE_EURO, "1999-01-04"),
                                    ("emerging", EMERGING, EMERGING_START)):
        if not _add(panels, name, _between(fx, currencies, start)):
            continue
        if name == "emerging":
            books.append(_equal("FX emerging", "currencies", panels[name], "five currencies, equal weights"))
            continue
        covered = ("EUR", "KRW", "MXN", "ZAR") if name == "since the euro" else currencies
        books += [_single(f"FX {c}", "currencies", panels[name], c, f"{c} held long against the dollar")
                  for c in covered]
        if name == "majors":
            books.append(_equal("FX majors", "currencies", panels[name],
                                "seven major currencies, equal weights"))
    if _add(panels, "treasuries", treasury):
        books += [_single(f"UST {t}", "Treasuries", panels["treasuries"], t,
                          f"{t} zero-coupon bond, fixed DV01")
                  for t in TENORS]
        books.append(_equal("Treasuries", "Treasuries", panels["treasuries"],
                            "1, 3, 5, 10 years, equal DV01"))
    if equity is not None and _add(panels, "equity", equity):
        held = "the US market" if equity[2][0] == "Mkt-RF" else "the S&P 500"
        books.append(_single("US equities", "equities", panels["equity"], equity[2][0],
                             f"fixed dollar amount of {held}"))
    sectors = _sectors(as_of)
    if sectors is not None and _add(panels, "sectors", sectors):
        books += [_single(f"sector {s}", "sectors", panels["sectors"], s, f"Fama–French industry {s}")
                  for s in SECTORS]
        books.append(_equal("sectors", "sectors", panels["sectors"], "ten industries, equal weights"))
    if equity is not None and _add(panels, "total", _together(_between(fx, MAJORS, FLOAT), treasury, equity)):
        weights = (*[CURRENCY_SHARE / len(MAJORS)] * len(MAJORS),
                   *[TREASURY_SHARE * TREASURY_DURATION / len(TENORS)] * len(TENORS), EQUITY_SHARE)
        books.append(Book("total", "total", "total", weights, "40 equities, 60 Treasuries, 20 currencies"))
    if not books:
        raise InputError(Problem("no book has a history yet", field="as_of", got=as_of,
                                 accepted="a day from 1963 on"))
    return Holdings(tuple(books), panels)


def night_books(as_of: str) -> Holdings:
    """What the nightly report covers: factors of the default model and an equally weighted currency book."""
    moves = daily_moves(factor_levels(read_panels(as_of)))
    labels = NIGHT_CURRENCIES + NIGHT_YIELDS
    x = np.column_stack([moves.column(label) for label in labels])
    whole = np.isfinite(x).all(axis=1)
    x = x[whole] * np.array([1.0 if label.startswith("FX_") else -1.0 for label in labels])
    panel = Moves("night", moves.dates[whole], np.ascontiguousarray(x), labels)
    books = [_single(label, "currencies" if label.startswith("FX_") else "Treasuries", panel, label, label)
             for label in labels]
    share = len(NIGHT_CURRENCIES)
    weights = (*[1.0 / share] * share, *[0.0] * len(NIGHT_YIELDS))
    books.append(Book(NIGHT_BOOK, "currencies", "night", weights, "six currencies, equal weights"))
    return Holdings(tuple(books), {"night": panel})


# -------------------------------------------------------------------------------------------------- sources
Levels = tuple[np.ndarray, np.ndarray, tuple[str, ...]]
"""Dates (T,), levels or moves (T, N) with NaN, labels."""


def _currencies(as_of: str) -> Levels:
    panel = load_panel("fx_daily", as_of)
    return panel.dates, np.log(panel.values), panel.axis.labels


def _between(levels: Levels, names: tuple[str, ...], start: str) -> Levels:
    """Moves of *names* between the days from *start* on on which all of them are quoted."""
    dates, values, labels = levels
    values = values[:, [labels.index(n) for n in names]]
    keep = np.isfinite(values).all(axis=1) & (dates >= np.datetime64(start))
    return (*_difference(dates[keep], values[keep]), names)


def _difference(dates: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    near = np.diff(dates) <= np.timedelta64(MAX_GAP_DAYS, "D")
    return dates[1:][near], np.diff(values, axis=0)[near]


def _treasuries(as_of: str) -> Levels:
    parts = []
    for name in ("treasury_cmt_daily", "treasury_par_daily"):
        try:
            panel = load_panel(name, as_of)
        except InputError:
            continue  # an as-of date before the first par yield
        par = panel.values[:, [panel.axis.index(t) for t in TENORS]]
        parts.append((panel.dates, par))
    dates = np.concatenate([d for d, _ in parts])
    zero = bootstrap_zero_rates(np.array(YEARS), np.concatenate([p for _, p in parts]), np.array(YEARS))
    keep = np.isfinite(zero).all(axis=1)
    days, moves = _difference(dates[keep], -zero[keep])
    return days, moves, TENORS


def _equity(as_of: str) -> Levels | None:
    """The imported market return where there is one, else the index; None before the first of them."""
    store = active_store()
    if "ff5.Mkt-RF" in store.series:
        dates, values = store.read_as_of("ff5.Mkt-RF", as_of)
        return dates, np.log1p(values / 100.0)[:, None], ("Mkt-RF",)
    try:
        panel = load_panel("equity_daily", as_of)
    except InputError:
        return None  # an as-of date before the first close
    level = np.log(panel.values[:, panel.axis.index("SP500")])
    keep = np.isfinite(level)
    return (*_difference(panel.dates[keep], level[keep][:, None]), ("SP500",))


def _sectors(as_of: str) -> Levels | None:
    store = active_store()
    ids = [f"ff10.{s}" for s in SECTORS]
    if not all(i in store.series for i in ids):
        return None
    read = [store.read_as_of(i, as_of) for i in ids]
    return _together(*((d, np.log1p(v / 100.0)[:, None], (s,)) for (d, v), s in zip(read, SECTORS,
                                                                                  strict=True)))


def _together(*parts: Levels) -> Levels:
    """Moves of the days that all *parts* have.

    A day that one of them lacks (a holiday of one market) is left out: 42 of the 5,030 embedded days of
    equities.
    """
    dates = parts[0][0]
    for part in parts[1:]:
        dates = np.intersect1d(dates, part[0])
    values = np.hstack([v[np.searchsorted(d, dates)] for d, v, _ in parts])
    return dates, values, tuple(label for _, _, names in parts for label in names)


def _add(panels: dict[str, Moves], name: str, moves: Levels) -> bool:
    """Put the complete rows of *moves* into *panels*, if there are any."""
    dates, values, labels = moves
    whole = np.isfinite(values).all(axis=1)
    if whole.any():
        panels[name] = Moves(name, dates[whole].astype("datetime64[D]"), np.ascontiguousarray(values[whole]),
                             labels)
    return bool(whole.any())


def _single(name: str, asset_class: str, panel: Moves, label: str, description: str) -> Book:
    weights = tuple(1.0 if x == label else 0.0 for x in panel.labels)
    return Book(name, asset_class, panel.name, weights, description)


def _equal(name: str, asset_class: str, panel: Moves, description: str) -> Book:
    return Book(name, asset_class, panel.name, (1.0 / len(panel.labels),) * len(panel.labels), description)
