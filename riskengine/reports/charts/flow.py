"""The chain from policy to P&L as a diagram: two branches that leave the orders and meet in the P&L."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from riskengine.reports.charts.svg import Sheet

WIDTH, HEIGHT = 1100.0, 262.0
BOX_W, BOX_H = 176.0, 96.0


@dataclass(frozen=True, slots=True)
class Box:
    """One station of the chain: heading, number with its unit, interval, caption; css tone."""

    heading: str
    value: str
    unit: str = ""
    interval: str = ""
    caption: str = ""
    css: str = ""


def chain_diagram(
    orders: Box, outflow: Box, dollars: Box, dollar: Box, current_account: Box, flow_yield: Box,
    path_yield: Box,
    pnl: Box, pnl_lines: Sequence[tuple[str, str]], title: str,
) -> Markup:
    """Top branch: orders → net outflow → dollars out → dollar → P&L (the current account answers the dollar).

    Bottom branch: net outflow → term premium (flow) and expected policy rate (path) → 10-year yield → P&L.
    pnl_lines : (asset class, amount) under the total.
    """
    boxes = (orders, outflow, dollars, dollar, current_account, flow_yield, path_yield, pnl)
    spoken = "; ".join(f"{b.heading}: {b.value} {b.unit} {b.interval}".strip() for b in boxes)
    sheet = Sheet(WIDTH, HEIGHT, title, spoken)
    step = (WIDTH - BOX_W - 4) / 4
    x = [2 + step * i for i in range(5)]
    top, low = 8.0, HEIGHT - BOX_H - 8
    middle = (HEIGHT - BOX_H) / 2
    _box(sheet, x[0], middle, orders)
    _box(sheet, x[1], middle, outflow)
    _box(sheet, x[2], top, dollars)
    _box(sheet, x[3], top, dollar)
    _box(sheet, x[2], low, flow_yield)
    _box(sheet, x[3], low, path_yield)
    _arrow(sheet, [(x[0] + BOX_W, HEIGHT / 2), (x[1], HEIGHT / 2)])
    _arrow(sheet, [(x[1] + BOX_W, HEIGHT / 2 - 12), (x[2] - step * 0.09, HEIGHT / 2 - 12),
                   (x[2] - step * 0.09, top + BOX_H / 2), (x[2], top + BOX_H / 2)])
    _arrow(sheet, [(x[1] + BOX_W, HEIGHT / 2 + 12), (x[2] - step * 0.09, HEIGHT / 2 + 12),
                   (x[2] - step * 0.09, low + BOX_H / 2), (x[2], low + BOX_H / 2)])
    _arrow(sheet, [(x[2] + BOX_W, top + BOX_H / 2), (x[3], top + BOX_H / 2)])
    _arrow(sheet, [(x[3] + BOX_W, top + BOX_H / 2), (x[4], top + BOX_H / 2)])
    _arrow(sheet, [(x[3] + BOX_W, low + BOX_H / 2), (x[4], low + BOX_H / 2)])
    sheet.text((x[2] + BOX_W + x[3]) / 2, low + BOX_H / 2 + 6, "+", "plus", "middle")
    centre = x[3] + BOX_W / 2
    _arrow(sheet, [(centre, top + BOX_H), (centre, middle + BOX_H / 2 - 18)], small=True)
    sheet.text(centre, HEIGHT / 2 + 2,
               f"{current_account.heading}: {current_account.value} {current_account.unit}",
               "small strong", "middle")
    sheet.text(centre, HEIGHT / 2 + 15, current_account.interval, "small muted", "middle")
    _pnl(sheet, x[4], top, HEIGHT - 16, pnl, pnl_lines)
    return sheet.render()


def _box(sheet: Sheet, x: float, y: float, box: Box) -> None:
    sheet.rect(x, y, BOX_W, BOX_H, f"box {box.css}".strip(), radius=6)
    sheet.text(x + 10, y + 19, box.heading, "boxhead")
    sheet.text(x + 10, y + 46, _value(box), "boxvalue")
    sheet.text(x + 10, y + 64, box.interval, "small muted")
    sheet.text(x + 10, y + 84, box.caption, "small")


def _value(box: Box) -> Markup:
    if not box.unit:
        return escape(box.value)
    return Markup('{}<tspan class="boxunit"> {}</tspan>').format(box.value, box.unit)


def _pnl(sheet: Sheet, x: float, y: float, height: float, box: Box, lines: Sequence[tuple[str, str]]) -> None:
    sheet.rect(x, y, BOX_W, height, f"box pnl {box.css}".strip(), radius=6)
    sheet.text(x + 10, y + 19, box.heading, "boxhead")
    sheet.text(x + 10, y + 47, _value(box), "boxvalue")
    sheet.text(x + 10, y + 66, box.interval, "small muted")
    sheet.text(x + 10, y + 83, box.caption, "small muted")
    sheet.line(x + 10, y + 95, x + BOX_W - 10, y + 95, "rule")
    gap = min(24.0, (height - 110) / max(len(lines), 1))
    for i, (words, amount) in enumerate(lines):
        line_y = y + 114 + gap * i
        sheet.text(x + 10, line_y, words, "small")
        sheet.text(x + BOX_W - 10, line_y, amount, "small strong", "end")


def _arrow(sheet: Sheet, points: Sequence[tuple[float, float]], small: bool = False) -> None:
    *_, (x0, y0), (x1, y1) = points
    size = 5.0 if small else 7.0
    if x1 != x0:
        direction = 1 if x1 > x0 else -1
        head = [(x1, y1), (x1 - direction * size * 1.4, y1 - size), (x1 - direction * size * 1.4, y1 + size)]
        stop = (x1 - direction * size, y1)
    else:
        direction = 1 if y1 > y0 else -1
        head = [(x1, y1), (x1 - size, y1 - direction * size * 1.4), (x1 + size, y1 - direction * size * 1.4)]
        stop = (x1, y1 - direction * size)
    sheet.path([*points[:-1], stop], "arrow")
    sheet.path(head, "arrowhead", closed=True)
