"""What Dash carries: errands (compare, upload, export, hedge, reverse), the grid, and the page's start.
Questions and answers go their own way (``desk.answers``).
"""

from __future__ import annotations

import base64
import binascii
import shlex
from collections.abc import Callable, Mapping
from typing import Any

from dash import ClientsideFunction, Dash, Input, Output, dcc, no_update

from riskengine.base.errors import InputError, Problem, RiskEngineError
from riskengine.desk import panels
from riskengine.desk.answers import defect, paint, read_state, sentences, serve_answers
from riskengine.desk.exports import EXPORTS, export_answer
from riskengine.desk.rooms import Rooms
from riskengine.desk.state import DeskState
from riskengine.desk.suggestions import hedge_panel, reverse_panel

MOST_COMPARED = 4
Table = Mapping[str, Any]


def register(app: Dash, rooms: Rooms) -> None:
    """Put every callback on the page, and the place that answers on its server."""
    def scripted(function: str, output: str, *inputs: Input) -> None:
        app.clientside_callback(ClientsideFunction("desk", function), Output(output, "data"), *inputs)

    serve_answers(app, rooms)
    scripted("start", "started", Input("spec", "data"))
    scripted("reply", "replied", Input("reply", "data"))
    scripted("edit", "edited", Input("grid", "cellValueChanged"), Input("grid", "cellClicked"))

    @app.callback(Output("reply", "data"), Output("download", "data"), Input("errand", "data"),
                  prevent_initial_call=True)
    def errand(asked: object) -> tuple[dict, Any]:
        return run_errand(rooms, asked)


def run_errand(rooms: Rooms, asked: object) -> tuple[dict, Any]:
    """(reply, download or no_update) for {do, seq, …}."""
    table: Table = asked if isinstance(asked, Mapping) else {}
    do = table.get("do")
    out: dict[str, Any] = {"do": do, "seq": table.get("seq")}
    errands: dict[object, Callable[[Rooms, Table], tuple[dict, Any]]] = {
        "compare": _compare, "upload": _upload, "export": _export, "hedge": _search, "reverse": _search}
    try:
        if do not in errands:
            raise InputError(Problem("no such errand", got=repr(do)[:40],
                                     accepted=", ".join(map(str, errands))))
        made, download = errands[do](rooms, table)
    except RiskEngineError as error:
        return out | {"problems": sentences(error)}, no_update
    except Exception as error:
        return out | {"problems": [defect(error)]}, no_update
    return out | made, download


def _compare(rooms: Rooms, table: Table) -> tuple[dict, Any]:
    links = table.get("links")
    if not isinstance(links, list) or not 1 <= len(links) <= MOST_COMPARED:
        raise InputError(Problem("what to compare", accepted=f"one to {MOST_COMPARED} what-ifs"))
    answers: list[tuple[str, panels.Answer | str]] = []
    for n, link in enumerate(links, 1):
        try:
            state = DeskState.from_link(link)
            found = rooms.session(rooms.full_paths, state.portfolio).answer(rooms.request(state))
            answers.append((state.name or f"What-if {n}", found))
        except RiskEngineError as error:
            answers.append((f"What-if {n}", "; ".join(sentences(error))))
    failed = [f"{title}: {a}" for title, a in answers if isinstance(a, str)]
    return {"html": str(panels.compare_panel(answers)), "notes": failed}, no_update


def _upload(rooms: Rooms, table: Table) -> tuple[dict, Any]:
    file, content = table.get("name"), table.get("content")
    if not isinstance(file, str) or not isinstance(content, str):
        raise InputError(Problem("an upload needs a name and a content"))
    try:
        raw = base64.b64decode(content.rpartition(",")[2], validate=True)
    except (binascii.Error, ValueError):
        raise InputError(Problem("the upload was cut", accepted="load the file again")) from None
    shown = "".join(c for c in file.replace("\\", "/").rpartition("/")[2]
                    if c.isprintable())[:80] or "portfolio.csv"
    key, book = rooms.upload(shown, raw)
    return {"portfolio": key, "name": book.source, "positions": len(book.positions)}, no_update


def _export(rooms: Rooms, table: Table) -> tuple[dict, Any]:
    kind = table.get("kind")
    if kind not in EXPORTS:
        raise InputError(Problem("no such export", got=repr(kind)[:40], accepted=", ".join(EXPORTS)))
    state = read_state(table)
    request = rooms.request(state)
    found = rooms.session(rooms.full_paths, state.portfolio).answer(request)
    command = shlex.join(rooms.command_line(request, found["paths"]))
    file, text, media = export_answer(str(kind), state, found, command, paint(found))
    return {"file": file}, dcc.send_string(text, file, type=media)


def _search(rooms: Rooms, table: Table) -> tuple[dict, Any]:
    """Hedge suggestion or reverse stress."""
    run = rooms.hedge if table["do"] == "hedge" else rooms.reverse
    if run is None:
        raise InputError(Problem(f"{table['do']} is not available on this desk"))
    state = read_state(table)
    session = rooms.session(rooms.full_paths, state.portfolio)
    found = run(session, rooms.request(state), table)
    panel = hedge_panel(found) if table["do"] == "hedge" else reverse_panel(found)
    if state.views:
        panel = panels.caution("The search weighs every path alike: the views are not part of it.") + panel
    return {"html": str(panel)}, no_update
