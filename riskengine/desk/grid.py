"""The editable grid of positions (AG Grid): sizes, removals, filters by desk, book, strategy and tag."""

from __future__ import annotations

from typing import Any

import dash_ag_grid as dag

from riskengine.reports.formats import name
from riskengine.resident.session import Session

OPTIONS = {
    "theme": "themeBalham", "rowHeight": 24, "headerHeight": 26, "floatingFiltersHeight": 26,
    "animateRows": False,
    "suppressCellFocus": False, "singleClickEdit": True, "stopEditingWhenCellsLoseFocus": True,
    "suppressDragLeaveHidesColumns": True, "enableCellTextSelection": True,
    "localeText": {"noRowsToShow": "No positions", "noMatchingRows": "No position passes the filters",
                   "loadingOoo": "Reading the book…"}, "loading": True,
}
PLAIN = (("position_id", "Position", 96), ("description", "What", 150), ("desk", "Desk", 80),
         ("book", "Book", 82),
         ("strategy", "Strategy", 92), ("asset_class", "Class", 78))
_KNOWN = frozenset(key for key, _, _ in PLAIN) | {"type"}


def position_grid() -> dag.AgGrid:
    """An empty grid; rows come with the first answer."""
    return dag.AgGrid(
        id="grid", rowData=[], columnDefs=columns(()), getRowId="params.data.position_id",
        dashGridOptions=OPTIONS,
        defaultColDef={"sortable": True, "resizable": True, "filter": True, "floatingFilter": True,
                       "suppressHeaderMenuButton": True, "suppressHeaderFilterButton": True},
        rowClassRules={"gone": "params.data.remove", "scaled": "params.data.scale != 1"},
        style={"height": "100%", "width": "100%"},
    )


def columns(tags: tuple[str, ...]) -> list[dict[str, Any]]:
    """Column definitions; one more column for every tag of the book."""
    size = {"field": "scale", "headerName": "Size ×", "width": 64,
            "editable": {"function": "!params.data.remove"},
            "cellDataType": "number", "headerClass": "ag-right-aligned-header", "filter": False,
            "cellClass": ["ag-right-aligned-cell", "edit"],
            "headerTooltip": "Factor on the position: 0.5 halves it, −1 turns it round, 0 removes it"}
    gone = {"field": "cut", "headerName": "", "width": 34, "filter": False, "sortable": False,
            "cellClass": "cut",
            "headerTooltip": "Take the position out, or put it back"}
    return [
        gone, size,
        *({"field": key, "headerName": words, "tooltipField": key,
           **({"flex": 1, "minWidth": width} if key == "description" else {"width": width})}
          for key, words, width in PLAIN),
        *({"field": f"tag_{n}", "headerName": tag, "width": 92, "tooltipField": f"tag_{n}"}
          for n, tag in enumerate(tags)),
    ]


def rows_of(session: Session) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(rows, column definitions) of the book as filed."""
    tags = session.portfolio.tag_names
    rows = []
    for position in session.positions():
        row = {key: position[key] for key, _, _ in PLAIN}
        row["asset_class"] = name(row["asset_class"])
        row |= {f"tag_{n}": position.get(tag, "") for n, tag in enumerate(tags)}
        rows.append(row | {"scale": 1.0, "remove": False, "cut": "×"})
    return rows, columns(tags)
