"""What must be known about the imported series: what fails, contradicts, jumps or stands still?

    disagreement   a source and the embedded figure of the same day differ by more than ``continuation``
                   allows
    unit           the level of one week is 100, 1,000, … times that of the week before, or its inverse
    outlier        a move beyond OUTLIER robust standard deviations; not counted on market-wide days, on which
                   at least CLUSTER_SHARE (and three) of the series quoted move by more than CLUSTER such
                   deviations
    calendar       a few weekend or holiday dates among business days (a series of every calendar day is none)
    stale          the newest observation due at the as-of date is missing
    fails          values cannot be read, or stand where no market can be (a price of 0): named, never dropped

Nothing is corrected.  Only what was known at the as-of date is looked at.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from riskengine.base.errors import InputError
from riskengine.data.catalog import IMPORTED, PanelInfo, kind_of, panels_in_use
from riskengine.data.continuation import business_days, continuations, disagreements, mismatches
from riskengine.data.panels import embedded_history, known_dates, parse_as_of
from riskengine.data.readers.known_series import describe
from riskengine.data.series_entries import known_on
from riskengine.data.snapshot import bridged_currencies
from riskengine.result import DataQualityItem

OUTLIER = 10.0
CLUSTER = 5.0
CLUSTER_SHARE = 0.2
WEEK = 5
"""Observations before and after a day whose medians are compared for a change of unit."""
_FACTORS = {f"× {f:,}": np.log(f) for f in (100, 1000, 10_000, 1_000_000)}
_NEAR = 0.25
"""Log distance within which a ratio of weeks counts as one of the factors, or as an inversion."""
ODD_DAYS = 0.10
"""Share of non-business days below which they are odd; above, the series is one of every calendar day."""
FEW_HOLIDAYS = 0.002
STALE_DAYS = {"daily": 10, "weekly": 21, "monthly": 45, "quarterly": 120, "annual": 400}
"""Calendar days after period end + lag at which the next observation should long have been there."""
MOST_NAMES = 8


def imported_quality(as_of: str, store) -> list[DataQualityItem]:
    """Items on the active store's series as known at *as_of*; empty while nothing is imported."""
    if not store.series:
        return []
    day = parse_as_of(as_of)
    known, items = {}, []
    for name in sorted(store.series):
        try:
            dates, values = store.read(name)
        except InputError as error:
            items.append(DataQualityItem("red", name, f"cannot be read and is in no panel: {error}"))
            continue
        rows = known_on(store.series[name], dates) <= day
        if rows.any():
            known[name] = dates[rows], values[rows]
    items += _disagreements(as_of, store)
    items += _bridged(as_of)
    items += _levels(known, store)
    items += _calendars(known, store)
    items += _stale(known, store, day)
    items += _outliers(known, store)
    items += _policy(store)
    return items


def unit_changes(values: np.ndarray) -> list[tuple[int, str]]:
    """[(position, 'x 100' …)] where the level changes for good as if the unit or the quotation had.

    values : (T,) positive.  A week's median before and after is compared, so that one misprint is none.
    """
    if len(values) < 2 * WEEK or not (values > 0).all():
        return []
    logs = np.log(values)
    weeks = np.lib.stride_tricks.sliding_window_view(logs, WEEK)
    middle = np.median(weeks, axis=1)
    before, after = middle[:-WEEK], middle[WEEK:]
    step = after - before
    found: list[tuple[int, str]] = []
    for name, size in _FACTORS.items():
        for sign, text in ((1.0, name), (-1.0, name.replace("×", "÷"))):
            found += [(i + WEEK, text) for i in _first_of_runs(np.abs(step - sign * size) < _NEAR)]
    turned = (np.abs(before + after) < 0.1) & (np.abs(before) > 1.0)
    found += [(i + WEEK, "inverted") for i in _first_of_runs(turned)]
    sharp = np.abs(np.diff(logs))
    out = {}
    for at, text in found:  # the jump itself lies within the week
        lo, hi = max(at - WEEK, 0), min(at + WEEK, len(sharp))
        out.setdefault(lo + int(np.argmax(sharp[lo:hi])) + 1, text)
    return sorted(out.items())


def robust_scores(kind: str, dates: np.ndarray, values: np.ndarray, gap_days: int = 10
                  ) -> tuple[np.ndarray, np.ndarray]:
    """Days (n − 1,) and moves over their robust standard deviation (1.4826 × median absolute deviation of the
    moves that are not zero); NaN across gaps longer than *gap_days* and where too little moves."""
    positive = kind == "price" and bool((values > 0).all())
    moves = np.diff(np.log(values)) if positive else np.diff(values)
    close = np.diff(dates).astype(int) <= gap_days
    moved = moves[close & (moves != 0)]
    if len(moved) < 60:
        return dates[1:], np.full(len(moves), np.nan)
    scale = 1.4826 * np.median(np.abs(moved - np.median(moved)))
    return dates[1:], np.where(close, moves / max(scale, 1e-12), np.nan)


