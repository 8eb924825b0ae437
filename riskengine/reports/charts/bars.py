"""Bars: amounts by name, with intervals; stacks, pairs of columns, waterfalls and shares."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from riskengine.reports.charts.svg import CHARACTER, TIGHT, Sheet, fit_scale, legend, short, tick_text
from riskengine.reports.formats import number


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: value in the chart's unit; low, high: ends of the interval line; css overrides gain or loss
    colour."""

    label: str
    value: float
    low: float | None = None
    high: float | None = None
    css: str = ""
    note: str = ""


def bar_chart(
    bars: Sequence[Bar], title: str, unit: str, decimals: int = 1, width: float = 540, row: float = 21,
    signed: bool = True, label_share: float = 0.36, ticks: bool = True,
) -> Markup:
    """Horizontal bars around zero, labels on the left, values on the right, whiskers for intervals.

    signed : colours losses and gains apart; False draws every bar in the first colour (sizes, exposures).
    """
    longest = max((len(b.label) for b in bars), default=1)
    left = min(label_share * width, longest * CHARACTER + 10)
    texts = [number(b.value, decimals) for b in bars]
    right = max((len(t) for t in texts), default=1) * CHARACTER + 12
    top, bottom = 4.0, 20.0 if ticks else 4.0
    height = top + row * len(bars) + bottom
    values = [v for b in bars for v in (b.value, b.low, b.high) if v is not None]
    scale, marks = fit_scale(values, left, width - right, target=4)
    sheet = Sheet(width, height, title, _describe(bars, unit, decimals))
    for mark in marks:
        sheet.line(scale(mark), top, scale(mark), height - bottom, "zero" if mark == 0 else "grid")
        if ticks:
            sheet.text(scale(mark), height - 6, tick_text(mark, marks), "tick", "middle")
    for i, bar in enumerate(bars):
        y = top + row * i
        middle = y + row / 2
        interval = ""
        if _finite(bar.low) and _finite(bar.high):
            interval = f" [{number(bar.low, decimals)} to {number(bar.high, decimals)}]"
        tip = f"{bar.label}: {texts[i]} {unit}{interval}{' · ' + bar.note if bar.note else ''}"
        sheet.text(left - 6, middle + 4, short(bar.label, int((left - 4) / TIGHT)), "label", "end")
        if math.isfinite(bar.value):
            css = bar.css or (("loss" if bar.value < 0 else "gain") if signed else "c1")
            sheet.rect(scale(0), y + row * 0.17, scale(bar.value) - scale(0), row * 0.66, css, tip)
        if interval and bar.high - bar.low > 1e-9 * max(abs(bar.low), abs(bar.high)):
            _whisker(sheet, scale(bar.low), scale(bar.high), middle)
        sheet.text(width - 2, middle + 4, texts[i], "value", "end")
    return sheet.render()


def stacked_bars(
    rows: Sequence[tuple[str, Sequence[float]]], series: Sequence[tuple[str, str]], title: str, unit: str,
    decimals: int = 0, width: float = 540, row: float = 21,
) -> Markup:
    """Horizontal stacks: rows (label, one value per series), series (name, css); negatives stack to the
    left."""
    left = min(0.3 * width, max((len(r[0]) for r in rows), default=1) * CHARACTER + 10)
    totals = [sum(v for v in values if math.isfinite(v)) for _, values in rows]
    texts = [number(t, decimals) for t in totals]
    right = max((len(t) for t in texts), default=1) * CHARACTER + 12
    top, bottom = 22.0, 20.0
    height = top + row * len(rows) + bottom
    ends = [sum(v for v in values if v > 0) for _, values in rows] + [
        sum(v for v in values if v < 0) for _, values in rows
    ]
    scale, marks = fit_scale(ends, left, width - right, target=4)
    spoken = "; ".join(f"{label} {text}" for (label, _), text in zip(rows, texts, strict=True))
    sheet = Sheet(width, height, title, f"{unit}: {spoken}")
    legend(sheet, [(css, words) for words, css in series], left, 10)
    for mark in marks:
        sheet.line(scale(mark), top, scale(mark), height - bottom, "zero" if mark == 0 else "grid")
        sheet.text(scale(mark), height - 6, tick_text(mark, marks), "tick", "middle")
    for i, (label, values) in enumerate(rows):
        y = top + row * i
        sheet.text(left - 6, y + row / 2 + 4, short(label, int((left - 4) / TIGHT)), "label", "end")
        up = down = 0.0
        for (words, css), value in zip(series, values, strict=True):
            if not math.isfinite(value) or value == 0:
                continue
            base = up if value > 0 else down
            tip = f"{label}, {words}: {number(value, decimals)} {unit}"
            sheet.rect(scale(base), y + row * 0.17, scale(base + value) - scale(base), row * 0.66, css, tip)
            up, down = (up + value, down) if value > 0 else (up, down + value)
        sheet.text(width - 2, y + row / 2 + 4, texts[i], "value", "end")
    return sheet.render()


def columns(
    bars: Sequence[Bar], title: str, unit: str, decimals: int = 0, width: float = 540, height: float = 210,
    signed: bool = True,
) -> Markup:
    """Vertical columns with the value at the end of each; short labels underneath."""
    return grouped_columns(
        [(b.label, (b.value,)) for b in bars], ((unit, ""),), title, unit, decimals, width, height,
        signed=signed
    )


