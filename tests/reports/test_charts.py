"""The drawings: scales, ends of bars, bands and labels, checked in the SVG itself."""

import math
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from night_factory import make_night

from riskengine.reports.charts import (
    Bar, Line, bar_chart, columns, distribution, grouped_columns, line_chart, split_bar, stacked_bars,
    waterfall,
)
from riskengine.reports.charts.svg import fit_scale, tick_text
from riskengine.reports.sections.chain import diagram


def rects(drawing, css):
    root = ElementTree.fromstring(str(drawing))
    return [r for r in root.iter("rect") if css in r.get("class").split()]


def numbers(element, *names):
    return [float(element.get(n)) for n in names]


@pytest.mark.parametrize("values",
                         [[0.3, -7.2], [1e9, 3e9], [-1e-6, -3e-6], [5.0], [0.0], [], [math.nan, 4.0]])
def test_a_scale_holds_its_values_and_zero_between_round_ticks(values):
    scale, ticks = fit_scale(values, 0.0, 100.0)
    finite = [v for v in values if math.isfinite(v)]
    assert scale.low <= min([0.0, *finite]) and scale.high >= max([0.0, *finite])
    assert 2 <= len(ticks) <= 9 and len({tick_text(t, ticks) for t in ticks}) == len(ticks)
    assert scale(scale.low) == 0.0 and scale(scale.high) == 100.0


def test_bar_lengths_are_in_proportion_and_on_their_side_of_zero():
    drawing = bar_chart([Bar("a", 10.0), Bar("b", -5.0)], "T", "USD m")
    gain, loss = rects(drawing, "gain")[0], rects(drawing, "loss")[0]
    (gx, gw), (lx, lw) = numbers(gain, "x", "width"), numbers(loss, "x", "width")
    assert gw / lw == pytest.approx(2.0, rel=0.01)
    assert lx + lw == pytest.approx(gx, abs=0.2)


def test_stacks_add_up_to_their_total():
    drawing = stacked_bars([("h", (-30.0, -10.0, 20.0))], (("x", "c1"), ("y", "c2"), ("z", "c3")), "T",
                           "USD bn")
    widths = [numbers(r, "width")[0] for r in ElementTree.fromstring(str(drawing)).iter("rect")][3:]
    assert widths[0] / widths[1] == pytest.approx(3.0, rel=0.02)
    assert ">−20<" in str(drawing)


def test_a_waterfall_ends_where_the_total_ends():
    drawing = waterfall([("a", 8.0), ("b", -12.0)], ("sum", -4.0), "T", "USD m")
    last, total = rects(drawing, "loss")[-1], rects(drawing, "total")[0]
    assert numbers(last, "x")[0] == pytest.approx(numbers(total, "x")[0], abs=0.2)


def test_the_histogram_holds_all_mass_between_its_ends_and_marks_the_tail():
    q = np.linspace(-100.0, 100.0, 201)
    drawing = distribution(q, [(-90.0, "VaR 95%")], "T", "USD m")
    tail, body = rects(drawing, "loss"), rects(drawing, "neutral")
    area = [numbers(r, "height")[0] for r in tail], [numbers(r, "height")[0] for r in body]
    assert sum(area[0]) / (sum(area[0]) + sum(area[1])) == pytest.approx(0.05, abs=0.01)
    assert "every path" in distribution(np.zeros(201), [], "T", "USD m")


def test_lines_break_at_missing_values_and_bands_close():
    y = np.array([0.0, 1.0, math.nan, 2.0])
    drawing = str(line_chart(range(4), [Line("y", y, y - 1, y + 1)], "T", "bp", [(0, "0")]))
    line = re.search(r'<path d="([^"]+)" class="line', drawing).group(1)
    band = re.search(r'<path d="([^"]+)" class="band', drawing).group(1)
    assert line.count("M") == 2 and band.endswith("Z") and "nan" not in drawing


def test_labels_at_line_ends_never_overlap():
    lines = [Line(f"series {i}", np.array([0.0, 5.0 + 0.01 * i])) for i in range(6)]
    root = ElementTree.fromstring(str(line_chart(range(2), lines, "T", "bp", [])))
    ys = sorted(float(t.get("y")) for t in root.iter("text") if "end" in (t.get("class") or "").split())
    assert len(ys) == 6 and min(np.diff(ys)) >= 12.9


def test_every_chart_speaks_and_escapes():
    evil = '<script>alert("x")</script>'
    drawings = [
        bar_chart([Bar(evil, 1.0, 0.5, 2.0, note=evil)], evil, evil), columns([Bar(evil, -1.0)], evil, evil),
        stacked_bars([(evil, (1.0,))], ((evil, "c1"),), evil, evil), split_bar([(evil, 1.0, "c1")], evil),
        grouped_columns([(evil, (1.0, math.nan))], ((evil, "c1"), ("b", "c2")), evil, evil),
        waterfall([(evil, 1.0)], (evil, 1.0), evil, evil),
        line_chart(range(2), [Line(evil, np.ones(2))], evil, evil, [(0, evil)]),
        distribution(np.linspace(-1, 1, 201), [(-0.9, evil)], evil, evil), diagram(make_night().scenarios[2]),
    ]
    for drawing in drawings:
        text = str(drawing)
        svg = ElementTree.fromstring(text[text.index("<svg"): text.index("</svg>") + 6])
        assert svg.get("role") == "img" and svg.get("aria-label") and svg[0].tag == "title"
        assert "<script" not in text and "nan" not in text.casefold().replace("finance", "")
