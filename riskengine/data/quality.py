"""How good are the data behind a night: coverage, gaps, stale series, outliers, jumps of unit.

``series_status`` lists every series as known at the as-of date; ``data_quality`` says what a reader must
know, worst first.  An outlier is a move of more than 10 robust standard deviations (1.4826 · median absolute
deviation of the non-zero moves; a currency that was pegged for years has many, its revaluations); a
*reversal* is a large daily outlier undone by the next one, the mark of a misprint.  Outliers are counted and
shown, never removed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from riskengine.base.axes import KEY_RATES
from riskengine.base.dates import federal_holidays
from riskengine.base.errors import InputError
from riskengine.data.catalog import IMPORTED, SERIES, PanelInfo, SeriesInfo, panels_in_use
from riskengine.data.imported_quality import family_of, imported_quality
from riskengine.data.panels import known_history, parse_as_of
from riskengine.data.selection import active_store
from riskengine.data.snapshot import MAX_AGE_DAYS, bridged_currencies
from riskengine.result import DataQualityItem

OUTLIER = 10.0
"""Robust standard deviations."""
LATE_DAYS = 5
"""Calendar days a daily series may lag behind (a weekend with holidays on both sides)."""
LONG_GAP_DAYS = 31
RECENT_DAYS = 365
SEVERITIES = ("red", "warning", "info")
HISTORICAL = {"treasury_cmt_daily": "ends in 1989 by design; the par curve continues it"}
"""Panels that are complete and will not be continued."""
_FILLED = " (a key rate not quoted is filled from its neighbours and marked as assumed)"
_UNIT_RATIO = {"price": 5.0, "rate": 30.0, "flow": 20.0}
_REVERSAL = {"price": 0.05, "rate": 0.005}
"""Smallest move (log, decimal) that counts as a reversal."""
_RATE_JUMP = 0.20
"""A yield in decimals that moves by 20 points at once was given in another unit."""


def series_status(as_of: str) -> list[dict]:
    """One row per series as known at *as_of*.

    Keys: id, panel, name, unit, frequency, first, last (ISO dates or None), observations, missing (periods of
    the panel's calendar without a value between first and last), gaps (runs of such periods),
    longest_gap_days (between two consecutive observations), stale_days (as-of date − last), lag_days,
    revised, source, transformation, licence.
    """
    day = parse_as_of(as_of)
    rows = []
    for panel in panels_in_use().values():
        dates, values = known_history(panel.name, as_of)
        calendar = _calendar(panel, dates)
        for j, series in enumerate(panel.series):
            seen = dates[np.isfinite(values[:, j])]
            missing, gaps, longest = count_gaps(seen, calendar)
            rows.append({
                "id": series.id, "panel": panel.name, "name": series.title, "unit": series.unit,
                "frequency": series.frequency,
                "first": str(seen[0]) if len(seen) else None, "last": str(seen[-1]) if len(seen) else None,
                "observations": len(seen), "missing": missing, "gaps": gaps, "longest_gap_days": longest,
                "stale_days": int((day - seen[-1]).astype(int)) if len(seen) else None,
                "lag_days": series.lag_days, "revised": series.revised, "source": series.source,
                "transformation": series.transformation, "licence": series.licence,
            })
    return rows


def data_quality(as_of: str) -> tuple[DataQualityItem, ...]:
    """What must be known about the embedded and imported data at *as_of*, the gravest first."""
    day = parse_as_of(as_of)
    items: list[DataQualityItem] = []
    for panel in panels_in_use().values():
        dates, values = known_history(panel.name, as_of)
        if not len(dates):
            items.append(DataQualityItem("warning", panel.name, "nothing was known yet at this as-of date"))
            continue
        if len(np.unique(dates)) != len(dates):
            items.append(DataQualityItem("red", panel.name, "the same date occurs twice"))
        items += _late(panel, dates, values, day)
        items += _gaps(panel, dates, values, day)
        if panel.name not in ("zero_rates_daily", IMPORTED):  # derived from par yields; imported_quality
            items += _moves(panel, dates, values)
    items += imported_quality(as_of, active_store())
    revised = sorted({s.panel for s in SERIES.values() if s.revised})
    items.append(DataQualityItem(
        "info", ", ".join(revised),
        "latest vintage, not the first release: publication lags are respected, revisions are not undone"))
    return tuple(sorted(items, key=lambda i: SEVERITIES.index(i.severity)))


def vintage_policies(as_of: str) -> list[dict]:
    """One row per series, embedded and imported: when an observation counts as known, and which vintage.

    Keys: id, panel, frequency, last (newest observation known at *as_of*, or None), lag (calendar days after
    the period end, with the fourth quarter's where it differs), vintage ('final' or 'latest, first release
    not known', 'assumed …' for a series nobody described), source, note.
    """
    rows = [{"id": r["id"], "panel": r["panel"], "frequency": r["frequency"], "last": r["last"],
             "lag": _lag(SERIES[r["id"]]), "vintage": _vintage(r["revised"], ""), "source": r["source"],
             "note": ""}
            for r in series_status(as_of) if r["id"] in SERIES]
    store = active_store()
    day = parse_as_of(as_of)
    for name in sorted(store.series):
        entry = store.series[name]
        try:
            dates, _ = store.read_as_of(name, day)
            last = str(dates[-1]) if len(dates) else None
        except InputError:  # named in data_quality
            last = None
        rows.append({"id": name, "panel": f"imported {family_of(name)}", "frequency": entry.frequency,
                     "last": last, "lag": f"published whole on {entry.published}" if entry.published
                     else _lag(entry), "vintage": _vintage(entry.revised, entry.note), "source": entry.source,
                     "note": entry.note})
    return rows


def _lag(series) -> str:
    late = series.lag_fourth_quarter
    return str(series.lag_days) + (f" ({late} for a fourth quarter)" if late is not None else "")


def _vintage(revised: bool, note: str) -> str:
    text = "latest, first release not known" if revised else "final"
    return f"assumed: {text}" if "assumed" in note else text


def count_gaps(seen: np.ndarray, calendar: np.ndarray) -> tuple[int, int, int]:
    """(periods missing, runs of missing periods, longest distance in days) of a series.

    seen : (n,) datetime64[D] ascending, days with a value.  calendar : (T,) days on which one is expected.
    """
    if len(seen) < 2:
        return 0, 0, 0
    inside = calendar[(calendar >= seen[0]) & (calendar <= seen[-1])]
    absent = ~np.isin(inside, seen)
    runs = int(absent[0]) + int((absent[1:] & ~absent[:-1]).sum()) if len(absent) else 0
    return int(absent.sum()), runs, int(np.diff(seen).astype(int).max())


def inspect_moves(series: SeriesInfo, dates: np.ndarray, values: np.ndarray) -> dict:
    """Outliers, reversals and jumps of unit of one series.

    dates, values : (n,) observations in order, no NaN.  Moves across more than LONG_GAP_DAYS (daily series)
    are not moves.  Returns {'outliers': count, 'largest': (day, move) or None, 'reversals': [day …], 'jumps':
    [day …]}.
    """
    report: dict = {"outliers": 0, "largest": None, "reversals": [], "jumps": []}
    if len(values) < 20:
        return report
    positive = bool((values > 0).all())
    close = np.diff(dates).astype(int) <= (LONG_GAP_DAYS if series.frequency == "daily" else 400)
    move = np.diff(np.log(values)) if series.kind == "price" and positive else np.diff(values)
    report["jumps"] = [str(d) for d in dates[1:][close & _unit_jump(series, values)]]
    if series.kind == "flow":  # trending levels: no stationary move to compare with
        return report
    moved = move[close & (move != 0)]
    if len(moved) < 20:
        return report
    scale = 1.4826 * np.median(np.abs(moved - np.median(moved)))
    far = close & (np.abs(move) > OUTLIER * max(scale, 1e-12))
    report["outliers"] = int(far.sum())
    if far.any():
        at = int(np.argmax(np.where(far, np.abs(move), 0)))
        report["largest"] = (str(dates[at + 1]), float(move[at]))
    if series.frequency == "daily":
        undone = far[:-1] & far[1:] & (np.abs(move[:-1] + move[1:]) < 0.1 * np.abs(move[:-1]))
        undone &= np.abs(move[:-1]) > _REVERSAL[series.kind]
        report["reversals"] = [str(d) for d in dates[1:-1][undone]]
    return report


def _unit_jump(series: SeriesInfo, values: np.ndarray) -> np.ndarray:
    """(n − 1,) bool: the step looks like another unit or quoting direction, not like a market."""
    before, after = values[:-1], values[1:]
    if series.kind == "rate" and series.unit == "decimal":
        return np.abs(after - before) > _RATE_JUMP
    limit = _UNIT_RATIO[series.kind]
    if series.kind == "flow":  # may pass through zero: compare with the size of the eight values before
        size = np.array([np.median(np.abs(values[max(0, i - 7):i + 1])) for i in range(len(before))])
        return np.abs(after) > limit * np.maximum(size, 1e-12)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.abs(np.log(np.abs(after / before))) > np.log(limit)


def _late(
    panel: PanelInfo, dates: np.ndarray, values: np.ndarray, day: np.datetime64
) -> list[DataQualityItem]:
    if panel.name in HISTORICAL:
        return [DataQualityItem("info", panel.name, HISTORICAL[panel.name])]
    if panel.name == "zero_rates_daily":  # says nothing that the par yields do not say
        return []
    late: dict[tuple[str, str], list[str]] = {}
    bridged = {item.id.removeprefix("spot.") for item, _ in bridged_currencies(str(day))} \
        if panel.name == "fx_daily" else set()  # told by imported_quality
    unseen = [s.label for j, s in enumerate(panel.series) if not np.isfinite(values[:, j]).any()]
    for j, series in enumerate(panel.series):
        seen = dates[np.isfinite(values[:, j])]
        if series.label in unseen or series.label in bridged:
            continue
        if panel.frequency == "daily":
            age = int((day - seen[-1]).astype(int)) - series.lag_days
            filled = panel.name == "treasury_par_daily" and (day - dates[-1]).astype(int) <= MAX_AGE_DAYS
            severity = "" if age <= LATE_DAYS else "red" if age > MAX_AGE_DAYS and not filled else "warning"
        else:
            overdue = _period(_newest_due(series, day), panel.frequency) > _period(seen[-1], panel.frequency)
            severity = "warning" if overdue else ""
        if severity and panel.name == IMPORTED:  # nothing is priced off it; many are histories that have ended
            severity = "warning" if age <= RECENT_DAYS else "info"
        if severity:
            late.setdefault((severity, str(seen[-1])), []).append(series.label)
    items = []
    if unseen:
        needed = panel.name == "treasury_par_daily" and set(unseen) & set(KEY_RATES)
        text = "no observation yet at this as-of date: " + _names(unseen) + (_FILLED if needed else "")
        items.append(DataQualityItem("warning" if needed else "info", panel.name, text))
    for (severity, last), labels in late.items():
        age = int((day - np.datetime64(last)).astype(int))
        if panel.name == "equity_daily" and severity == "red" and len(labels) < len(panel.series):
            text = (f"the daily history of {_names(labels)} ends on {last}, {age:,} days before the as-of "
                    "date: volatility is the long-run one times the S&P 500's ratio of today's to its long "
                    "run; the level comes from the market inputs or the quarterly index. Red until it is "
                    "imported")
        elif panel.name == "equity_daily" and severity == "red":
            text = (f"daily equity history ends on {last}, {age:,} days before the as-of date: it serves for "
                    "loadings and correlations only; equity volatility is the long-run one; levels come from "
                    "the market inputs or, without them, from the quarterly index. Red until a current index "
                    "is imported")
        else:
            names = _names(labels, len(panel.series))
            text = f"last observation {last}, {age:,} days before the as-of date: {names}"
            if panel.name == "treasury_par_daily" and severity == "warning" and set(labels) & set(KEY_RATES):
                text += _FILLED
        items.append(DataQualityItem(severity, panel.name, text))
    return items


def _newest_due(series: SeriesInfo, day: np.datetime64) -> np.datetime64:
    """Last day of the newest month or quarter that should be known at *day*."""
    months = 1 if series.frequency == "monthly" else 3
    first_of_period = np.datetime64(day, "M") - int(np.datetime64(day, "M").astype(int) % months) + months
    while True:
        end = first_of_period.astype("datetime64[D]") - 1
        december = int(end.astype("datetime64[M]").astype(int)) % 12 == 11
        late = series.lag_days
        if december and series.lag_fourth_quarter is not None:
            late = series.lag_fourth_quarter
        if end + late <= day:
            return end
        first_of_period = first_of_period - months


def _period(end: np.datetime64, frequency: str) -> int:
    return int(end.astype("datetime64[M]").astype(int)) // (1 if frequency == "monthly" else 3)


def _gaps(
    panel: PanelInfo, dates: np.ndarray, values: np.ndarray, day: np.datetime64
) -> list[DataQualityItem]:
    items = []
    if panel.frequency == "daily":
        for j, series in enumerate(panel.series):
            seen = dates[np.isfinite(values[:, j])]
            step = np.diff(seen).astype(int)
            for i in np.flatnonzero(step > LONG_GAP_DAYS):
                recent = (day - seen[i + 1]).astype(int) < RECENT_DAYS
                items.append(DataQualityItem("warning" if recent else "info", series.id,
                                             f"no observation between {seen[i]} and {seen[i + 1]}"))
        return items
    for j, series in enumerate(panel.series):
        missing, gaps, _ = count_gaps(dates[np.isfinite(values[:, j])], _calendar(panel, dates))
        if missing:
            text = f"{missing} {panel.frequency} value(s) missing in {gaps} gap(s)"
            items.append(DataQualityItem("info", series.id, text))
    return items


def _moves(panel: PanelInfo, dates: np.ndarray, values: np.ndarray) -> list[DataQualityItem]:
    items, counted, misprints = [], [], []
    for j, series in enumerate(panel.series):
        known = np.isfinite(values[:, j])
        found = inspect_moves(series, dates[known], values[known, j])
        if found["jumps"]:
            items.append(DataQualityItem("red", series.id,
                                         "jumps as if the unit had changed: " + _names(found["jumps"])))
        misprints += [f"{series.label} {d}" for d in found["reversals"]]
        if found["outliers"]:
            when, move = found["largest"]
            counted.append(f"{series.label} {found['outliers']} (largest {_size(series, move)}, {when})")
    if misprints:
        recent = any((dates[-1] - np.datetime64(m.split()[-1])).astype(int) < RECENT_DAYS for m in misprints)
        items.append(DataQualityItem(
            "warning" if recent else "info", panel.name,
            "jumps undone by the next observation, perhaps misprints, kept as is: " + _names(misprints)))
    if counted:
        items.append(DataQualityItem(
            "info", panel.name,
            f"moves beyond {OUTLIER:.0f} robust standard deviations, kept as is: " + "; ".join(counted)))
    return items


def _size(series: SeriesInfo, move: float) -> str:
    if series.kind == "price":
        return f"{100 * np.expm1(move):+.1f}%"
    return f"{1e4 * move:+.0f} bp" if series.unit == "decimal" else f"{move:+.1f}"


def _calendar(panel: PanelInfo, dates: np.ndarray) -> np.ndarray:
    """Days on which a value is expected: the panel's own business days, or every month or quarter end."""
    if not len(dates):
        return dates
    if panel.frequency == "daily":
        years = range(dates[0].astype(object).year, dates[-1].astype(object).year + 1)
        holidays = np.array([h for y in years for h in federal_holidays(y)], dtype="datetime64[D]")
        return dates[np.is_busday(dates, holidays=holidays)]
    step = 1 if panel.frequency == "monthly" else 3
    months = np.arange(dates[0].astype("datetime64[M]"), dates[-1].astype("datetime64[M]") + 1, step)
    return (months + 1).astype("datetime64[D]") - 1


def _names(labels: Sequence[str], of: int | None = None, most: int = 12) -> str:
    if of is not None and len(labels) == of:
        return "all series"
    more = f" and {len(labels) - most} more" if len(labels) > most else ""
    return ", ".join(labels[:most]) + more
