"""An answer to take away: a table (CSV), the whole answer (JSON), one page (HTML) that needs no server."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

from riskengine.desk.panels import Answer
from riskengine.desk.state import DeskState

EXPORTS = ("csv", "json", "html")
_ASSETS = Path(__file__).parent / "assets"
_ORDER = (("measures", "Total"), ("classes", "By asset class"), ("desks", "By desk"),
          ("channels", "By channel"),
          ("trades", "Candidate trades"), ("limits", "Limits"))
_CHARTS = (("sellers", "Who sells, who absorbs, USD bn"), ("dollar", "Broad dollar falls by, %"),
           ("yields", "Treasury yields by channel, bp"), ("pnl", "P&L of the book, USD m"))


def export_answer(
    kind: str, state: DeskState, answer: Answer, command: str, panels: Mapping[str, Markup]
) -> tuple[str, str, str]:
    """(file name, text, media type) of one of :data:`EXPORTS`."""
    title = state.name or (answer["scenario"]["name"] if answer["scenario"] else "ordinary_night")
    stem = re.sub(r"[^A-Za-z0-9]+", "_", title).strip("_")[:60] or "what_if"
    if kind == "csv":
        return f"{stem}.csv", _csv(answer), "text/csv"
    if kind == "json":
        whole = {"schema_version": answer["schema_version"], "desk_state": state.to_json(),
                 "command": command,
                 "what_ifs": [answer]}
        return f"{stem}.json", json.dumps(whole, indent=1, ensure_ascii=False), "application/json"
    return f"{stem}.html", _html(state.name or title, answer, command, panels), "text/html"


def _csv(answer: Answer) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("state", "part", "name", "measure", "level", "value_usd", "se_usd", "low_usd",
                     "high_usd",
                     "paths", "effective_scenarios", "views"))
    views = answer["views"]
    plain = (answer["paths"], "", "")
    under = (answer["paths"], f"{views['effective_scenarios']:.1f}",
             _safe("; ".join(views["sentences"]))) if views else plain
    for which in ("before", "after", "change"):
        for row in _rows(answer[which]):
            writer.writerow((which, *row, *(plain if which == "before" else under)))
    for trade in answer["trades"]:
        for _, _, *rest in _measures("trade", "", trade["incremental"]):
            writer.writerow(("incremental", "trade", _safe(trade["trade"]), *rest, *under))
    return out.getvalue()


def _rows(view: Mapping[str, Any]) -> Iterator[tuple]:
    yield from _measures("total", "total", view)
    for dimension in ("asset_class", "desk"):
        for name, part in view[f"by_{dimension}"].items():
            yield from _measures(dimension, _safe(name), part)
    for name, part in view["channels"].items():
        yield ("channel", name, "expected_pnl", "", *_number(part))


def _measures(part: str, name: str, found: Mapping[str, Any]) -> Iterator[tuple]:
    yield (part, name, "expected_pnl", "", *_number(found["expected_pnl"]))
    for kind in ("var", "es"):
        for level, x in found[kind].items():
            yield (part, name, kind, level, *_number(x))


def _number(part: Mapping[str, float]) -> tuple[float, float, float, float]:
    return part["value"], part["se"], part["low"], part["high"]


def _safe(text: str) -> str:
    """A text that a spreadsheet does not take for a formula."""
    return "'" + text if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def _html(title: str, answer: Answer, command: str, panels: Mapping[str, Markup]) -> str:
    style = Markup("\n").join(Markup((_ASSETS / f).read_text(encoding="utf-8"))
                              for f in ("colours.css", "tables.css"))
    chart = Markup("<figure class=chart><figcaption>{}</figcaption>{}</figure>")
    charts = Markup("").join(chart.format(t, panels[k])
                             for k, t in _CHARTS)
    part = Markup("<section><h2>{}</h2>{}</section>")
    parts = Markup("").join(part.format(t, panels[k]) for k, t in _ORDER)
    return str(Markup(
        '<!doctype html><html lang="en" data-theme="light"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta http-equiv="Content-Security-Policy" '
        'content="default-src \'none\'; style-src \'unsafe-inline\'">'
        "<style>{style}</style></head><body class=report><h1>{title}</h1>{notes}<div id=tiles>{tiles}</div>"
        "<div class=charts>{charts}</div>{parts}<section><h2>Ledger</h2>{ledger}</section>"
        "<p class=muted>{paths:,} paths. The same on the command line: "
        "<code>{command}</code></p></body></html>"
    ).format(title=title, style=style, notes=panels["notes"], tiles=panels["tiles"], charts=charts,
             parts=parts,
             ledger=panels["ledger"], paths=answer["paths"], command=command))
