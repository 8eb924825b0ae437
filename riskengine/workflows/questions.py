"""One question put to a pool of sessions: a what-if, a reverse stress, a hedge, as plain JSON in and out.

The resident process and the command line without it both come through here, hence the same bits.

    {"op": "what_if", "setup": {…}, "requests": [{…}, …]}   → {"answers": [{…}, …]}
    {"op": "reverse", "setup": {…}, "question": {…}}         → {"answer": {…}}
    {"op": "hedge",   "setup": {…}, "question": {…}}         → {"answer": {…}}

*setup*: ``workflows.what_if.Setup``.  *requests*: ``resident.request.WhatIfRequest``.  *question*: the keys of
REVERSE and HEDGE below, in the meaning of ``reverse_stress`` and ``suggest_hedge``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from riskengine.base.errors import InputError, ModelError, Problem, suggest
from riskengine.resident.request import WhatIfRequest
from riskengine.workflows.what_if import SessionPool, Setup

MOST_REQUESTS = 100
Kinds = Mapping[str, tuple[type, ...]]
REVERSE: Kinds = {"lose": (str, float, int), "desk": (str,), "horizon": (str,), "top": (int,),
                  "quantile": (float, int)}
HEDGE: Kinds = {"instruments": (str, list), "request": (Mapping,), "measure": (str,), "level": (float, int),
                "budget": (str, float, int), "drift": (bool,), "check": (bool,)}


def answer_question(pool: SessionPool, message: Mapping[str, Any]) -> dict[str, Any]:
    """The reply to one message.

    Raises
    ------
    InputError : every problem of the setup or of the question.  ModelError : an operation or a number of
    requests that is not known here.
    """
    operation = message.get("op")
    if operation == "what_if":
        requests = message.get("requests")
        if not isinstance(requests, list) or not 0 < len(requests) <= MOST_REQUESTS:
            raise ModelError(f"a question has 1 to {MOST_REQUESTS} requests")
        setup = Setup.from_json(message.get("setup", {}))
        return {"answers": pool.answer(setup, [WhatIfRequest.from_json(r) for r in requests])}
    if operation == "reverse":
        from riskengine.workflows.stress import reverse_stress

        question = _checked(message.get("question"), REVERSE, ("lose",))
        return {"answer": reverse_stress(pool.session(Setup.from_json(message.get("setup", {}))), **question)}
    if operation == "hedge":
        from riskengine.workflows.hedge import suggest_hedge

        question = _checked(message.get("question"), HEDGE, ("instruments",))
        question["request"] = WhatIfRequest.from_json(question.get("request", {}))
        setup = Setup.from_json(message.get("setup", {}))
        return {"answer": suggest_hedge(pool.session(setup), **question, reseeded=lambda seed: pool.session(
            replace(setup, seed=seed)))}
    raise ModelError(f"unknown operation {str(operation)[:40]!r}; known: what_if, reverse, hedge, status, stop")


def _checked(table: object, kinds: Kinds, needed: tuple[str, ...]) -> dict[str, Any]:
    """The question's entries but those that are None; InputError for unknown, missing and mistyped ones."""
    if not isinstance(table, Mapping):
        raise InputError(Problem("a question is an object", got=type(table).__name__))
    problems = [Problem("unknown key", field=str(key), accepted=suggest(str(key), tuple(kinds)))
                for key in table if key not in kinds]
    problems += [Problem("is missing", field=key) for key in needed if table.get(key) is None]
    given = {key: value for key, value in table.items() if key in kinds and value is not None}
    problems += [Problem(f"must be {' or '.join(k.__name__ for k in kinds[key])}", field=key,
                         got=repr(value)[:60])
                 for key, value in given.items()
                 if not isinstance(value, kinds[key]) or (isinstance(value, bool) and bool not in kinds[key])]
    if problems:
        raise InputError(problems)
    return given
