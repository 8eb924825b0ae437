"""Charts of estimates: prior, data and posterior side by side; a coefficient through time; responses;
quantiles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from riskengine.reports.charts.svg import CHARACTER, TIGHT, Scale, Sheet, fit_scale, legend, short, tick_text
from riskengine.reports.formats import number

NORMAL_90 = 1.6448536269514722
GAP_YEARS = 0.6
"""Observations further apart are not joined by a line."""
KEYS = (("c7", "prior"), ("c2", "data"), ("c3", "posterior"))


@dataclass(frozen=True, slots=True)
class ForestRow:
    """One coefficient: up to three (value, standard error) in the order prior, data, posterior; None is left
    out."""

    label: str
    estimates: tuple[tuple[float, float] | None, ...]


def forest(rows: Sequence[ForestRow], title: str, unit: str, decimals: int = 2, width: float = 540) -> Markup:
    """Points with 68% (thick) and 90% (thin) intervals, three lines a coefficient, zero marked; in figures
    the posterior, or the data without one."""
    line, gap = 8.0, 7.0
    tall = 3 * line + gap
    left = min(0.38 * width, max((len(r.label) for r in rows), default=1) * CHARACTER + 12)
    texts = [_text(r.estimates[-1] or r.estimates[1], decimals) for r in rows]
    right = max((len(t) for t in texts), default=1) * CHARACTER * 0.95 + 12
    top, bottom = 20.0, 20.0
    height = top + tall * len(rows) + bottom
    ends = [v + k * NORMAL_90 * s for r in rows for e in r.estimates if e for v, s in [e] for k in (-1, 1)]
    scale, marks = fit_scale(ends, left, width - right, target=5)
    spoken = "; ".join(f"{r.label} {t}" for r, t in zip(rows, texts, strict=True))
    sheet = Sheet(width, height, title, f"{unit}, posterior: {spoken}")
    legend(sheet, list(KEYS), left, 10)
    for mark in marks:
        sheet.line(scale(mark), top, scale(mark), height - bottom, "zero" if mark == 0 else "grid")
        sheet.text(scale(mark), height - 6, tick_text(mark, marks), "tick", "middle")
    for i, row in enumerate(rows):
        y = top + tall * i + gap / 2
        sheet.text(left - 8, y + 1.5 * line + 4, short(row.label, int((left - 6) / TIGHT)), "label", "end")
        for j, estimate in enumerate(row.estimates):
            if estimate is not None:
                _point(sheet, scale, y + line * (j + 0.5), estimate, KEYS[j], f"{row.label}, ", unit,
                       decimals)
        sheet.text(width - 2, y + 1.5 * line + 4, texts[i], "value", "end")
    return sheet.render()


def _point(sheet: Sheet, scale: Scale, y: float, estimate: tuple[float, float], key: tuple[str, str],
           label: str,
           unit: str, decimals: int) -> None:
    value, se = estimate
    css, words = key
    tip = f"{label}{words}: {number(value, decimals)} ± {number(se, decimals)} {unit}"
    a, b = scale(value - NORMAL_90 * se), scale(value + NORMAL_90 * se)
    sheet.rect(a, y - 0.5, b - a, 1.0, css, tip)
    a, b = scale(value - se), scale(value + se)
    sheet.rect(a, y - 1.5, b - a, 3.0, css, tip)
    sheet.rect(scale(value) - 3, y - 3, 6, 6, css, tip, radius=3)


def coefficient_path(
    dates: Sequence[str], values: Sequence[float], errors: Sequence[float], title: str, unit: str,
    whole: float, posterior: float | None = None, break_date: str = "", width: float = 540,
    height: float = 190,
) -> Markup:
    """Estimates of moving windows with their 90% band, the estimate of the whole sample, the break date.

    dates : ISO, of the windows' ends.  break_date : '' for no mark.
    """
    x = [year(d) for d in dates]
    low = [v - NORMAL_90 * s for v, s in zip(values, errors, strict=True)]
    high = [v + NORMAL_90 * s for v, s in zip(values, errors, strict=True)]
    left, right, top, bottom = 46.0, 14.0, 22.0, 22.0
    y_scale, marks = fit_scale([*low, *high, whole, posterior if posterior is not None else whole],
                               height - bottom, top, zero=False)
    x_scale = Scale(x[0], x[-1] if x[-1] > x[0] else x[0] + 1, left, width - right)
    sheet = Sheet(width, height, title,
                  f"{unit}: last window {number(values[-1], 2)}, whole sample {number(whole, 2)}")
    keys = [("c1", "moving window, 90% band"), ("c7", f"whole sample {number(whole, 2)}")]
    if posterior is not None:
        keys.append(("c3", f"posterior {number(posterior, 2)}"))
    legend(sheet, keys, left, 10)
    for mark in marks:
        sheet.line(left, y_scale(mark), width - right, y_scale(mark), "zero" if mark == 0 else "grid")
        sheet.text(left - 5, y_scale(mark) + 4, tick_text(mark, marks), "tick", "end")
    _years(sheet, x_scale, height - bottom)
    xs = [x_scale(v) for v in x]
    runs = _runs(x)
    for a, b in runs:
        sheet.path([*zip(xs[a:b], map(y_scale, high[a:b]), strict=True),
                    *reversed(list(zip(xs[a:b], map(y_scale, low[a:b]), strict=True)))], "band c1",
                   closed=True)
    sheet.path([(xs[0], y_scale(whole)), (xs[-1], y_scale(whole))], "line sc7")
    if posterior is not None:
        sheet.path([(xs[0], y_scale(posterior)), (xs[-1], y_scale(posterior))], "line sc3")
    for a, b in runs:
        sheet.path(list(zip(xs[a:b], map(y_scale, values[a:b]), strict=True)), "line sc1", title)
    if break_date and x[0] <= year(break_date) <= x[-1]:
        at = x_scale(year(break_date))
        sheet.line(at, top, at, height - bottom, "mark")
        sheet.text(min(at + 4, width - 70), top + 10, f"break {break_date[:7]}", "small")
    return sheet.render()


def response(
    horizons: Sequence[int], beta: Sequence[float], se: Sequence[float], title: str, unit: str,
    width: float = 360,
    height: float = 180,
) -> Markup:
    """Response at each horizon with 68% and 90% bands."""
    left, right, top, bottom = 42.0, 10.0, 10.0, 32.0
    ends = [b + k * NORMAL_90 * s for b, s in zip(beta, se, strict=True) for k in (-1, 1)]
    y_scale, marks = fit_scale(ends, height - bottom, top)
    x_scale = Scale(horizons[0], horizons[-1], left, width - right)
    sheet = Sheet(width, height, title, f"{unit}: " + "; ".join(
        f"month {h} {number(b, 1)} ± {number(s, 1)}" for h, b, s in zip(horizons, beta, se, strict=True)))
    for mark in marks:
        sheet.line(left, y_scale(mark), width - right, y_scale(mark), "zero" if mark == 0 else "grid")
        sheet.text(left - 5, y_scale(mark) + 4, tick_text(mark, marks), "tick", "end")
    xs = [x_scale(h) for h in horizons]
    for k in (NORMAL_90, 1.0):
        upper = [(a, y_scale(b + k * s)) for a, b, s in zip(xs, beta, se, strict=True)]
        lower = [(a, y_scale(b - k * s)) for a, b, s in zip(xs, beta, se, strict=True)]
        sheet.path([*upper, *reversed(lower)], "band c1", closed=True)
    sheet.path([(a, y_scale(b)) for a, b in zip(xs, beta, strict=True)], "line sc1", title)
    for h in horizons:
        if h % 3 == 0:
            sheet.text(x_scale(h), height - bottom + 14, str(h), "tick", "middle")
    sheet.text((left + width - right) / 2, height - 3, "months after the purchase", "tick", "middle")
    return sheet.render()


def quantile_plot(
    taus: Sequence[float], beta: Sequence[float], se: Sequence[float], ols: float, ols_se: float, title: str,
    unit: str,
    width: float = 540, height: float = 210,
) -> Markup:
    """Slope at each quantile with 90% intervals; least squares as a line with its band."""
    left, right, top, bottom = 46.0, 10.0, 22.0, 32.0
    ends = [b + k * NORMAL_90 * s for b, s in zip(beta, se, strict=True) for k in (-1, 1)]
    y_scale, marks = fit_scale([*ends, ols], height - bottom, top)
    slot = (width - left - right) / len(taus)
    sheet = Sheet(width, height, title, f"{unit}: " + "; ".join(
        f"{tau:.0%} {number(b, 2)} ± {number(s, 2)}" for tau, b, s in zip(taus, beta, se, strict=True)))
    legend(sheet, [("c1", "quantile slope, 68% and 90%"), ("c3", f"least squares {number(ols, 2)}")], left,
           10)
    for mark in marks:
        sheet.line(left, y_scale(mark), width - right, y_scale(mark), "zero" if mark == 0 else "grid")
        sheet.text(left - 5, y_scale(mark) + 4, tick_text(mark, marks), "tick", "end")
    a, b = y_scale(ols + NORMAL_90 * ols_se), y_scale(ols - NORMAL_90 * ols_se)
    sheet.path([(left, a), (width - right, a), (width - right, b), (left, b)], "band c3", closed=True)
    sheet.path([(left, y_scale(ols)), (width - right, y_scale(ols))], "line sc3")
    for i, (tau, value, error) in enumerate(zip(taus, beta, se, strict=True)):
        x = left + slot * (i + 0.5)
        tip = f"{tau:.0%} quantile: {number(value, 2)} ± {number(error, 2)} {unit}"
        for k, half in ((NORMAL_90, 0.6), (1.0, 1.8)):
            up, down = y_scale(value + k * error), y_scale(value - k * error)
            sheet.rect(x - half, up, 2 * half, down - up, "c1", tip)
        sheet.rect(x - 3.5, y_scale(value) - 3.5, 7, 7, "c1", tip, radius=3.5)
        sheet.text(x, height - bottom + 14, f"{tau:.0%}", "tick", "middle")
    sheet.text((left + width - right) / 2, height - 3, "quantile of the weekly return", "tick", "middle")
    return sheet.render()


def realised_and_fitted(
    dates: Sequence[str], realised: Sequence[float], fitted: Sequence[float], title: str, unit: str,
    width: float = 540,
    height: float = 250,
) -> Markup:
    """Realised and fitted above, residuals below, on one time axis."""
    left, right, top, middle, bottom = 46.0, 12.0, 22.0, 158.0, 22.0
    x = [year(d) for d in dates]
    x_scale = Scale(x[0], x[-1] if x[-1] > x[0] else x[0] + 1, left, width - right)
    residual = [a - b for a, b in zip(realised, fitted, strict=True)]
    upper, upper_marks = fit_scale([*realised, *fitted], middle, top, target=4)
    lower, lower_marks = fit_scale(residual, height - bottom, middle + 14, target=2)
    largest = max(range(len(residual)), key=lambda i: abs(residual[i]))
    sheet = Sheet(width, height, title,
                  f"{unit}; largest residual {number(residual[largest], 2)} in {dates[largest]}")
    legend(sheet, [("c7", "realised"), ("c1", "fitted"), ("c3", "residual")], left, 10)
    for scale, marks in ((upper, upper_marks), (lower, lower_marks)):
        for mark in marks:
            sheet.line(left, scale(mark), width - right, scale(mark), "zero" if mark == 0 else "grid")
            sheet.text(left - 5, scale(mark) + 4, tick_text(mark, marks), "tick", "end")
    _years(sheet, x_scale, height - bottom)
    xs = [x_scale(v) for v in x]
    for values, scale, css in ((realised, upper, "sc7"), (fitted, upper, "sc1"), (residual, lower, "sc3")):
        for a, b in _runs(x):
            sheet.path([(u, scale(v)) for u, v in zip(xs[a:b], values[a:b], strict=True)], f"line thin {css}")
    sheet.text(xs[largest], lower(residual[largest]) + (-4 if residual[largest] > 0 else 11),
               dates[largest][:7], "small",
               "middle")
    return sheet.render()


def _runs(years: Sequence[float]) -> list[tuple[int, int]]:
    """First and past-the-last index of every stretch without a gap longer than GAP_YEARS."""
    pen_up = [i for i in range(1, len(years)) if years[i] - years[i - 1] > GAP_YEARS]
    return list(zip([0, *pen_up], [*pen_up, len(years)], strict=True))


def year(iso: str) -> float:
    """'2008-09' → 2008.667; '2008-09-17' → days counted too."""
    parts = [int(p) for p in iso.split("-")]
    month = parts[1] if len(parts) > 1 else 1
    day = parts[2] if len(parts) > 2 else 1
    return parts[0] + (month - 1) / 12 + (day - 1) / 365.25


def _years(sheet: Sheet, scale: Scale, y: float) -> None:
    span = scale.high - scale.low
    step = next((s for s in (1, 2, 5, 10, 20) if span / s <= 8), 50)
    first = math.ceil(scale.low / step) * step
    for tick in range(first, int(scale.high) + 1, step):
        sheet.line(scale(tick), y, scale(tick), y + 4, "rule")
        sheet.text(scale(tick), y + 15, str(tick), "tick", "middle")


def _text(estimate: tuple[float, float] | None, decimals: int) -> str:
    return f"{number(estimate[0], decimals)} ({number(estimate[1], decimals)})" if estimate else ""
