"""Questions of the page and their answers: numbers, chain, links; wrong input comes back as sentences.

A question is {state or link, mode, seq, book, show}; it goes to :data:`PLACE` of the page's own server
rather than through a callback: a callback writes its output into the page's state and wakes every
component, 30 to 50 ms of the browser's time for an answer, more than the engine needs.  What is asked,
checked and painted is the same.
"""

from __future__ import annotations

import json
import logging
import shlex
import time
from collections.abc import Mapping
from typing import Any

import flask
from dash import Dash

from riskengine.base.errors import InputError, RiskEngineError
from riskengine.desk import panels
from riskengine.desk.charts import draw_chain, pnl_chart
from riskengine.desk.grid import rows_of
from riskengine.desk.knobs import filed_values
from riskengine.desk.rooms import Rooms
from riskengine.desk.state import DeskState
from riskengine.desk.views import refusal_panel, views_panel

PLACE, ALIVE = "/_answer", "/_alive"
MOST_QUESTION = 200_000
"""Bytes of a question: a state of 64 kB with room for what JSON escapes."""
LIVE = ("measures", "classes", "desks")
"""Panels that a dragged knob moves; only those in sight are painted while it is."""
Table = Mapping[str, Any]


def serve_answers(app: Dash, rooms: Rooms) -> None:
    """Put :data:`PLACE` on the server of the page."""
    @app.server.get(ALIVE)
    def alive() -> tuple[str, int]:
        return "", 204

    @app.server.post(PLACE)
    def answer() -> flask.Response | tuple[flask.Response, int]:
        request = flask.request
        if request.mimetype != "application/json" or (request.content_length or 0) > MOST_QUESTION:
            return _json({"problems": ["A question is JSON of at most 200 kB."]}), 413
        try:
            question = json.loads(request.get_data(cache=False))
        except (ValueError, RecursionError):
            return _json({"problems": ["The question cannot be read."]}), 400
        return _json(answer_question(rooms, question))


def answer_question(rooms: Rooms, question: object) -> dict:
    """The page for one question: {state or link, mode, seq, book, show}.

    mode : 'fast' answers the numbers on the first paths, 'chain' the chain (which depends on the
    parameter draws alone), 'full' everything on all paths.  show : of a fast one, the panels in sight;
    the others are not painted.
    """
    begin = time.perf_counter()
    table: Table = question if isinstance(question, Mapping) else {}
    asked = table.get("mode")
    mode = str(asked) if asked in ("fast", "chain") else "full"
    out: dict[str, Any] = {"seq": table.get("seq"), "mode": mode}
    try:
        state = read_state(table)
        session = rooms.session(rooms.full_paths if mode == "full" else rooms.fast_paths, state.portfolio)
        scenario = rooms.scenario(state)
        if table.get("book"):
            out["rows"], out["columns"] = rows_of(session)
            out["book_label"] = {"portfolio": session.portfolio.source, "as_of": session.world.as_of,
                                 "accounts": session.world.accounts.accounts_as_of}
        request = rooms.request(state, mode == "full")
        if mode == "chain":
            found = rooms.chain(session, request)
            out |= {"html": texts(draw_chain(found, table.get("show"))), "draws": found["draws"]}
            return out | {"server_ms": 1e3 * (time.perf_counter() - begin)}
        out["filed"] = filed_values(scenario)
        found = session.answer(request)
        out |= {"draws": found["draws"], "paths": found["paths"], "engine_ms": 1e3 * found["seconds"],
                "state": state.to_json(), "link": link_of(state), "views": found["views"],
                "command": shlex.join(rooms.command_line(request, found["paths"]))}
        if mode == "fast":
            painted = time.perf_counter()
            found["plausibility"] = rooms.plausibility(session, request)
            out["engine_ms"] += 1e3 * (time.perf_counter() - painted)
            out["html"] = texts(paint_live(found, table.get("show")))
        else:
            rooms.hold_fast(state, found["horizon_days"]["after"])
            out["html"] = texts(paint(found))
            out["numbers"] = {k: {x: found[k][x] for x in ("expected_pnl", "var", "es")}
                              for k in ("before", "after", "change")}
        out["trades"] = [{"trade": t["trade"], "understood": t["understood"]} for t in found["trades"]
                         if t["position_id"]]
    except RiskEngineError as error:
        out["problems"] = sentences(error)
        if isinstance(error, InputError) and all((p.field or "").startswith("view") for p in error.problems):
            out["refused_views"] = str(refusal_panel(error.problems))
    except Exception as error:  # the page must say so instead of waiting for ever
        out["problems"] = [defect(error)]
    out["server_ms"] = 1e3 * (time.perf_counter() - begin)
    return out


def paint(found: panels.Answer) -> dict[str, Any]:
    """Every panel of the page by the id of its place."""
    return {
        **draw_chain(found), "measures": panels.measures_panel(found),
        "classes": panels.parts_panel(found, "by_asset_class"), "desks": panels.parts_panel(found, "by_desk"),
        "trades": panels.trades_panel(found), "pnl": pnl_chart(found),
        "channels": panels.channels_panel(found),
        "limits": panels.limits_panel(found), "views-out": views_panel(found),
        "notes": panels.notes_panel(found),
    }


def paint_live(found: panels.Answer, show: object = None) -> dict[str, Any]:
    """The panels that a dragged knob moves at once; show : ids of those in sight, None: all."""
    seen = show if isinstance(show, list) else [*LIVE, "views-out"]
    makers = {
        "measures": lambda: panels.measures_panel(found),
        "classes": lambda: panels.parts_panel(found, "by_asset_class"),
        "desks": lambda: panels.parts_panel(found, "by_desk"),
        "views-out": lambda: views_panel(found),
    }
    made = {place: make() for place, make in makers.items() if place in seen}
    return made | {"trades": panels.trades_panel(found), "pnl": pnl_chart(found, tips=False),
                   **draw_chain(found, ["dial"])}


def read_state(table: Table) -> DeskState:
    """The state of a question, from its link or as JSON; InputError when it is neither."""
    return DeskState.from_link(table["link"]) if table.get("link") is not None else DeskState.from_json(
        table.get("state"))


def link_of(state: DeskState) -> str | None:
    """The state as text of an address; None when it is too large for one."""
    try:
        return state.to_link()
    except InputError:
        return None


def texts(made: Mapping[str, Any]) -> dict[str, str]:
    """Markup as plain text for JSON."""
    return {place: str(markup) for place, markup in made.items()}


def sentences(error: RiskEngineError) -> list[str]:
    """Every problem as the command line prints it."""
    return [str(p) for p in error.problems] if isinstance(error, InputError) else [str(error)]


def defect(error: Exception) -> str:
    """One sentence for the page, the trace for the log."""
    logging.getLogger(__name__).exception("a question of the page failed")
    return f"a defect of the program, please report it: {type(error).__name__}"


def _json(table: Mapping[str, Any]) -> flask.Response:
    return flask.Response(json.dumps(table, separators=(",", ":")), mimetype="application/json")
