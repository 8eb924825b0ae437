"""What the page asks and what it gets: one answer callback, one for errands (compare, upload, export, hedge,
reverse), and the scripts' own.
"""

from __future__ import annotations

import base64
import binascii
import logging
import shlex
import time
from collections.abc import Callable, Mapping
from typing import Any

from dash import ClientsideFunction, Dash, Input, Output, dcc, no_update

from riskengine.base.errors import InputError, Problem, RiskEngineError
from riskengine.desk import panels
from riskengine.desk.charts import draw_chain, pnl_chart
from riskengine.desk.exports import EXPORTS, export_answer
from riskengine.desk.grid import rows_of
from riskengine.desk.knobs import filed_values
from riskengine.desk.rooms import Rooms
from riskengine.desk.state import DeskState
from riskengine.desk.suggestions import hedge_panel, reverse_panel

MOST_COMPARED = 4
Table = Mapping[str, Any]


def register(app: Dash, rooms: Rooms) -> None:
    """Put every callback on the page."""
    def scripted(function: str, output: str, *inputs: Input) -> None:
        app.clientside_callback(ClientsideFunction("desk", function), Output(output, "data"), *inputs)

    scripted("start", "started", Input("spec", "data"))
    scripted("paint", "painted", Input("answer", "data"))
    scripted("paint_chain", "painted-chain", Input("chain-answer", "data"))
    scripted("reply", "replied", Input("reply", "data"))
    scripted("edit", "edited", Input("grid", "cellValueChanged"), Input("grid", "cellClicked"))

    @app.callback(Output("answer", "data"), Input("question", "data"), prevent_initial_call=True)
    def answer(question: object) -> dict:
        return answer_question(rooms, question)

    @app.callback(Output("chain-answer", "data"), Input("chain-question", "data"), prevent_initial_call=True)
    def chain(question: object) -> dict:
        return answer_question(rooms, question)

    @app.callback(Output("reply", "data"), Output("download", "data"), Input("errand", "data"),
                  prevent_initial_call=True)
    def errand(asked: object) -> tuple[dict, Any]:
        return run_errand(rooms, asked)


def answer_question(rooms: Rooms, question: object) -> dict:
    """The page for one question: {state or link, mode, seq, book}.  Wrong input comes back as sentences.

    mode : 'fast' answers the numbers on the first paths, 'chain' the chain (which depends on the parameter draws
    alone, so few paths do), 'full' everything on all paths.
    """
    begin = time.perf_counter()
    table: Table = question if isinstance(question, Mapping) else {}
    asked = table.get("mode")
    mode = str(asked) if asked in ("fast", "chain") else "full"
    out: dict[str, Any] = {"seq": table.get("seq"), "mode": mode}
    try:
        state = _state(table)
        session = rooms.session({"fast": rooms.fast_paths, "chain": rooms.chain_paths}.get(mode, rooms.full_paths),
                                state.portfolio)
        scenario = rooms.scenario(state)
        out |= {"filed": filed_values(scenario)}
        if table.get("book"):
            out["rows"], out["columns"] = rows_of(session)
            out["book_label"] = {"portfolio": session.portfolio.source, "as_of": session.world.as_of,
                                 "accounts": session.world.accounts.accounts_as_of}
        request = rooms.request(state, mode != "fast")
        found = session.answer(request)
        if mode == "chain":
            return out | {"html": _texts(draw_chain(found)), "draws": found["draws"],
                          "server_ms": 1e3 * (time.perf_counter() - begin)}
        out |= {"draws": found["draws"], "paths": found["paths"], "engine_ms": 1e3 * found["seconds"],
                "state": state.to_json(), "link": _link(state),
                "command": shlex.join(rooms.command_line(request, found["paths"]))}
        out["html"] = _texts(paint_numbers(found) if mode == "fast" else paint(found))
        out["trades"] = [{"trade": t["trade"], "understood": t["understood"]} for t in found["trades"]
                         if t["position_id"]]
        out["numbers"] = {k: {"expected_pnl": found[k]["expected_pnl"], "var": found[k]["var"], "es": found[k]["es"]}
                          for k in ("before", "after", "change")}
    except RiskEngineError as error:
        out["problems"] = sentences(error)
    except Exception as error:  # the page must say so instead of waiting for ever
        out["problems"] = [_defect(error)]
    out["server_ms"] = 1e3 * (time.perf_counter() - begin)
    return out


def paint(found: dict) -> dict[str, Any]:
    """Every panel of the page by the id of its place."""
    return {
        **draw_chain(found), **paint_numbers(found), "channels": panels.channels_panel(found),
        "limits": panels.limits_panel(found), "notes": panels.notes_panel(found),
    }


def paint_numbers(found: dict) -> dict[str, Any]:
    """The panels that a dragged knob moves at once."""
    return {
        "measures": panels.measures_panel(found), "classes": panels.parts_panel(found, "by_asset_class"),
        "desks": panels.parts_panel(found, "by_desk"), "trades": panels.trades_panel(found), "pnl": pnl_chart(found),
    }


def run_errand(rooms: Rooms, asked: object) -> tuple[dict, Any]:
    """(reply, download or no_update) for {do, seq, …}."""
    table: Table = asked if isinstance(asked, Mapping) else {}
    do = table.get("do")
    out: dict[str, Any] = {"do": do, "seq": table.get("seq")}
    errands: dict[object, Callable[[Rooms, Table], tuple[dict, Any]]] = {
        "compare": _compare, "upload": _upload, "export": _export, "hedge": _search, "reverse": _search}
    try:
        if do not in errands:
            raise InputError(Problem("no such errand", got=repr(do)[:40], accepted=", ".join(map(str, errands))))
        made, download = errands[do](rooms, table)
    except RiskEngineError as error:
        return out | {"problems": sentences(error)}, no_update
    except Exception as error:
        return out | {"problems": [_defect(error)]}, no_update
    return out | made, download


def sentences(error: RiskEngineError) -> list[str]:
    """Every problem as the command line prints it."""
    return [str(p) for p in error.problems] if isinstance(error, InputError) else [str(error)]


def _defect(error: Exception) -> str:
    """One sentence for the page, the trace for the log."""
    logging.getLogger(__name__).exception("a question of the page failed")
    return f"a defect of the program, please report it: {type(error).__name__}"


def _state(table: Table) -> DeskState:
    return DeskState.from_link(table["link"]) if table.get("link") is not None else DeskState.from_json(
        table.get("state"))


def _texts(made: Mapping[str, Any]) -> dict[str, str]:
    return {place: str(markup) for place, markup in made.items()}


def _link(state: DeskState) -> str | None:
    try:
        return state.to_link()
    except InputError:
        return None


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
    shown = "".join(c for c in file.replace("\\", "/").rpartition("/")[2] if c.isprintable())[:80] or "portfolio.csv"
    key, book = rooms.upload(shown, raw)
    return {"portfolio": key, "name": book.source, "positions": len(book.positions)}, no_update


def _export(rooms: Rooms, table: Table) -> tuple[dict, Any]:
    kind = table.get("kind")
    if kind not in EXPORTS:
        raise InputError(Problem("no such export", got=repr(kind)[:40], accepted=", ".join(EXPORTS)))
    state = _state(table)
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
    state = _state(table)
    session = rooms.session(rooms.full_paths, state.portfolio)
    found = run(session, rooms.request(state), table)
    return {"html": str(hedge_panel(found) if table["do"] == "hedge" else reverse_panel(found))}, no_update
