"""Lines over time with their bands, and the distribution of P&L."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from riskengine.reports.charts.svg import CHARACTER, Scale, Sheet, fit_scale, tick_text
from riskengine.reports.formats import number


@dataclass(frozen=True, slots=True)
class Line:
    """One line: y (T,) in the chart's unit; low, high (T,): its band; css: 'c1' … 'c8'."""

    label: str
    y: np.ndarray
    low: np.ndarray | None = None
    high: np.ndarray | None = None
    css: str = "c1"


def line_chart(
    x: Sequence[float], lines: Sequence[Line], title: str, unit: str, x_ticks: Sequence[tuple[float, str]],
    x_label: str = "", decimals: int = 1, width: float = 540, height: float = 205, zero: bool = True,
) -> Markup:
    """Lines with bands, each named at its right end; x_ticks: (position, words).

    x : (T,) positions.  decimals : of the value printed beside the line's name.
    """
    x = [float(v) for v in x]
    ends = [(line, _last(line.y)) for line in lines]
    texts = [f"{line.label} {number(value, decimals)}" for line, value in ends]
    right = min(0.3 * width, max((len(t) for t in texts), default=0) * 1.06 * CHARACTER + 10)
    left, top, bottom = 44.0, 8.0, 34.0 if x_label else 22.0
    values = [v for line in lines for a in (line.y, line.low, line.high) if a is not None
              for v in np.asarray(a, float)]
    y_scale, marks = fit_scale(values, height - bottom, top, zero=zero)
    low_x, high_x = (min(x), max(x)) if x else (0.0, 1.0)
    x_scale = Scale(low_x, high_x if high_x > low_x else low_x + 1, left, width - right)
    sheet = Sheet(width, height, title, f"{unit}, last values: " + "; ".join(texts))
    for mark in marks:
        css = "zero" if mark == 0 else "grid"
        sheet.line(left, y_scale(mark), width - right, y_scale(mark), css)
        sheet.text(left - 5, y_scale(mark) + 4, tick_text(mark, marks), "tick", "end")
    for position, words in x_ticks:
        if low_x <= position <= high_x:
            sheet.line(x_scale(position), height - bottom, x_scale(position), height - bottom + 4, "rule")
            sheet.text(x_scale(position), height - bottom + 15, words, "tick", "middle")
    if x_label:
        sheet.text((left + width - right) / 2, height - 3, x_label, "tick", "middle")
    xs = [x_scale(v) for v in x]
    for line in lines:
        if line.low is not None and line.high is not None:
            upper = [(a, y_scale(v)) for a, v in zip(xs, line.high, strict=True) if math.isfinite(v)]
            lower = [(a, y_scale(v)) for a, v in zip(xs, line.low, strict=True) if math.isfinite(v)]
            sheet.path([*upper, *reversed(lower)], f"band {line.css}", closed=True)
    for line in lines:
        sheet.path([(a, y_scale(v)) for a, v in zip(xs, line.y, strict=True)], f"line s{line.css}",
                   line.label)
    _label_ends(sheet, ends, texts, y_scale, width - right + 6, top, height - bottom)
    return sheet.render()


def distribution(
    quantiles: np.ndarray, marks: Sequence[tuple[float, str]], title: str, unit: str, width: float = 540,
    height: float = 230, bins: int = 64,
) -> Markup:
    """Histogram of a distribution known by its quantiles, tail beyond the first mark in the loss colour.

    quantiles : (Q,) at equal probability steps from 0 to 1, in the chart's unit.  marks : (position, words),
    e.g. (−VaR, 'VaR 99%'); bars beyond the first take the loss colour.  The axis holds the 0.5% and 99.5%
    quantiles and the marks; the few paths beyond its ends are not drawn (the caller names the worst and the
    best).
    """
    q = np.asarray(quantiles, float)
    q = q[np.isfinite(q)]
    left, right, top, bottom = 22.0, 22.0, 14.0 + 13.0 * len(marks), 22.0
    sheet = Sheet(width, height, title, f"{unit}; " + "; ".join(f"{w}: {number(v, 1)}" for v, w in marks))
    if q.size < 2 or q[-1] <= q[0]:
        sheet.text(width / 2, height / 2, "every path has the same P&L", "tick", "middle")
        return sheet.render()
    levels = np.linspace(0.0, 1.0, q.size)
    inner = np.interp([0.005, 0.995], levels, q)
    reach = [*inner, *(v for v, _ in marks if math.isfinite(v))]
    x_scale, ticks = fit_scale(reach, left, width - right, zero=False, target=7)
    edges = np.linspace(x_scale.low, x_scale.high, bins + 1)
    mass = np.diff(np.interp(edges, q, levels, left=0.0, right=1.0))
    y_scale = Scale(0.0, float(mass.max()), height - bottom, top)
    cut = marks[0][0] if marks else -math.inf
    for i, share in enumerate(mass):
        if share <= 0:
            continue
        a, b = x_scale(edges[i]), x_scale(edges[i + 1])
        tip = f"{number(edges[i], 1)} to {number(edges[i + 1], 1)} {unit}: {number(100 * share, 2)}% of paths"
        sheet.rect(a + 0.3, y_scale(0), b - a - 0.6, y_scale(share) - y_scale(0),
                   "loss" if (edges[i] + edges[i + 1]) / 2 < cut else "neutral", tip)
    sheet.line(left, y_scale(0), width - right, y_scale(0), "rule")
    if x_scale.low < 0 < x_scale.high:
        sheet.line(x_scale(0), top, x_scale(0), y_scale(0), "zero")
    for tick in ticks:
        sheet.text(x_scale(tick), height - 6, tick_text(tick, ticks), "tick", "middle")
    for i, (value, words) in enumerate(marks):
        if not math.isfinite(value):
            continue
        y = 11.0 + 13.0 * i
        sheet.line(x_scale(value), y - 4, x_scale(value), y_scale(0), "mark")
        sheet.text(x_scale(value) + 5, y, f"{words} {number(value, 1)}", "small")
    return sheet.render()


def _last(y: np.ndarray) -> float:
    finite = np.asarray(y, float)
    finite = finite[np.isfinite(finite)]
    return float(finite[-1]) if finite.size else math.nan


def _label_ends(
    sheet: Sheet, ends: Sequence[tuple[Line, float]], texts: Sequence[str], y_scale: Scale, x: float,
    top: float,
    bottom: float,
) -> None:
    """Names at the right ends, pushed apart so that none covers another."""
    gap = 13.0
    order = sorted((i for i in range(len(ends)) if math.isfinite(ends[i][1])),
                   key=lambda i: y_scale(ends[i][1]))
    places: dict[int, float] = {}
    floor = top + 4
    for i in order:
        places[i] = max(y_scale(ends[i][1]) + 4, floor)
        floor = places[i] + gap
    ceiling = bottom + 4
    for i in reversed(order):
        places[i] = min(places[i], ceiling)
        ceiling = places[i] - gap
    for i in order:
        sheet.text(x, places[i], texts[i], f"end t{ends[i][0].css}")
