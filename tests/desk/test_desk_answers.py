"""The page's answers are the session's; wrong input comes back as sentences; nothing of a user is kept."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
import shlex

import pytest

pytest.importorskip("dash", reason="the extra 'desk' is not installed")

from riskengine.desk.answers import answer_question
from riskengine.desk.callbacks import run_errand
from riskengine.desk.panels import usd_m
from riskengine.desk.rooms import MOST_UPLOAD
from riskengine.desk.state import DeskState
from riskengine.resident.request import WhatIfRequest

STATE = {"scenario": "china_sells_treasuries", "knobs": {"sell_share": 60.0, "wht_rate": 20.0},
         "trades": ["buy 250m UST 10Y"], "scale": {"FX-EUR-1": 0.5}}


def ask(rooms, mode="full", **more):
    return answer_question(rooms, {"seq": 1, "mode": mode, "state": STATE, **more})


def numbers(html: str) -> list[str]:
    return re.findall(r'<td class="n[^"]*">([^<]*)</td>', html)


def test_the_page_shows_the_numbers_of_the_session(rooms):
    page = ask(rooms)
    request = WhatIfRequest("china_sells_treasuries", (
        "+withholding_tax.rate=0.2", "foreign_selling.share=0.6"), ("buy 250m UST 10Y",), {"FX-EUR-1": 0.5})
    found = rooms.session(rooms.full_paths).answer(request)
    for which in ("before", "after", "change"):
        assert page["numbers"][which]["es"] == found[which]["es"]
        assert page["numbers"][which]["expected_pnl"] == found[which]["expected_pnl"]
    shown = numbers(page["html"]["measures"])
    assert usd_m(found["after"]["var"]["0.99"]["value"]) in shown
    assert usd_m(found["change"]["es"]["0.975"]["value"], True) in shown
    assert page["paths"] == rooms.full_paths


def test_a_dragged_knob_is_answered_by_the_first_paths(rooms):
    page = ask(rooms, "fast")
    assert page["paths"] == rooms.fast_paths
    found = rooms.session(rooms.fast_paths).answer(rooms.request(DeskState.from_json(STATE)))
    shown = numbers(page["html"]["measures"])
    for which in ("var", "es"):
        assert usd_m(found["after"][which]["0.99"]["value"]) in shown
        assert usd_m(found["change"][which]["0.99"]["value"], True) in shown
    assert set(page["html"]) == {"measures", "classes", "desks", "views-out", "trades", "pnl", "dial"}
    seen = ask(rooms, "fast", show=["desks"])
    assert set(seen["html"]) == {"desks", "trades", "pnl", "dial"}
    assert all(seen["html"][place] == page["html"][place] for place in seen["html"])


def test_the_chain_does_not_depend_on_the_paths(rooms):
    few, all_paths = ask(rooms, "chain"), ask(rooms)
    for place, html in few["html"].items():
        assert html == all_paths["html"][place], place
    assert set(few["html"]) == {"tiles", "sellers", "dollar", "yields", "ledger", "dial"}
    assert set(ask(rooms, "chain", show=["tiles"])["html"]) == {"tiles"}


def test_the_dial_moves_with_the_numbers(rooms):
    assert ask(rooms, "fast")["html"]["dial"] == ask(rooms)["html"]["dial"]
    state = DeskState.from_json(STATE)
    session, request = rooms.session(rooms.fast_paths), rooms.request(state)
    session.answer(request)
    near, whole = rooms.plausibility(session, request), rooms.chain(session, request)["plausibility"]
    for which in ("before", "after"):
        assert near[which]["mahalanobis"] == pytest.approx(whole[which]["mahalanobis"], rel=1e-9)
    assert near["before"]["mahalanobis"] != near["after"]["mahalanobis"]
    night = rooms.request(DeskState())
    assert rooms.plausibility(session, night) is None and "chain" not in rooms.chain(session, night)


def test_the_command_line_asks_the_same(rooms):
    words = shlex.split(ask(rooms)["command"])
    assert words[:3] == ["riskengine", "what-if", "china_sells_treasuries"]
    options = list(zip(words[3::2], words[4::2], strict=True))
    assert ("--paths", str(rooms.full_paths)) in options and ("--scale", "FX-EUR-1=0.5") in options
    sets = tuple(v for k, v in options if k == "--set")
    assert sets == rooms.request(DeskState.from_json(STATE)).sets


def test_a_link_asks_the_same(rooms):
    page = ask(rooms)
    again = answer_question(rooms, {"seq": 2, "mode": "full", "link": page["link"]})
    assert again["state"] == page["state"] and again["html"] == page["html"]


@pytest.mark.parametrize("question, words", [
    (None, "object"), ({"state": []}, "object"), ({"link": "!!"}, "broken"),
    ({"state": {"scenario": "no_such_scenario"}}, "no_such_scenario"),
    ({"state": {"trades": ["buy a lot"]}}, "trade"), ({"state": {"remove": ["NOPE"]}}, "no such position"),
    ({"state": {"views": ["gibberish"]}}, "view"),
    ({"state": {"portfolio": "b" * 64}}, "load the file again"),
    ({"state": {"sellers": [{"holder": "Atlantis", "usd_bn": 1.0}]}}, "Atlantis"),
])
def test_wrong_questions_come_back_as_sentences(rooms, question, words):
    answer = answer_question(rooms, question)
    assert "html" not in answer
    assert any(words.lower() in p.lower() for p in answer["problems"]), answer["problems"]


def test_names_and_trades_are_escaped(rooms):
    state = {"name": "<img src=x onerror=alert(1)>", "scenario": "tariffs"}
    link = DeskState.from_json(state).to_link()
    reply, _ = run_errand(rooms, {"do": "compare", "links": [link, "broken"]})
    assert "<img" not in reply["html"] and "&lt;img" in reply["html"]
    assert len(reply["notes"]) == 1 and "broken" in reply["notes"][0]
    _, file = run_errand(rooms, {"do": "export", "kind": "html", "state": state})
    assert "<img" not in file["content"] and "&lt;img" in file["content"]
    assert "<script" not in file["content"]


def test_exports(rooms):
    page = ask(rooms)
    _, file = run_errand(rooms, {"do": "export", "kind": "csv", "state": STATE})
    rows = list(csv.DictReader(io.StringIO(file["content"])))
    row = next(r for r in rows if (r["state"], r["part"], r["measure"], r["level"])
               == ("after", "total", "es", "0.975"))
    assert float(row["value_usd"]) == page["numbers"]["after"]["es"]["0.975"]["value"]
    assert {r["state"] for r in rows} == {"before", "after", "change", "incremental"}
    _, file = run_errand(rooms, {"do": "export", "kind": "json", "state": STATE})
    whole = json.loads(file["content"])
    assert whole["what_ifs"][0]["after"]["es"] == page["numbers"]["after"]["es"]
    assert DeskState.from_json(whole["desk_state"]).to_json() == page["state"]
    assert run_errand(rooms, {"do": "export", "kind": "exe", "state": STATE})[0]["problems"]


def upload(rooms, text: bytes, name="book.csv"):
    return run_errand(rooms,
                      {"do": "upload", "name": name, "content": "data:text/csv;base64," + base64.b64encode(
        text).decode()})[0]


BOOK = (b"position_id,type,desk,book,strategy,notional,currency,maturity\n"
        b"A-1,fx_spot,<script>alert(1)</script>,b,s,250e6,EUR,\nA-2,fx_forward,g10,b,s,-1e8,JPY,3M\n")


def test_an_uploaded_book_is_found_by_its_content_only(rooms):
    reply = upload(rooms, BOOK, "C:\\fakepath\\<b>book.csv")
    assert reply["positions"] == 2 and "/" not in reply["name"]
    page = answer_question(rooms, {"mode": "full", "book": True, "state": {
        "scenario": "dollar_minus_10", "portfolio": reply["portfolio"]}})
    assert [r["position_id"] for r in page["rows"]] == ["A-1", "A-2"]
    assert "<script" not in "".join(page["html"].values())
    other = answer_question(rooms, {"mode": "full", "book": True, "state": {"scenario": "dollar_minus_10"}})
    assert len(other["rows"]) > 2


@pytest.mark.parametrize("text, words", [
    (b"", "empty"), (b"\xff\xfe\x00\x01", "utf-8"), (b"a,b\n1,2\n", "missing column"),
    (BOOK + b"A-1,fx_spot,d,b,s,1e6,XXX,\n", "unique"), (b"x" * (MOST_UPLOAD + 1), "too large"),
    (b"PAR1 and no more", "not a parquet file"),
    (b"PAR1" + bytes(range(256)) * 20 + b"PAR1", "not a parquet file"),
])
def test_bad_uploads(rooms, text, words):
    reply = upload(rooms, text)
    assert "portfolio" not in reply
    assert any(words in p.lower() for p in reply["problems"]), reply["problems"]


def test_reverse_stress_of_the_page(rooms):
    reply, _ = run_errand(rooms, {"do": "reverse", "state": {}, "lose": "300m"})
    assert "Factor moves" in reply["html"] and "P: at least as far" in reply["html"]
    assert "data-load" in reply["html"]
    reply, _ = run_errand(rooms, {"do": "reverse", "state": {}, "lose": "a fortune"})
    assert any("amount" in p for p in reply["problems"])


def test_hedge_of_the_page(rooms):
    reply, _ = run_errand(rooms, {"do": "hedge", "state": STATE, "instruments": "UST 10Y, ES"})
    assert "UST 10Y" in reply["html"] and "another seed" in reply["html"]
    reply, _ = run_errand(rooms, {"do": "hedge", "state": STATE, "instruments": "moon rocks"})
    assert any("moon rocks" in p for p in reply["problems"])