def _first_of_runs(flags: np.ndarray) -> list[int]:
    return [int(i) for i in np.flatnonzero(flags & ~np.r_[False, flags[:-1]])]


def _disagreements(as_of: str, store) -> list[DataQualityItem]:
    items = []
    day = parse_as_of(as_of)
    for panel in ("fx_daily", "treasury_par_daily", "equity_daily"):
        info = panels_in_use()[panel]
        dates, values = embedded_history(panel)
        values = np.where(known_dates(info, dates) <= day, values, np.nan)
        kind = info.series[0].kind
        others = mismatches(panel, info.labels, *embedded_history(panel), store, day)
        items += [DataQualityItem("red", f"{panel}.{label}", f"{series} is not used, it is another series or "
                                  f"another unit: {reason}") for label, series, reason in others]
        found = disagreements(panel, kind, info.labels, dates, values, store)
        for label, series, days, gaps, tolerance in found:
            worst = int(np.argmax(np.abs(gaps)))
            recent = (day - days[-1]).astype(int) < 365
            items.append(DataQualityItem(
                "warning" if recent else "info", f"{panel}.{label}",
                f"{series} differs from the embedded figure by more than {_size(kind, tolerance, False)} on "
                f"{len(days)} day(s), the embedded one stands: {_days(days)}; largest "
                f"{_size(kind, gaps[worst])} on {days[worst]}"))
    return items


def _bridged(as_of: str) -> list[DataQualityItem]:
    found = bridged_currencies(as_of)
    if not found:
        return []
    names = ", ".join(f"{i.id.removeprefix('spot.')} ± {100 * (i.se or 0) / i.value:.1f}%" for i, _ in found)
    since = ", ".join(sorted({str(last) for _, last in found}))
    return [DataQualityItem(
        "red", "fx_daily",
        f"not quoted since {since}, estimated by regression on the currencies quoted since, positions "
        f"priced off them are marked (± one standard error): {names}. Red until their rates are imported "
        "(riskengine data update)")]


def _levels(known: dict, store) -> list[DataQualityItem]:
    items = []
    yields = {c.series for sources in continuations("treasury_par_daily").values() for c in sources}
    for name, (dates, values) in known.items():
        entry = store.series[name]
        kind = describe(name, entry.frequency).kind
        if kind == "price" and (values <= 0).any():
            bad = dates[values <= 0]
            items.append(DataQualityItem(
                "red", name, f"no market price: 0 or less on {len(bad)} day(s), left out where it would "
                             f"carry a panel on: {_days(bad)}"))
        if kind == "rate" and name in yields and (np.abs(values) >= 100.0).any():
            bad = dates[np.abs(values) >= 100.0]
            items.append(DataQualityItem(
                "red", name, f"no market yield: 100% or more on {len(bad)} day(s), left out of the curve: "
                f"{_days(bad)}"))
        if kind == "price" or entry.frequency == "daily" and kind != "return":  # slow rates may rise a hundredfold
            dates, values = dates[values > 0], values[values > 0]
            jumps = [f"{dates[i]} ({text})" for i, text in unit_changes(values)]
            if jumps:
                items.append(DataQualityItem("red", name, "the unit or the quotation seems to change: "
                                             + _names(jumps)))
    return items


def _calendars(known: dict, store) -> list[DataQualityItem]:
    items, counted = [], []
    for name, (dates, _) in known.items():
        if store.series[name].frequency != "daily":
            continue
        weekend = ~np.is_busday(dates)
        if 0 < weekend.mean() < ODD_DAYS:
            items.append(DataQualityItem(
                "warning", name,
                f"{int(weekend.sum())} observation(s) on a weekend: {_days(dates[weekend])}"))
        holidays = ~business_days(dates) & ~weekend
        if 0 < holidays.mean() < FEW_HOLIDAYS:  # more: a market that is open when banks are closed
            counted.append(f"{name} {int(holidays.sum())} (last {dates[holidays][-1]})")
    if counted:
        items.append(DataQualityItem(
            "info", IMPORTED, "observations on days on which the Federal Reserve is closed, kept as is, "
                              f"never used to carry an embedded panel on: {_names(counted)}"))
    return _together(items)


