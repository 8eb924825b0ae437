"""The sources' claims and their verdicts, one line each, from the last ``riskengine estimate claims``.

``NightResult.tables['claims']`` : records (id, family, title, verdict, reason, said_by, as_of); the night
computes none
of it.
"""

from __future__ import annotations

from collections.abc import Mapping

from riskengine.reports.claims import verdict_cell
from riskengine.reports.html_table import Column, Table, text
from riskengine.result import NightResult


def view(night: NightResult) -> dict:
    """The table, and the day the claims were tested for; None when no result was at hand."""
    rows = night.tables.get("claims")
    records = [r for r in rows if isinstance(r, Mapping)] if isinstance(rows, (list, tuple)) else []
    if not records:
        return {"claims": None, "as_of": ""}
    columns = (Column("Claim", numeric=False, css="words"), Column("Said by", numeric=False, css="words"),
               Column("Verdict", numeric=False), Column("In words", numeric=False, css="words"))
    groups, before, body = [], None, []
    for i, r in enumerate(records):
        if r.get("family") != before:
            groups.append(i)
            before = r.get("family")
        body.append((text(r.get("title")), text(r.get("said_by"), "small"),
                     verdict_cell(str(r.get("verdict"))),
                     text(r.get("reason"), "small")))
    table = Table("Verdicts on the data at hand", columns, tuple(body), groups=tuple(groups))
    return {"claims": table, "as_of": str(records[0].get("as_of", ""))}
