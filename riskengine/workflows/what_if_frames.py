"""An answer as frames and as a small HTML table: what ``riskengine.what_if`` returns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Any

import polars

KINDS = ("polars", "pandas", "arrow")
_SCHEMA = {"part": polars.String, "name": polars.String, "measure": polars.String, "level": polars.Float64,
           "value": polars.Float64, "se": polars.Float64, "low": polars.Float64, "high": polars.Float64}


@dataclass(frozen=True, slots=True)
class WhatIf:
    """One answer.

    answer : the dictionary of ``riskengine what-if --json``.  kind : of the frames, one of KINDS.
    before, after, change : columns part (total, asset_class, desk, channel), name, measure (expected_pnl,
    var, es), level (null for expected P&L), value, se, low, high: USD, VaR and ES + = loss, 95% interval.
    """

    answer: dict[str, Any]
    kind: str = "polars"

    @property
    def before(self) -> Any:
        """The book as filed under the scenario as filed."""
        return self._frame("before")

    @property
    def after(self) -> Any:
        """With knobs, trades and sizes."""
        return self._frame("after")

    @property
    def change(self) -> Any:
        """after − before; errors of the difference on the same paths."""
        return self._frame("change")

    @property
    def trades(self) -> Any:
        """What each candidate trade adds: trade, understood, then as above."""
        rows = [{"trade": t["trade"], "understood": t["understood"], **row} for t in self.answer["trades"]
                for row in _measures(t["incremental"])]
        schema = {"trade": polars.String, "understood": polars.String,
                  **{k: v for k, v in _SCHEMA.items() if k not in ("part", "name")}}
        return _as(polars.DataFrame(rows, schema=schema), self.kind)

    def _frame(self, which: str) -> Any:
        return _as(polars.DataFrame(list(_rows(self.answer[which])), schema=_SCHEMA), self.kind)

    def _repr_html_(self) -> str:
        a = self.answer
        scenario = a["scenario"]
        title = "Ordinary night" if scenario is None else f"{scenario['name']}: {scenario['title']}"
        notes = [*(f"set {knob}" for knob in (scenario or {}).get("sets", ())),
                 *(t["understood"] for t in a["trades"] if t["understood"])]
        head = "".join(f"<th style='text-align:right'>{escape(x)}</th>"
                       for x in ("before", "±", "after", "±", "change", "±"))
        lines = []
        for label, find in _headline(a["levels"]):
            cells = "".join(
                f"<td style='text-align:right'>{part['value'] / 1e6:{'+' if k == 'change' else ''},.1f}</td>"
                f"<td style='text-align:right;opacity:.7'>{(part['high'] - part['low']) / 2e6:,.1f}</td>"
                for k in ("before", "after", "change") for part in (find(a[k]),))
            lines.append(f"<tr><th style='text-align:left'>{escape(label)}</th>{cells}</tr>")
        return (f"<div><strong>{escape(title)}</strong><br>"
                + "".join(f"{escape(note)}<br>" for note in notes)
                + f"<table><thead><tr><th></th>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
                f"<small>USD mn; ± 95% interval, of the difference for the change; {a['paths']:,} paths, "
                f"{escape(a['as_of'])}, data {escape(a['data_version'][:12])}</small></div>")


def kind_of(portfolio: Any) -> str:
    """Kind of frame to answer with: that of the portfolio, else polars."""
    module = type(portfolio).__module__.split(".")[0]
    return {"pandas": "pandas", "pyarrow": "arrow"}.get(module, "polars")


def _as(frame: polars.DataFrame, kind: str) -> Any:
    return {"polars": lambda: frame, "pandas": frame.to_pandas, "arrow": frame.to_arrow}[kind]()


def _headline(levels: list[float]) -> Iterator[tuple[str, Any]]:
    yield "expected P&L", lambda part: part["expected_pnl"]
    for kind, label in (("var", "VaR"), ("es", "ES")):
        for level in levels:
            yield f"{label} {level:.1%}", lambda part, k=kind, x=level: part[k][f"{x:g}"]


def _measures(part: dict) -> Iterator[dict]:
    keys = ("value", "se", "low", "high")
    yield {"measure": "expected_pnl", "level": None, **{k: part["expected_pnl"][k] for k in keys}}
    for kind in ("var", "es"):
        for level, found in part[kind].items():
            yield {"measure": kind, "level": float(level), **{k: found[k] for k in keys}}


def _rows(view: dict) -> Iterator[dict]:
    for row in _measures(view):
        yield {"part": "total", "name": "total", **row}
    for dimension in ("asset_class", "desk"):
        for name, part in view[f"by_{dimension}"].items():
            for row in _measures(part):
                yield {"part": dimension, "name": name, **row}
    for name, found in view["channels"].items():
        yield {"part": "channel", "name": name, "measure": "expected_pnl", "level": None,
               **{k: found[k] for k in ("value", "se", "low", "high")}}
