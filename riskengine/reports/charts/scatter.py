"""A cloud of points with a fitted line and one point picked out: what a regression coefficient rests on."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from riskengine.reports.charts.svg import CHARACTER, Scale, Sheet, fit_scale, tick_text
from riskengine.reports.formats import number


def scatter(
    x: Sequence[float], y: Sequence[float], labels: Sequence[str], title: str, x_label: str, y_label: str,
    slope: float | None = None, intercept: float = 0.0, mark: int | None = None, width: float = 540,
    height: float = 260,
) -> Markup:
    """Points (x, y), each named on hover; the line y = intercept + slope·x; point *mark* drawn large and
    labelled."""
    left, right, top, bottom = 48.0, 12.0, 20.0, 36.0
    x_scale, x_marks = fit_scale(x, left, width - right, zero=False, target=6)
    y_scale, y_marks = fit_scale(y, height - bottom, top, zero=False)
    sheet = Sheet(width, height, title, f"{len(x)} points, {y_label} against {x_label}"
                  + (f", slope {number(slope, 2)}" if slope is not None else ""))
    for at in y_marks:
        sheet.line(left, y_scale(at), width - right, y_scale(at), "zero" if at == 0 else "grid")
        sheet.text(left - 5, y_scale(at) + 4, tick_text(at, y_marks), "tick", "end")
    for at in x_marks:
        sheet.line(x_scale(at), top, x_scale(at), height - bottom, "zero" if at == 0 else "grid")
        sheet.text(x_scale(at), height - bottom + 14, tick_text(at, x_marks), "tick", "middle")
    sheet.text(left, 11, f"↑ {y_label}", "tick")
    sheet.text(width - right, height - 4, f"{x_label} →", "tick", "end")
    size = 2.2 if len(x) > 120 else 3.2
    for i, (a, b, label) in enumerate(zip(x, y, labels, strict=True)):
        if i != mark:
            _dot(sheet, x_scale(a), y_scale(b), size, "c2", f"{label}: {number(a, 2)}, {number(b, 2)}")
    if slope is not None:
        sheet.path(_clipped(x_scale, y_scale, slope, intercept), "line sc1", f"slope {number(slope, 3)}")
    if mark is not None:
        a, b = x_scale(x[mark]), y_scale(y[mark])
        _dot(sheet, a, b, 4.6, "c3", f"most influential: {labels[mark]}")
        end = a + 8 + CHARACTER * len(labels[mark]) > width - right
        sheet.text(a - 8 if end else a + 8, min(max(b + 4, top + 10), height - bottom - 4), labels[mark],
                   "end tc3",
                   "end" if end else "start")
    return sheet.render()


def _dot(sheet: Sheet, x: float, y: float, radius: float, css: str, tip: str) -> None:
    sheet.rect(x - radius, y - radius, 2 * radius, 2 * radius, css, tip, radius)


def _clipped(x_scale: Scale, y_scale: Scale, slope: float, intercept: float) -> list[tuple[float, float]]:
    """The two ends of the line inside the plotting area."""
    low, high = x_scale.low, x_scale.high
    if slope:
        cuts = sorted(((y_scale.low - intercept) / slope, (y_scale.high - intercept) / slope))
        low, high = max(low, cuts[0]), min(high, cuts[1])
    if low >= high:
        return []
    return [(x_scale(v), y_scale(intercept + slope * v)) for v in (low, high)]