def grouped_columns(
    groups: Sequence[tuple[str, Sequence[float]]], series: Sequence[tuple[str, str]], title: str, unit: str,
    decimals: int = 1, width: float = 540, height: float = 205, signed: bool = True,
) -> Markup:
    """Columns side by side per group: groups (label, values), series (name, css; css '' colours by sign)."""
    left, right, bottom = 44.0, 6.0, 22.0
    top = 30.0 if len(series) > 1 else 18.0
    scale, marks = fit_scale([v for _, values in groups for v in values], height - bottom - 12, top)
    spoken = "; ".join(
        f"{label} " + ", ".join(number(v, decimals) for v in values) for label, values in groups
    )
    sheet = Sheet(width, height, title, f"{unit}: {spoken}")
    if len(series) > 1:
        legend(sheet, [(css, words) for words, css in series], left, 11)
    for mark in marks:
        sheet.line(left, scale(mark), width - right, scale(mark), "zero" if mark == 0 else "grid")
        sheet.text(left - 5, scale(mark) + 4, tick_text(mark, marks), "tick", "end")
    slot = (width - left - right) / max(len(groups), 1)
    thick = min(46.0, slot * 0.8 / len(series))
    for g, (label, values) in enumerate(groups):
        centre = left + slot * (g + 0.5)
        sheet.text(centre, height - 6, short(label, max(3, int(slot / CHARACTER))), "label", "middle")
        for k, value in enumerate(values):
            if not math.isfinite(value):
                continue
            words, css = series[k]
            x = centre + thick * (k - len(series) / 2)
            css = css or (("loss" if value < 0 else "gain") if signed else "c1")
            text = number(value, decimals)
            sheet.rect(x + 1, scale(0), thick - 2, scale(value) - scale(0), css,
                       f"{label}, {words}: {text} {unit}")
            if thick >= len(text) * 4.6:
                sheet.text(x + thick / 2, scale(value) + (-4 if value >= 0 else 12), text, "small", "middle")
    return sheet.render()


def waterfall(
    steps: Sequence[tuple[str, float]], total: tuple[str, float], title: str, unit: str, decimals: int = 1,
    width: float = 540, row: float = 22,
) -> Markup:
    """Contributions that add up, top to bottom, and their total: each bar starts where the last one ended."""
    left = min(0.34 * width, max(len(label) for label, _ in [*steps, total]) * CHARACTER + 10)
    texts = [number(v, decimals, plus=True) for _, v in steps] + [number(total[1], decimals, plus=True)]
    right = max(len(t) for t in texts) * CHARACTER + 12
    level, ends = 0.0, [0.0, total[1]]
    for _, value in steps:
        level += value if math.isfinite(value) else 0.0
        ends.append(level)
    top, bottom = 4.0, 20.0
    height = top + row * (len(steps) + 1) + 4 + bottom
    scale, marks = fit_scale(ends, left, width - right, target=4)
    spoken = "; ".join(f"{label} {text}" for (label, _), text in zip([*steps, total], texts, strict=True))
    sheet = Sheet(width, height, title, f"{unit}: {spoken}")
    for mark in marks:
        sheet.line(scale(mark), top, scale(mark), height - bottom, "zero" if mark == 0 else "grid")
        sheet.text(scale(mark), height - 6, tick_text(mark, marks), "tick", "middle")
    level = 0.0
    for i, (label, value) in enumerate(steps):
        y = top + row * i
        sheet.text(left - 6, y + row / 2 + 4, short(label, int((left - 4) / TIGHT)), "label", "end")
        if math.isfinite(value):
            css = "loss" if value < 0 else "gain"
            sheet.rect(scale(level), y + row * 0.17, scale(level + value) - scale(level), row * 0.66, css,
                       f"{label}: {texts[i]} {unit}")
            level += value
            sheet.line(scale(level), y + row * 0.5, scale(level), y + row * 1.5, "join")
        sheet.text(width - 2, y + row / 2 + 4, texts[i], "value", "end")
    y = top + row * len(steps) + 4
    sheet.line(2, y - 2, width - 2, y - 2, "rule")
    sheet.text(left - 6, y + row / 2 + 4, total[0], "label strong", "end")
    if math.isfinite(total[1]):
        sheet.rect(scale(0), y + row * 0.17, scale(total[1]) - scale(0), row * 0.66, "total",
                   f"{total[0]}: {texts[-1]} {unit}")
    sheet.text(width - 2, y + row / 2 + 4, texts[-1], "value strong", "end")
    return sheet.render()


def split_bar(parts: Sequence[tuple[str, float, str]], title: str, width: float = 540) -> Markup:
    """Shares of a whole as one bar: (name, share, css), with name and per cent beside each colour."""
    whole = sum(v for _, v, _ in parts if math.isfinite(v) and v > 0)
    words = [f"{label} {number(100 * v, 0)}%" for label, v, _ in parts]
    sheet = Sheet(width, 50, title, "; ".join(words))
    x = 2.0
    for (_, value, css), text in zip(parts, words, strict=True):
        if whole > 0 and math.isfinite(value) and value > 0:
            length = (width - 4) * value / whole
            sheet.rect(x, 22, length, 22, css, text)
            x += length
    legend(sheet, [(css, text) for (_, _, css), text in zip(parts, words, strict=True)], 2, 12)
    return sheet.render()


def _whisker(sheet: Sheet, x1: float, x2: float, y: float) -> None:
    sheet.line(x1, y, x2, y, "whisker")
    for x in (x1, x2):
        sheet.line(x, y - 3.5, x, y + 3.5, "whisker")


def _finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _describe(bars: Sequence[Bar], unit: str, decimals: int) -> str:
    return f"{unit}: " + "; ".join(f"{b.label} {number(b.value, decimals)}" for b in bars)
