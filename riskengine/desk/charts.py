"""The chain of an answer as pictures and tiles: our own SVG (``reports.charts``), one drawing for both
themes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from markupsafe import Markup

from riskengine.desk.panels import Answer, MILLION, empty
from riskengine.reports.charts import Bar, Line, bar_chart, grouped_columns, line_chart
from riskengine.reports.charts.svg import Scale, Sheet, fit_scale, legend, tick_text
from riskengine.reports.formats import number, probability

WIDTH, HEIGHT = 430.0, 178.0
NO_POLICY = "No policy yet: choose a scenario or move a knob."
TILES = (
    ("gross_orders_usd_bn", "Gross orders", "$bn", 1.0, 0),
    ("net_outflow_usd_bn", "Net outflow", "$bn", 1.0, 0),
    ("dollars_out_usd_bn", "Dollars out", "$bn", 1.0, 0), ("broad_dollar", "Dollar falls", "%", 100.0, 2),
    ("treasury_10y_flow_bp", "10Y, flow", "bp", 1.0, 1),
    ("treasury_10y_path_bp", "10Y, policy path", "bp", 1.0, 1),
    ("current_account_change_usd_bn_per_year", "Current account", "$bn/y", 1.0, 0),
)


def tiles(answer: Answer) -> Markup:
    """The chain in seven numbers: median and 68% band over parameters, and what it was before."""
    chain = answer.get("chain")
    out = []
    for key, label, unit, factor, decimals in TILES:
        if chain is None:
            value, band, before = "–", " ", " "
        else:
            x, old = chain["after"][key], chain["before"][key]
            plus = key != "broad_dollar"
            value = number(factor * x["median"], decimals, plus and decimals == 1)
            band = f"{number(factor * x['p16'], decimals)} to {number(factor * x['p84'], decimals)}"
            before = f"before {number(factor * old['median'], decimals)}"
        out.append(Markup('<div class="tile"><b>{}</b><span class="v">{}<i>{}</i></span><span '
                          'class="band">{}</span>'
                          '<span class="was">{}</span></div>').format(label, value, unit, band, before))
    return Markup("").join(out)


def sellers_chart(answer: Answer) -> Markup:
    """Who sells and who absorbs at the horizon, USD bn."""
    chain = answer.get("chain")
    if chain is None:
        return empty(NO_POLICY)
    after = chain["after"]
    sellers: list[tuple[str, float]] = []
    for row in after["holder_orders"]:
        total = sum(v for k, v in row.items() if k != "holder")
        sellers.append((row["holder"], total))
    sellers = sorted((s for s in sellers if abs(s[1]) > 0.05), key=lambda s: s[1])[:4]
    takers = sorted(((r["name"], r["usd_bn"]) for r in after["absorbers"] if abs(r["usd_bn"]) > 0.05),
                    key=lambda r: -r[1])[: 7 - len(sellers)]
    if not sellers and not takers:
        return empty("Nobody sells: the policy moves no holdings.")
    bars = [Bar(n, v, css="loss" if v < 0 else "gain") for n, v in [*sellers, *takers]]
    return bar_chart(bars, "Who sells, who absorbs", "USD bn", 0, WIDTH,
                     (HEIGHT - 24) / len(bars) if len(bars) > 5
                     else 26, label_share=0.34)


def dollar_chart(answer: Answer) -> Markup:
    """Fall of the broad dollar: median with its 68% band, and as it was before."""
    chain = answer.get("chain")
    if chain is None:
        return empty(NO_POLICY)
    before, after = chain["before"], chain["after"]
    x = after["weeks"]
    new = {k: 100 * np.array(v) for k, v in after["paths"]["broad_dollar"].items()}
    lines = []
    if before["paths"] != after["paths"] and len(before["weeks"]) == len(x):
        lines.append(Line("before", 100 * np.array(before["paths"]["broad_dollar"]["median"]), css="c7"))
    lines.append(Line("after", new["median"], new["p16"], new["p84"], "c1"))
    last = x[-1]
    step = next(s for s in (1, 2, 4, 13, 26, 52, 104) if last / s <= 7)
    ticks = [(float(t), f"{t:g} w") for t in np.arange(step, last + 0.1, step)]
    return line_chart(x, lines, "Broad dollar falls by", "%", ticks, "", 2, WIDTH, HEIGHT)


def yields_chart(answer: Answer) -> Markup:
    """Treasury yields by tenor: flow channel and policy path, bp at the horizon."""
    chain = answer.get("chain")
    if chain is None:
        return empty(NO_POLICY)
    wanted = ("3M", "2Y", "5Y", "10Y", "20Y", "30Y")
    groups = [(r["tenor"], (r["flow_bp"], r["path_bp"])) for r in chain["after"]["yields_by_channel"]
              if r["tenor"] in wanted]
    series = (("flow", "c1"), ("policy path", "c6"))
    return grouped_columns(groups, series, "Yields by channel", "bp", 1, WIDTH, HEIGHT, signed=False)


def pnl_chart(answer: Answer, tips: bool = True) -> Markup:
    """Distribution of the P&L before (outline) and after (filled), with both VaR marks.

    tips : a bar says its range and share; False draws the bars as two shapes (a knob is being dragged).
    """
    found = answer["pnl_histogram"]
    edges = [e / MILLION for e in found["edges_usd"]]
    before, after = found["before"], found["after"]
    left, right, top, bottom = 10.0, 10.0, 30.0, 20.0
    sheet = Sheet(WIDTH, HEIGHT, "P&L before and after", "USD m")
    x_scale, ticks = fit_scale([edges[0], edges[-1]], left, WIDTH - right, zero=False, target=6)
    most = max([*before, *after, 1])
    y_scale = Scale(0.0, float(most), HEIGHT - bottom, top)
    paths = answer["paths"]
    bars: dict[str, list[tuple[float, float]]] = {"loss": [], "gain": []}
    for i, count in enumerate(after):
        if count > 0:
            a, b, css = x_scale(edges[i]), x_scale(edges[i + 1]), "loss" if edges[i + 1] <= 0 else "gain"
            low, high = y_scale(0), y_scale(count)
            if tips:
                share = number(100 * count / paths, 2)
                sheet.rect(a + 0.3, low, b - a - 0.6, high - low, css,
                           f"{number(edges[i], 0)} to {number(edges[i + 1], 0)} USD m: {share}% of paths")
            else:
                bars[css] += [(a + 0.3, low), (a + 0.3, high), (b - 0.3, high), (b - 0.3, low),
                              (math.nan, 0.0)]
    for css, corners in bars.items():
        sheet.path(corners, css)
    outline: list[tuple[float, float]] = [(x_scale(edges[0]), y_scale(0))]
    for i, count in enumerate(before):
        outline += [(x_scale(edges[i]), y_scale(count)), (x_scale(edges[i + 1]), y_scale(count))]
    sheet.path([*outline, (x_scale(edges[-1]), y_scale(0))], "line before-line")
    sheet.line(left, y_scale(0), WIDTH - right, y_scale(0), "rule")
    for tick in ticks:
        sheet.text(min(max(x_scale(tick), 22), WIDTH - 22), HEIGHT - 5, tick_text(tick, ticks), "tick",
                   "middle")
    level = f"{answer['levels'][-1]:g}"
    for which, css in (("before", "mark faint-mark"), ("after", "mark")):
        loss = -answer[which]["var"][level]["value"] / MILLION
        if math.isfinite(loss) and x_scale.low <= loss <= x_scale.high:
            sheet.line(x_scale(loss), top - 6, x_scale(loss), y_scale(0), css)
    loss = -answer["after"]["var"][level]["value"] / MILLION
    words, at = f"VaR {100 * float(level):g}% {number(-loss, 1)}", x_scale(loss)
    room = at > left + 100
    sheet.text(at - 5 if room else at + 5, top + 3, words, "small", "end" if room else "start")
    legend(sheet, [("gain", "after, gain"), ("loss", "after, loss"), ("c7", "before")], left, 12)
    return sheet.render()


def ledger_panel(answer: Answer) -> Markup:
    """The ledger: signed lines, each identity adding to zero."""
    chain = answer.get("chain")
    if chain is None:
        return empty(NO_POLICY)
    after = chain["after"]
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for row in after["ledger"]:
        groups.setdefault(row["identity"], []).append(row)
    lines = []
    for identity, rows in groups.items():
        shown = [r for r in rows if max(abs(r["median"]), abs(r["p16"]), abs(r["p84"])) > 0.005]
        if not shown:
            continue
        lines.append(Markup('<tr class="id"><th colspan="3">{}</th></tr>').format(
            identity.replace("securities.", "securities, ").replace("_", " ")))
        lines += [Markup('<tr><th>{}</th><td class="n">{}</td><td class="n pm">{} to {}</td></tr>').format(
            r["line"].partition(": ")[2] or r["line"], number(r["median"], 1), number(r["p16"], 1),
            number(r["p84"], 1)) for r in shown]
    worst = after["ledger_max_imbalance_usd_bn"]
    exponent = f"{worst:.0e}".replace("-", "\u2212") if worst else "0"
    return Markup(
        '<table class="t ledger"><thead><tr><th>Ledger at the horizon, USD bn</th><th class="n">median</th>'
        '<th class="n pm">68% band</th></tr></thead><tbody>{}</tbody><tfoot><tr><th '
        'colspan="3"><span class="dot ok">'
        "</span>every identity adds to zero in every draw; largest gap {} USD bn"
        "</th></tr></tfoot></table>").format(
        Markup("").join(lines), exponent)


def dial(plausibility: Mapping[str, Any] | None) -> Markup:
    """How far the policy's mean move lies from what the market does by itself: Mahalanobis distance and P."""
    width, height, cx, cy, radius = 244.0, 92.0, 66.0, 76.0, 56.0
    sheet = Sheet(width, height, "Plausibility of the policy's mean move")
    stops = (0.0, 0.34, 0.67, 1.0)
    for i, css in enumerate(("arc-ok", "arc-warning", "arc-far")):
        points = [_on(cx, cy, radius, s) for s in np.linspace(stops[i], stops[i + 1], 14)]
        sheet.path(points, f"arc {css}")
    if plausibility is None:
        sheet.text(cx + radius + 18, 48, "No policy", "boxhead")
        return sheet.render()
    for which, css in (("before", "needle was-needle"), ("after", "needle")):
        share = _turn(plausibility[which]["probability"])
        sheet.path([_on(cx, cy, 8, share), _on(cx, cy, radius - 8, share)], css)
    after = plausibility["after"]
    left = cx + radius + 14
    sheet.text(left, 26, "P(at least as far)", "boxhead")
    sheet.text(left, 50, probability(after["probability"]), "boxvalue")
    sheet.text(left, 67, f"distance {number(after['mahalanobis'], 2)}", "small")
    sheet.text(left, 82, f"as filed {number(plausibility['before']['mahalanobis'], 2)}", "small muted")
    return sheet.render()


def _turn(p: float) -> float:
    """Probability → place on the dial: 1 at the left end, 10⁻⁶ and less at the right."""
    return min(1.0, max(0.0, -math.log10(max(p, 1e-12)) / 6.0))


def _on(cx: float, cy: float, radius: float, share: float) -> tuple[float, float]:
    angle = math.pi * (1.0 - share)
    return cx + radius * math.cos(angle), cy - radius * math.sin(angle)


def draw_chain(answer: Answer, show: object = None) -> dict[str, Markup]:
    """The chain by the id of its place on the page; show : the places wanted, None: all."""
    makers = {"tiles": tiles, "sellers": sellers_chart, "dollar": dollar_chart, "yields": yields_chart,
              "ledger": ledger_panel, "dial": lambda a: dial(a.get("plausibility"))}
    wanted = show if isinstance(show, list) else list(makers)
    return {place: make(answer) for place, make in makers.items() if place in wanted}
