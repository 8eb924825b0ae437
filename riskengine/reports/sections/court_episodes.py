"""Episodes of the court as the page shows them: one card each, from the plain records of a replay.

A record is what ``backtests.replay_record.to_record`` writes (the layout of episodes.json); nothing is
computed here but units and words.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from markupsafe import Markup

from riskengine.reports import formats
from riskengine.reports.charts.court import fan_chart
from riskengine.reports.charts.svg import figure
from riskengine.reports.formats import number
from riskengine.reports.html_table import Cell, Column, Table, amount, is_long, status, text

HORIZONS = ((0, "1 day"), (4, "4 weeks"), (13, "13 weeks"), (52, "52 weeks"))
ENGINE, NO_SCENARIO, COVARIANCE = "engine", "no_scenario", "covariance"
FANS = ("DOLLAR", "UST_10Y", "EQ_SP500", "BOOK_TOTAL")
SCORED = ("DOLLAR", "UST_2Y", "UST_10Y", "UST_10Y_RESIDUAL", "EQ_SP500", "EQ_LISTED_REAL_ESTATE",
          "BOOK_TOTAL")
NAMES = {
    "DOLLAR": "Dollar (basket against it)", "UST_10Y_RESIDUAL": "10Y beyond the path", "EQ_SP500": "S&P 500",
    "EQ_LISTED_REAL_ESTATE": "Listed real estate", "BOOK_TOTAL": "Standard book",
    "BOOK_FX": "Book: currencies",
    "BOOK_TREASURY": "Book: Treasuries", "BOOK_EQUITY": "Book: equities",
}
CHAIN_WORDS = {
    "gross_orders_usd_bn": ("Orders, gross", "USD bn", 1.0, 0),
    "net_outflow_usd_bn": ("Net outflow", "USD bn", 1.0, 0),
    "dollars_out_usd_bn": ("Dollars sold", "USD bn", 1.0, 0), "broad_dollar": ("Broad dollar", "%", 100.0, 2),
    "treasury_10y_flow_bp": ("10Y, flow", "bp", 1.0, 1), "treasury_10y_path_bp": ("10Y, policy path", "bp",
                                                                                  1.0, 1),
}
LABEL = re.compile(r"\b(?:FX|UST|EQ)_[A-Z0-9_]+\b")
KIND_WORDS = {"capital_tax": "tax on capital", "accord": "accord", "official_flows": "official flows",
              "crisis": "crisis", "policy_rate": "policy rate", "tariff": "tariff", "politics": "politics",
              "peg_break": "end of a peg", "control": "negative control"}


def unit_of(variable: str) -> tuple[str, float, int]:
    """(unit, factor from the engine's unit, decimals) of a judged variable."""
    if variable.startswith("UST_"):
        return "bp", 1e4, 0
    return ("USD mn", 1.0, 1) if variable.startswith("BOOK_") else ("%", 100.0, 1)


def variable_name(variable: str) -> str:
    """'FX_JPY' → 'JPY', 'UST_2Y' → '2Y', 'EQ_XLK' → 'XLK'."""
    if variable in NAMES:
        return NAMES[variable]
    tail = variable.split("_", 1)[-1]
    return tail.replace("_", " ").capitalize() if variable.startswith("EQ_") else tail


def view(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One dictionary an episode, in the order of the record, for the template."""
    own = {row["episode"]: row for row in result["leave_one_out"]}
    return [_card(record, own.get(record["name"])) for record in result["episodes"]]


def forecasts_of(record: Mapping[str, Any]) -> dict[tuple[str, int, str], Mapping[str, Any]]:
    """(variable, weeks, model) → forecast."""
    return {(f["variable"], f["weeks"], f["model"]): f for f in record["forecasts"]}


def _card(record: Mapping[str, Any], own: Mapping[str, Any] | None) -> dict[str, Any]:
    found = forecasts_of(record)
    base_after = record["base"] != record["announced"]
    return {
        "id": f"episode-{record['name']}", "title": record["title"], "announced": record["announced"],
        "base": record["base"], "kind": KIND_WORDS.get(record["kind"], record["kind"]),
        "not_applicable": record["not_applicable"], "announcement": record["announcement"],
        "entered": record["narrative"], "unknowable": record["unknowable"], "source": record["source"],
        "revised": record["revised"], "remarks": [plain_labels(x) for x in record["remarks"]],
        "flags": record["flags"],
        "own": own, "evening": "the last close before" if base_after else "the close of the day",
        "fans": [_fan(record, found, v) for v in FANS if _has(found, v)],
        "absent": [NAMES.get(v, variable_name(v)) for v in FANS if not _has(found, v)],
        "chain": _chain(record["chain"]), "channels": _channels(record["channels"]),
        "moves": _moves(record, found), "scores": _scores(found),
        "controls": _own_controls(record["controls"]),
    }


def plain_labels(words: str) -> str:
    """'absent: FX_BRL, UST_3M' → 'absent: BRL, 3M'."""
    return LABEL.sub(lambda m: variable_name(m.group()), words)


def _has(found: Mapping, variable: str) -> bool:
    return (variable, 52, ENGINE) in found


def _fan(record: Mapping[str, Any], found: Mapping, variable: str) -> Markup:
    unit, scale, decimals = unit_of(variable)
    bands, rivals, weeks = [], [], []
    for w, _ in HORIZONS:
        q = [scale * x for x in found[variable, w, ENGINE]["quantiles"]]
        r = [scale * x for x in found[variable, w, NO_SCENARIO]["quantiles"]]
        weeks.append(0.2 if w == 0 else float(w))
        bands.append((q[0], q[1], q[3], q[5], q[6]))
        rivals.append((r[1], r[5]))
    path = record["outcome_path"].get(variable, [[], []])
    points = [(float(w), scale * v) for w, v in zip(*path, strict=True)]
    day = found[variable, 0, ENGINE]["realised"]
    if day is not None:
        points.insert(0, (0.2, scale * day))
    title = {"DOLLAR": "Dollar, + = it fell", "UST_10Y": "Ten-year zero rate", "EQ_SP500": "S&P 500",
             "BOOK_TOTAL": "Standard book, P&L"}[variable]
    return figure(title, unit, fan_chart(weeks, bands, points, rivals, f"{record['title']}: {title}", unit,
                                         decimals))


def _moves(record: Mapping[str, Any], found: Mapping) -> Table:
    """Predicted median and 80% band against what happened, a row a variable, a pair of columns a horizon."""
    variables = sorted({v for v, _, _ in found}, key=_order)
    columns = [Column("", numeric=False), Column("Unit", numeric=False)]
    for _, words in HORIZONS:
        columns += [Column(words, "predicted [80% band]"), Column("", "happened")]
    rows, groups = [], []
    for variable in variables:
        unit, scale, decimals = unit_of(variable)
        if rows and _order(variable)[0] != _order(last)[0]:
            groups.append(len(rows))
        last = variable
        cells = [text(variable_name(variable)), text(unit, "muted")]
        for w, _ in HORIZONS:
            cells += _pair(found[variable, w, ENGINE], scale, decimals)
        rows.append(tuple(cells))
    return Table("Predicted the evening before, and what happened", tuple(columns), tuple(rows),
                 is_long(len(rows)),
                 groups=tuple(groups),
                 note="Predicted: median and 80% band of the engine. ▲ ▼: what happened lies above or below "
                      "the band. Currencies and equities: change of the log price; + = the currency rose "
                      "against the dollar. Yields: change of the zero rate. Book: P&L on 100 USD mn each of "
                      "a ten-year zero bond, the S&P 500 and the currencies of the dollar.")


def _pair(f: Mapping[str, Any], scale: float, decimals: int) -> list[Cell]:
    q = [scale * x for x in f["quantiles"]]
    predicted = Cell(number(q[3], decimals, plus=True), q[3],
                     f"[{number(q[1], decimals)}, {number(q[5], decimals)}]")
    if f["realised"] is None:
        return [predicted, Cell(formats.MISSING)]
    happened = scale * f["realised"]
    shown = number(happened, decimals, plus=True)
    if f["inside"]:
        return [predicted, Cell(shown, happened)]
    return [predicted, Cell(f"{'▲' if happened > q[3] else '▼'} {shown}", happened,
                            css="status-breach strong")]


def _order(variable: str) -> tuple[int, float | str]:
    """Headlines, then currencies, key rates, equities, parts of the book."""
    if variable in SCORED:
        return (0, float(SCORED.index(variable)))
    if variable.startswith("FX_"):
        return (1, variable)
    if variable.startswith("UST_"):
        tail = variable[4:]
        return (2, {"3M": 0.25, "6M": 0.5}.get(tail) or float(tail.rstrip("Y")))
    return (3 if variable.startswith("EQ_") else 4, variable)


def _scores(found: Mapping) -> Table:
    columns = [Column("", numeric=False), Column("Horizon", numeric=False), Column("CRPS, engine"),
               Column("CRPS, no scenario"), Column("CRPS, covariance"), Column("Unit", numeric=False),
               Column("Log score, engine", "nats"), Column("Log score, no scenario", "nats"),
               Column("Log score, covariance", "nats"), Column("PIT, engine", "0 … 1")]
    rows, groups = [], []
    for variable in SCORED:
        first = True
        for w, words in HORIZONS:
            f = {m: found.get((variable, w, m)) for m in (ENGINE, NO_SCENARIO, COVARIANCE)}
            if f[ENGINE] is None or f[ENGINE]["crps"] is None:
                continue
            unit, scale, decimals = unit_of(variable)
            if first and rows:
                groups.append(len(rows))
            crps = {m: scale * x["crps"] for m, x in f.items()}
            best = min(crps.values())
            rows.append((text(variable_name(variable)), text(words),
                         *(amount(crps[m], decimals + 1, css="strong" if crps[m] == best else "")
                           for m in (ENGINE, NO_SCENARIO, COVARIANCE)), text(unit, "muted"),
                         *(Cell(number(f[m]["log_score"], 2), f[m]["log_score"])
                           for m in (ENGINE, NO_SCENARIO, COVARIANCE)),
                         amount(f[ENGINE]["pit"], 2)))
            first = False
    return Table("Scores, lower is better", tuple(columns), tuple(rows), True, groups=tuple(groups),
                 note="Bold: the lowest CRPS. PIT: share of the engine's paths at or below what happened.")


def _chain(chain: Mapping[str, float]) -> list[tuple[str, str]]:
    out = []
    for key, (words, unit, scale, decimals) in CHAIN_WORDS.items():
        if chain.get(key) is not None:
            shown = number(scale * chain[key], decimals)
            out.append((words, f"{shown}%" if unit == "%" else f"{shown} {unit}"))
    return out


def _channels(channels: Mapping[str, Mapping[str, float]]) -> Table | None:
    """Rows: factors; columns: channels, median move at a year."""
    names = list(dict.fromkeys(c for by in channels.values() for c in by))
    if not names:
        return None
    rows = []
    for factor, by in channels.items():
        unit, scale, decimals = unit_of(factor)
        rows.append((text(variable_name(factor)), text(unit, "muted"),
                     *(amount(scale * by[c] if c in by else math.nan, decimals + 1, plus=True)
                       for c in names)))
    return Table("Channels: the scenario's own response at a year, median", (
        Column("", numeric=False), Column("Unit", numeric=False), *(Column(formats.name(c)) for c in names)),
        tuple(rows), sortable=False)


def _own_controls(controls: Sequence[Mapping[str, Any]]) -> Table | None:
    """The controls of one card: without the episode's name, the reason below."""
    table = controls_table([{"episode": "", **c} for c in controls], "Negative controls")
    if table is None:
        return None
    rows = tuple(row[1:-1] for row in table.rows)
    return replace(table, columns=table.columns[1:-1], rows=rows, note=" ".join(
        f"{variable_name(c['factor'])}: {c['reason']}." for c in controls))


def controls_table(controls: Sequence[Mapping[str, Any]], caption: str) -> Table | None:
    """Negative controls: the response of a factor that must hardly move, its limit, what the factor did."""
    if not controls:
        return None
    columns = (Column("Episode", numeric=False), Column("Factor", numeric=False), Column("Largest response"),
               Column("Limit"), Column("Happened, 4 weeks"), Column("Unit", numeric=False),
               Column("Small", numeric=False),
               Column("Why it should be", numeric=False, css="words"))
    rows = []
    for c in controls:
        unit, scale, decimals = unit_of(c["factor"])
        rows.append((text(c["episode"]), text(variable_name(c["factor"])),
                     amount(None if c["response"] is None else scale * c["response"], decimals + 1),
                     amount(scale * c["most"], decimals),
                     amount(None if c["realised"] is None else scale * c["realised"], decimals, plus=True),
                     text(unit, "muted"), text("absent") if c["small"] is None else status(bool(c["small"])),
                     text(c["reason"])))
    return Table(caption, columns, tuple(rows), sortable=False)
