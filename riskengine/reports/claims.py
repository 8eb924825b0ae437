"""The page of the claims: one table to read at a glance, then a card per claim with its equation, numbers and
chart.

``render_claims`` fills ``templates/claims_page.html``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from markupsafe import Markup

from riskengine.reports import formats
from riskengine.reports.charts import Bar, Line, bar_chart, figure, line_chart
from riskengine.reports.charts.scatter import scatter
from riskengine.reports.html_table import Cell, Column, Table, amount, text
from riskengine.reports.page import render_page
from riskengine.result import Claim, ClaimEstimate, ClaimsResult

_NOTHING = Cell("", None)
VERDICTS = {
    "supported": ("●", "Supported", "status-ok", 0),
    "identity holds": ("●", "Identity holds", "status-ok", 1),
    "contradicted": ("■", "Contradicted", "status-breach", 2),
    "identity fails": ("■", "Identity fails", "status-breach", 3),
    "undecided": ("▲", "Undecided", "status-warning", 4), "untestable": ("○", "Untestable", "status-info", 5),
    "data missing": ("○", "Data missing", "status-info", 6),
}
"""verdict → symbol, words, class, order; symbol and words, never colour alone."""


def render_claims(result: ClaimsResult) -> str:
    """The claims of one date as a self-contained HTML page."""
    families = list(dict.fromkeys(c.family for c in result.claims))
    missing = _missing(result.claims)
    contents = [("overview", "Overview"), *((_anchor(f), f) for f in families),
                *([("missing", "Missing data")] if missing else ())]
    return render_page(
        "claims_page.html", result=result, contents=contents, figures=_counts(result.claims),
        overview=overview(result.claims), missing=missing,
        families=[(f, _anchor(f), [_card(c) for c in result.claims if c.family == f]) for f in families])


def verdict_cell(verdict: str) -> Cell:
    """Symbol, words and colour of a verdict."""
    symbol, words, css, order = VERDICTS.get(verdict, ("○", verdict, "status-info", 9))
    return Cell(f"{symbol}\u00a0{words}", float(order), css=f"status {css}")


def overview(claims: Sequence[Claim]) -> Table:
    """One line per claim: verdict, number, interval, sample size, corrected p, and whether a single point
    turns it."""
    columns = (Column("", numeric=False), Column("Claim", numeric=False, css="words"),
               Column("Verdict", numeric=False),
               Column("Number"), Column("95% interval", numeric=False),
               Column("Unit", numeric=False, css="words"),
               Column("n"), Column("p", "alone"), Column("p", "Holm"), Column("q", "B–H"),
               Column("Without its most influential observation", numeric=False, css="words"))
    rows, groups, before = [], [], None
    for i, c in enumerate(claims):
        if c.family != before:
            groups.append(i)
            before = c.family
        e = c.estimate
        digits = _decimals(e) if e else 0
        rows.append((
            Cell(c.id, c.id, link=f"#{c.id}", css="nowrap"), text(c.title), verdict_cell(c.verdict),
            amount(e.value, digits, css="strong") if e else _NOTHING,
            Cell(_interval(e, digits) or "", css="nowrap") if e and c.p is not None else _NOTHING,
            text(e.unit, "small") if e else _NOTHING, amount(e.n, 0) if e and c.p is not None else _NOTHING,
            _p(c.p), _p(c.p_holm), _p(c.q), _stability(c)))
    return Table("Verdicts at a glance", columns, tuple(rows), groups=tuple(groups))


def _p(value: float | None) -> Cell:
    """A p-value to three decimals, '< 0.001' below."""
    if value is None:
        return Cell("", None)
    return Cell("<\u202f0.001" if value < 0.001 else formats.number(value, 3 if value < 0.1 else 2), value)


def _stability(claim: Claim) -> Cell:
    """'same verdict (2009Q1)' or what it becomes."""
    if not claim.without:
        return _NOTHING
    turned = [(what, verdict) for what, _, verdict in claim.without if verdict != claim.verdict]
    if not turned:
        return text("same verdict "
                    f"({', '.join(what.removeprefix('without ') for what, _, _ in claim.without)})", "small")
    return text("; ".join(f"{verdict} {what}" for what, verdict in turned), "flag")


def _counts(claims: Sequence[Claim]) -> list[tuple[Cell, int]]:
    count = Counter(c.verdict for c in claims)
    return [(verdict_cell(v), count[v]) for v in VERDICTS if count[v]]


def _card(claim: Claim) -> dict:
    return {"claim": claim, "verdict": verdict_cell(claim.verdict), "chart": claim_chart(claim),
            "numbers": _numbers(claim), "anchor": claim.id}


def _numbers(claim: Claim) -> Table | None:
    """The main number, the same number on other samples with its verdict, and the numbers beside it."""
    rows, groups = [], []
    if claim.estimate:
        rows.append(_row("Main number" if claim.p is not None else "Number", claim.estimate, claim.verdict))
        rows += [_row(f"  {what}", e, verdict) for what, e, verdict in claim.without]
    if claim.others and rows:
        groups.append(len(rows))
    rows += [_row(e.label, e, None) for e in claim.others]
    if not rows:
        return None
    columns = (Column("", numeric=False, css="words"), Column("Estimate"), Column("s.e.", "HAC"),
               Column("95% interval", numeric=False), Column("n"),
               Column("Sample, unit", numeric=False, css="words"),
               Column("Verdict", numeric=False))
    return Table(claim.title, columns, tuple(rows), groups=tuple(groups), sortable=False)


def _row(label: str, e: ClaimEstimate, verdict: str | None) -> tuple[Cell, ...]:
    digits = _decimals(e)
    where = " · ".join(x for x in (e.sample, e.unit, e.note) if x)
    return (text(label), amount(e.value, digits, css="strong" if verdict else ""),
            amount(e.se, digits) if e.se else _NOTHING, Cell(_interval(e, digits) or ""),
            amount(e.n, 0) if e.n else _NOTHING, text(where, "small"),
            verdict_cell(verdict) if verdict else _NOTHING)


def _interval(e: ClaimEstimate, digits: int) -> str | None:
    if e.low is None or e.high is None or e.low == e.high:
        return None
    return f"{formats.number(e.low, digits)} to {formats.number(e.high, digits)}"


def _decimals(e: ClaimEstimate) -> int:
    if e.unit == "p-value":
        return 3
    if not e.se:  # a computed figure: about three digits
        return 0 if abs(e.value) >= 100 else 1 if abs(e.value) >= 10 else 2 if abs(e.value) >= 0.1 else 3
    size = e.se
    return 0 if size >= 10 else 1 if size >= 1 else 2 if size >= 0.03 else 3


def _missing(claims: Sequence[Claim]) -> Table | None:
    rows = [(text(c.id, link=f"#{c.id}"), text(c.title), text(", ".join(c.missing)))
            for c in claims if c.missing]
    if not rows:
        return None
    return Table("Series that are not imported", (
        Column("", numeric=False), Column("Claim", numeric=False, css="words"),
        Column("Series", numeric=False, css="words")), tuple(rows), sortable=False)


def claim_chart(claim: Claim) -> Markup | None:
    """The drawing of a claim from its plain chart data; None without."""
    chart = claim.chart
    if not chart:
        return None
    if chart["kind"] == "scatter":
        drawing = scatter(chart["x"], chart["y"], chart["labels"], claim.title, chart["x_label"],
                          chart["y_label"],
                          chart["slope"], chart["intercept"], chart["mark"])
        return figure("What the number rests on", "", drawing,
                      ("Other regressors taken out. " if chart.get("others", 1) else "")
                      + f"Orange: {chart['labels'][chart['mark']]}, the most influential.")
    if chart["kind"] == "lines":
        nan = float("nan")
        lines = [Line(name, [nan if v is None else v for v in y], css=f"c{i + 1}")
                 for i, (name, y) in enumerate(chart["lines"])]
        x = chart["x"]
        return figure("Over time", chart["unit"], line_chart(
            x, lines, claim.title, chart["unit"], _years(x[0], x[-1]), zero=False, height=230))
    if chart["kind"] == "bars":
        bars = [Bar(label, value, low, high) for label, value, low, high in chart["rows"]]
        return figure(chart["title"], chart["unit"],
                      bar_chart(bars, chart["title"], chart["unit"], chart["decimals"],
                                                               label_share=0.5))
    raise ValueError(f"unknown kind of chart: {chart['kind']}")


def _years(first: float, last: float) -> list[tuple[float, str]]:
    span = last - first
    step = next((s for s in (1, 2, 5, 10, 20) if span / s <= 8), 20)
    start = int(-(-first // step) * step)
    return [(float(y), str(y)) for y in range(start, int(last) + 1, step)]


def _anchor(family: str) -> str:
    return "family-" + family.lower().replace(" ", "-")
