"""Drawings of the court: what was predicted and what happened, exceptions through time, histograms of
probabilities.

Colours are those of the report; exceptions carry their count as text or in the tip, never colour alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from markupsafe import Markup

from riskengine.reports.charts.estimates import year
from riskengine.reports.charts.svg import CHARACTER, Scale, Sheet, fit_scale, legend, tick_text
from riskengine.reports.formats import number

WEEK_TICKS = ((0.2, "1 day"), (4.0, "4"), (13.0, "13"), (26.0, "26"), (52.0, "52 weeks"))
GREEN_TO, YELLOW_TO = 4, 9
"""Basel's zones: exceptions of a 99% VaR in 250 days."""


def fan_chart(
    weeks: Sequence[float], quantiles: Sequence[Sequence[float]], path: Sequence[tuple[float, float]],
    rival: Sequence[tuple[float, float]], title: str, unit: str, decimals: int = 1,
    width: float = 350, height: float = 200,
) -> Markup:
    """Predicted bands at some horizons and the realised path, on an axis of √time (a random walk's band is
    straight there).

    weeks : (H,) horizons.  quantiles : (H, 5) p5, p10, p50, p90, p95.  path : (week, realised).  rival :
    (H, 2) p10, p90 without a scenario, drawn dashed.
    """
    left, right, top, bottom = 46.0, 16.0, 36.0, 22.0
    values = [v for q in quantiles for v in q] + [v for _, v in path] + [v for r in rival for v in r]
    y_scale, marks = fit_scale(values, height - bottom, top, target=5)
    x_scale = Scale(0.0, math.sqrt(52.0), left, width - right)
    last = number(path[-1][1], decimals) if path else "not quoted"
    sheet = Sheet(width, height, title, f"{unit}; predicted median at a year "
                                        f"{number(quantiles[-1][2], decimals)}, 80% band "
                                        f"{number(quantiles[-1][1], decimals)} to "
                                        f"{number(quantiles[-1][3], decimals)}, realised {last}")
    legend(sheet, [("c1", "predicted, 80% and 90% band"), ("c3", "realised")], left, 10)
    sheet.line(left, 23, left + 18, 23, "mark")
    sheet.text(left + 23, 27, "80% band without a scenario", "key")
    for mark in marks:
        sheet.line(left, y_scale(mark), width - right, y_scale(mark), "zero" if mark == 0 else "grid")
        sheet.text(left - 5, y_scale(mark) + 4, tick_text(mark, marks), "tick", "end")
    for week, words in WEEK_TICKS:
        at = x_scale(math.sqrt(week))
        sheet.line(at, height - bottom, at, height - bottom + 4, "rule")
        sheet.text(at, height - bottom + 15, words, "tick", "end" if week == 52 else "middle")
    xs = [x_scale(0.0), *(x_scale(math.sqrt(w)) for w in weeks)]
    fan = [(0.0,) * 5, *(tuple(q) for q in quantiles)]
    for low, high in ((0, 4), (1, 3)):
        upper = [(x, y_scale(q[high])) for x, q in zip(xs, fan, strict=True)]
        lower = [(x, y_scale(q[low])) for x, q in zip(xs, fan, strict=True)]
        sheet.path([*upper, *reversed(lower)], "band c1", closed=True)
    for side in (0, 1):
        sheet.path([(xs[0], y_scale(0.0)), *((x, y_scale(r[side])) for x, r in zip(xs[1:], rival,
                                                                                   strict=True))],
                   "line rival")
    sheet.path([(x, y_scale(q[2])) for x, q in zip(xs, fan, strict=True)], "line sc1", "predicted median")
    sheet.path([(x_scale(0.0), y_scale(0.0)), *((x_scale(math.sqrt(w)), y_scale(v)) for w, v in path)],
               "line thin sc3", f"realised, last {last} {unit}")
    return sheet.render()


def exceptions_chart(
    series: Sequence[tuple[str, str, Sequence[tuple[str, int]]]], title: str, width: float = 540,
    height: float = 190,
) -> Markup:
    """Exceptions in the 250 days to each date against Basel's zones for a 99% VaR.

    series : (model, class of the line, ((ISO date, exceptions), …)).
    """
    left, right, top, bottom = 34.0, 54.0, 22.0, 22.0
    points = [p for _, _, rolling in series for p in rolling]
    most = max((n for _, n in points), default=1)
    y_scale, marks = fit_scale([0, max(most, YELLOW_TO + 3)], height - bottom, top, target=4)
    days = [year(d) for d, _ in points] or [2000.0, 2001.0]
    x_scale = Scale(min(days), max(days) if max(days) > min(days) else min(days) + 1, left, width - right)
    sheet = Sheet(width, height, title, "exceptions in 250 days; " + "; ".join(
        f"{name}: most {max((n for _, n in rolling), default=0)}" for name, _, rolling in series))
    legend(sheet, [(css, name) for name, css, _ in series], left, 10)
    for mark in marks:
        sheet.line(left, y_scale(mark), width - right, y_scale(mark), "zero" if mark == 0 else "grid")
        sheet.text(left - 5, y_scale(mark) + 4, tick_text(mark, marks), "tick", "end")
    for edge in (GREEN_TO + 0.5, YELLOW_TO + 0.5):
        sheet.line(left, y_scale(edge), width - right, y_scale(edge), "mark")
    for words, low, high in (("green", 0, GREEN_TO + 0.5), ("yellow", GREEN_TO + 0.5, YELLOW_TO + 0.5),
                             ("red", YELLOW_TO + 0.5, y_scale.high)):
        sheet.text(width - right + 5, y_scale((low + high) / 2) + 4, words, "tick")
    _draw_years(sheet, x_scale, height - bottom)
    for name, css, rolling in series:
        sheet.path([(x_scale(year(d)), y_scale(n)) for d, n in rolling], f"line thin s{css}", name)
    return sheet.render()


