"""Coverage as the court's page shows it: cells, winners, rolling exceptions, histograms, years, regimes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from riskengine.coverage_result import CoverageCell, CoverageReport
from riskengine.reports.charts.court import exceptions_chart, probability_columns, year_strip
from riskengine.reports.charts.svg import figure
from riskengine.reports.formats import name, number
from riskengine.reports.html_table import Cell, Column, Table, amount, is_long, status, text

PLAIN = ("historical_simulation", "historical", "hs", "gaussian")
"""Rivals drawn beside the default model, the first that was run."""
CLASS_BOOKS = ("FX majors", "FX emerging", "Treasuries", "US equities", "sectors", "total")
"""One book an asset class is drawn; the others stand in the tables."""


def view(report: CoverageReport) -> dict[str, Any]:
    """Tables and drawings of the coverage part."""
    level = report.levels[0]
    drawn = [b for b in CLASS_BOOKS if b in report.books] or list(report.books)[:6]
    return {
        "winners": [_winners(report, w) for w in report.levels],
        "tables": [(name(k), _cells(report, k)) for k in _classes(report)],
        "second": [_second_level(report, w) for w in report.levels[1:]],
        "rolling": _rolling(report, drawn, level), "pit": _histograms(report, drawn, level),
        "years": _years(report, drawn, level), "regimes": _regimes(report, drawn, level),
        "models": list(report.models.items()), "books": list(report.books.items()), "level": f"{level:.0%}",
    }


def heading(book: str) -> str:
    """'total' → 'Total'."""
    return book[:1].upper() + book[1:]


def _classes(report: CoverageReport) -> list[str]:
    return list(dict.fromkeys(c.asset_class for c in report.cells))


def p_value(value: float) -> Cell:
    """A p-value; bold below 1% and marked with stars as in the tables of the field."""
    if value != value:
        return Cell("–")
    stars = "**" if value < 0.01 else "*" if value < 0.05 else ""
    return Cell(f"{value:.3f}{stars}" if value >= 0.0005 else f"<0.001{stars}", value, css="strong" if stars
                else "")


def _cells(report: CoverageReport, asset_class: str) -> Table:
    level = report.levels[0]
    rows, groups, last = [], [], ""
    for c in report.cells:
        if c.asset_class != asset_class or c.level != level:
            continue
        if c.book != last and rows:
            groups.append(len(rows))
        rows.append((
            text(heading(c.book)), text(c.model, "strong" if c.model == report.default_model else ""),
            text(f"{c.first[:4]}–{c.last[:4]}"),
            Cell(str(c.exceptions), float(c.exceptions)), amount(c.expected, 1), p_value(c.kupiec_p),
            p_value(c.christoffersen_p), p_value(c.duration_p), p_value(c.conditional_coverage_p),
            status(c.traffic_light),
            Cell(f"{number(100 * c.days_yellow, 0)} / {number(100 * c.days_red, 0)}", c.days_red),
            Cell(str(c.most_in_250_days), float(c.most_in_250_days)),
            amount(c.z1, 2), p_value(c.z1_p), amount(c.z2, 2), p_value(c.z2_p),
            amount(c.fz0_difference, 4, plus=True), amount(c.dm_t, 1, plus=True),
            p_value(c.pit_kolmogorov_p)))
        last = c.book
    columns = (
        Column("Book", numeric=False), Column("Model", numeric=False), Column("Years", numeric=False),
        Column("Exceptions"), Column("Expected"), Column("Kupiec", "p"), Column("Markov", "p"),
        Column("Duration", "p"),
        Column("Cond. cov.", "p"), Column("Zone", "all days", numeric=False),
        Column("Yellow / red", "% of windows"),
        Column("Most", "in 250 d"), Column("Z1"), Column("", "p"), Column("Z2"), Column("", "p"),
        Column("FZ0", "− default"), Column("DM", "t"), Column("PIT KS", "p"))
    return Table(f"{name(asset_class)}: {level:.0%} VaR and ES of one day", columns, tuple(rows),
                 is_long(len(rows)),
                 groups=tuple(groups))


def _second_level(report: CoverageReport, level: float) -> Table:
    """Exceptions over expected, book × model, at another level; stars of Kupiec."""
    columns = (Column("Book", numeric=False), Column("Expected"),
               *(Column(m, "exceptions") for m in report.models))
    rows = []
    for book in report.books:
        by = {c.model: c for c in report.cells if c.book == book and c.level == level}
        if not by:
            continue
        rows.append((text(heading(book)), amount(next(iter(by.values())).expected, 1),
                     *(_count(by.get(m)) for m in report.models)))
    return Table(f"Exceptions at {level:.1%}", columns, tuple(rows), is_long(len(rows)),
                 note="* and **: Kupiec refutes the model at 5% and 1%.")


def _count(c: CoverageCell | None) -> Cell:
    if c is None:
        return Cell("–")
    stars = "**" if c.kupiec_p < 0.01 else "*" if c.kupiec_p < 0.05 else ""
    return Cell(f"{c.exceptions}{stars}", float(c.exceptions), css="strong" if stars else "")


def _winners(report: CoverageReport, level: float) -> Table:
    columns = (Column("Asset class", numeric=False), Column("Books"), Column("Lowest FZ0", numeric=False),
               *(Column(m, "FZ0 − default") for m in report.models))
    rows = []
    for w in (w for w in report.winners if w.level == level):
        cells = []
        for m in report.models:
            better, worse = w.significant_wins.get(m, 0), w.significant_losses.get(m, 0)
            kept = w.calibrated.get(m, 0)
            note = f"({kept})" if m == report.default_model else f"({better}/{worse}; {kept})"
            cells.append(Cell(number(w.fz0_difference[m], 4, plus=True), w.fz0_difference[m], note,
                              "strong" if m == w.winner else ""))
        rows.append((text(name(w.asset_class)), Cell(str(w.books), float(w.books)), text(w.winner), *cells))
    return Table(f"Which model scores best: VaR and ES jointly at {level:.1%}", columns, tuple(rows),
                 sortable=False,
                 note="Mean difference of the Fissler–Ziegel score FZ0 to the default model over the books "
                      "of the class; negative is better than the default. (a/b; c): books on which the model "
                      "beats / loses to the default at 5% (Diebold–Mariano); c: books on which Kupiec does "
                      "not refute it at 5%.")


def _of(report: CoverageReport, book: str, level: float) -> dict[str, CoverageCell]:
    return {c.model: c for c in report.cells if c.book == book and c.level == level}


def _rolling(report: CoverageReport, books: Sequence[str], level: float) -> list[Markup]:
    out = []
    for book in books:
        by = _of(report, book, level)
        rival = next((m for m in PLAIN if m in by), None)
        chosen = [(m, css) for m, css in ((rival, "c7"), (report.default_model, "c1")) if m in by]
        if chosen:
            out.append(figure(f"{heading(book)}: exceptions in 250 days", f"{level:.0%} VaR",
                              exceptions_chart(
                [(m, css, by[m].rolling) for m, css in chosen],
                f"{book}: exceptions in the 250 days to each date")))
    return out


def _histograms(report: CoverageReport, books: Sequence[str], level: float) -> list[tuple[str, list[Markup]]]:
    out = []
    for book in books:
        drawings = []
        for model, c in _of(report, book, level).items():
            mark = "" if c.pit_kolmogorov_p >= 0.05 else "*" if c.pit_kolmogorov_p >= 0.01 else "**"
            drawings.append(figure(model + mark, "", probability_columns(
                c.pit_counts, f"{book}, {model}", css="c1" if model == report.default_model else "c7")))
        if drawings:
            out.append((heading(book), drawings))
    return out


def _years(report: CoverageReport, books: Sequence[str], level: float) -> list[Markup]:
    out = []
    for book in books:
        by = _of(report, book, level)
        if by:
            out.append(figure(f"{heading(book)}: exceptions by year", f"{level:.0%} VaR", year_strip(
                [(m, c.by_year) for m, c in by.items()], level, f"{book}: exceptions by year"), css="wide"))
    return out


def _regimes(report: CoverageReport, books: Sequence[str], level: float) -> Table | None:
    """Exceptions over expected by regime: the drawn books × all models."""
    regimes: list[str] = []
    for book in books:
        for c in _of(report, book, level).values():
            regimes += [r for r in c.by_regime if r not in regimes]
    if not regimes:
        return None
    decades = sorted(r for r in regimes if r[:1].isdigit())
    order = decades + [r for r in regimes if r not in decades]
    columns = (Column("Book", numeric=False), Column("Model", numeric=False),
               *(Column(name(r), "exc. / exp.") for r in order))
    rows, groups = [], []
    for book in books:
        if rows:
            groups.append(len(rows))
        for model, c in _of(report, book, level).items():
            rows.append((text(heading(book)), text(model, "strong" if model == report.default_model else ""),
                         *(_regime(c.by_regime.get(r)) for r in order)))
    return Table(f"By decade and regime: exceptions of the {level:.0%} VaR over those expected", columns,
                 tuple(rows),
                 is_long(len(rows)), groups=tuple(groups),
                 note="1 is right, above 1 too many. ** Kupiec refutes at 1%, * at 5%.")


def _regime(found: dict[str, float] | None) -> Cell:
    if not found or not found.get("expected"):
        return Cell("–")
    ratio, p = found["exceptions"] / found["expected"], found.get("kupiec_p", float("nan"))
    stars = "**" if p < 0.01 else "*" if p < 0.05 else ""
    css = "heat hm2" if stars and ratio > 1 else "heat h2" if stars else ""
    return Cell(number(ratio, 2) + stars, ratio, css=css)