def _stale(known: dict, store, day: np.datetime64) -> list[DataQualityItem]:
    """Per publisher: what is not known yet, and what should have been followed by a newer observation."""
    early: dict[str, list[str]] = {}
    ended: dict[str, list[str]] = {}
    for name, entry in store.series.items():
        if entry.published:
            continue
        if name not in known:
            early.setdefault(family_of(name), []).append(name)
            continue
        last = known[name][0][-1]
        late = entry.lag_days + STALE_DAYS.get(entry.frequency, 400)
        if entry.frequency != "daily" and (day - last).astype(int) > late:  # daily ones: with their panel
            ended.setdefault(family_of(name), []).append(f"{name} {last}")
    return [DataQualityItem("info", family, "nothing was known yet at this as-of date: " + _names(names))
            for family, names in early.items()] + [
        DataQualityItem("info", family, f"{len(names)} series should have newer observations by now (last "
                        "ones): " + _names(names)) for family, names in ended.items()]


def _outliers(known: dict, store) -> list[DataQualityItem]:
    scores = {}
    for name, (dates, values) in known.items():
        entry = store.series[name]
        if entry.frequency == "daily" and not entry.published:
            kind = kind_of(entry)
            if kind == "return":
                values = np.cumsum(values)
            scores[name] = robust_scores("rate" if kind == "return" else kind, dates, values)
    if not scores:
        return []
    days = np.unique(np.concatenate([d for d, _ in scores.values()]))
    quoted, moved = np.zeros(len(days)), np.zeros(len(days))
    for when, z in scores.values():
        at = np.searchsorted(days, when)
        quoted[at] += np.isfinite(z)
        moved[at] += np.abs(np.nan_to_num(z)) > CLUSTER
    wide = (moved >= 3) & (moved >= CLUSTER_SHARE * quoted)
    items, counted, apart = [], [], 0
    for name, (when, z) in sorted(scores.items()):
        far = np.abs(np.nan_to_num(z)) > OUTLIER
        own = far & ~wide[np.searchsorted(days, when)]
        apart += int((far & ~own).sum())
        if own.any():
            worst = int(np.argmax(np.where(own, np.abs(np.nan_to_num(z)), 0)))
            counted.append(f"{name} {int(own.sum())} (largest {z[worst]:+.0f}, {when[worst]})")
    if counted:
        items.append(DataQualityItem(
            "info", IMPORTED, f"moves beyond {OUTLIER:.0f} robust standard deviations on days when the "
                              "market did not move as a whole, kept as is: " + "; ".join(counted)))
    if apart:
        items.append(DataQualityItem(
            "info", IMPORTED, f"{apart} further such moves fall on {int(wide.sum())} market-wide days and "
                              f"are no remarks on a series; the last: {_days(days[wide])}"))
    return items


def _policy(store) -> list[DataQualityItem]:
    revised = sorted({n if "." not in n else family_of(n) for n, e in store.series.items() if e.revised})
    assumed = sorted(n for n, e in store.series.items() if "assumed" in e.note)
    items = []
    if revised:
        items.append(DataQualityItem(
            "info", IMPORTED, "revised by their publishers, the first release is not known (latest vintage; "
            "publication lags are respected): " + _names(revised)))
    if assumed:
        items.append(DataQualityItem(
            "info", IMPORTED, "publication lag and vintage policy assumed, the program does not know the "
                              "series: "
            + _names(assumed)))
    return items


def family_of(name: str) -> str:
    """'tic.slt.japan.treas_pos' → 'tic.slt', 'etf.SPY' → 'etf', 'DGS10' → 'FRED' (ids without a prefix)."""
    parts = name.split(".")
    return ".".join(parts[:2]) if len(parts) > 2 else parts[0] if len(parts) > 1 else "FRED"


def _together(items: list[DataQualityItem]) -> list[DataQualityItem]:
    """One item for all series of a publisher that say the same."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for item in items:
        groups.setdefault((item.severity, family_of(item.series), item.message), []).append(item.series)
    return [DataQualityItem(severity, names[0] if len(names) == 1 else family,
                            text + ("" if len(names) == 1 else f" ({len(names)} series: {_names(names)})"))
            for (severity, family, text), names in groups.items()]


def _days(days: Iterable) -> str:
    """The last MOST_NAMES days, and how many more there are."""
    every = [str(d) for d in days]
    shown = ", ".join(every[-MOST_NAMES:])
    return f"{len(every) - MOST_NAMES} earlier and {shown}" if len(every) > MOST_NAMES else shown


def _names(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more


def _size(kind: str, gap: float, sign: bool = True) -> str:
    number = f"{100 * gap:+.2f}%" if kind == "price" else f"{1e4 * gap:+.1f} bp"
    return number if sign else number.lstrip("+")