def probability_columns(
    counts: Sequence[int], title: str, width: float = 200, height: float = 92, css: str = "c1",
) -> Markup:
    """Histogram of probability integral transforms; the dashed line is a right model's level."""
    left, right, top, bottom = 4.0, 4.0, 6.0, 16.0
    total = sum(counts)
    level = total / len(counts) if counts else 0.0
    y_scale = Scale(0.0, max([*counts, level * 1.5, 1.0]), height - bottom, top)
    slot = (width - left - right) / max(len(counts), 1)
    sheet = Sheet(width, height, title, "share of days by equal slice of the forecast: " + ", ".join(
        f"{100 * c / total:.1f}%" for c in counts) if total else "no days")
    for i, count in enumerate(counts):
        tip = (f"{number(100 * i / len(counts), 0)} to {number(100 * (i + 1) / len(counts), 0)}%: {count:,} "
               f"days, a right model {level:,.0f}")
        sheet.rect(left + slot * i + 0.5, y_scale(0), slot - 1, y_scale(count) - y_scale(0), css, tip)
    sheet.line(left, y_scale(level), width - right, y_scale(level), "mark")
    sheet.line(left, y_scale(0), width - right, y_scale(0), "rule")
    for at, words, anchor in ((left, "0 loss", "start"), (width / 2, "½", "middle"),
                              (width - right, "gain 1", "end")):
        sheet.text(at, height - 4, words, "tick", anchor)
    return sheet.render()


def year_strip(
    rows: Sequence[tuple[str, Mapping[int, tuple[int, int]]]], level: float, title: str, width: float = 1080,
) -> Markup:
    """Exceptions by year, a row a model: blue fewer and orange more than expected; counts where they fit.

    rows : (model, year → (days, exceptions)).  level : of the VaR, .99.
    """
    years = sorted({y for _, by in rows for y in by})
    left = max((len(name) for name, _ in rows), default=1) * CHARACTER + 12
    cell, top = 19.0, 4.0
    slot = (width - left - 4) / max(len(years), 1)
    height = top + cell * len(rows) + 20
    sheet = Sheet(width, height, title, "exceptions of a year against those expected; " + "; ".join(
        f"{name}: {sum(e for _, e in by.values())} in all" for name, by in rows))
    for i, (name, by) in enumerate(rows):
        y = top + cell * i
        sheet.text(left - 8, y + cell / 2 + 4, name, "label", "end")
        for j, one in enumerate(years):
            if one not in by:
                continue
            days, exceptions = by[one]
            expected = (1.0 - level) * days
            css = _heat((exceptions - expected) / math.sqrt(max(expected * level, 0.25)))
            tip = f"{name}, {one}: {exceptions} exceptions in {days} days, {number(expected, 1)} expected"
            x = left + slot * j
            sheet.rect(x + 0.5, y + 0.5, slot - 1, cell - 1, f"cell {css}", tip)
            if slot > 12:
                sheet.text(x + slot / 2, y + cell / 2 + 4, exceptions, f"count on-{css}", "middle")
    step = 5 if len(years) > 15 else 1
    for j, one in enumerate(years):
        if one % step == 0:
            sheet.text(left + slot * (j + 0.5), height - 5, one, "tick", "middle")
    return sheet.render()


def _heat(z: float) -> str:
    """Class of a standardised excess of exceptions: 'h0' within one standard deviation."""
    step = min(5, round(abs(z)))
    return "h0" if step == 0 else f"h{step}" if z < 0 else f"hm{step}"


def _draw_years(sheet: Sheet, scale: Scale, y: float) -> None:
    span = scale.high - scale.low
    step = next((s for s in (1, 2, 5, 10, 20) if span / s <= 9), 50)
    for tick in range(math.ceil(scale.low / step) * step, int(scale.high) + 1, step):
        sheet.line(scale(tick), y, scale(tick), y + 4, "rule")
        sheet.text(scale(tick), y + 15, tick, "tick", "middle")
