"""Own trades and liquidity: costs against published examples, liquidity horizons in the stressed loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from riskengine.reports.formats import number
from riskengine.reports.html_table import Cell, Column, Table, amount, text


def cost_table(rows: Sequence[Mapping[str, Any]]) -> Table | None:
    """Printed and computed impact of the published example, and the square root law's range."""
    if not rows:
        return None
    columns = (Column("Stock", numeric=False), Column("Execution", "days"),
               Column("Permanent I", "printed, bp"),
               Column("", "computed"), Column("Temporary K", "printed, bp"), Column("", "computed"),
               Column("Cost I/2 + K", "printed, bp"), Column("", "computed"),
               Column("Square root law", "Y = ¾ [½, 1], bp"))
    body = []
    for r in rows:
        pairs = [cell for p, c in zip(r["printed"], r["computed"], strict=True)
                 for cell in (amount(p, 0), amount(c, 1))]
        low, middle, high = r["square_root"]
        body.append((text(r["stock"]), amount(r["days"], 1), *pairs,
                     Cell(number(middle, 0), middle, f"[{number(low, 0)}, {number(high, 0)}]")))
    return Table("Realised cost of buying 10% of a day's volume", columns, tuple(body), sortable=False,
                 note="Printed: Almgren, Thum, Hauptmann and Li (2005), recalled; IBM agrees with an "
                      "independent public implementation. The square root law has no execution time: it "
                      "costs what a purchase within minutes does and is too dear for one spread over half a "
                      "day.")


def stress_table(rows: Sequence[Mapping[str, Any]]) -> Table | None:
    """Stressed ES by nested liquidity horizon, cascaded, with the cost of closing."""
    if not rows:
        return None
    horizons = ("all", "≥ 20 d", "≥ 40 d", "≥ 60 d", "≥ 120 d")
    columns = (Column("Book", numeric=False), Column("Size", "USD mn each"),
               Column("Worst twelve months", numeric=False),
               *(Column(f"ES {h}", "USD mn") for h in horizons), Column("Cascaded ES", "USD mn"),
               Column("Against ES all", "ratio"), Column("Spreads", "USD mn"), Column("Impact", "USD mn"),
               Column("Stressed loss", "USD mn"))
    body = []
    for r in rows:
        d = 1 if r["notional_mn"] <= 1000 else 0
        body.append((text(r["name"]), amount(r["notional_mn"], 0), text(f"{r['first']} to {r['last']}"),
                     *(amount(e, d) for e in r["es"]), amount(r["cascaded"], d, css="strong"),
                     amount(r["cascaded"] / r["es"][0] if r["es"][0] else None, 2),
                     amount(r["spread_cost"], d + 1),
                     amount(r["impact_cost"], d + 1), amount(r["loss"], d, css="strong")))
    return Table("Liquidity horizons in the standard book's stressed loss: 97.5% ES over ten days", columns,
                 tuple(body),
                 sortable=False)
