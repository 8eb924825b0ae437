"""Views on the page: the numbers of the session, the effective scenarios, the refusal, and the link that
carries them.
"""

from __future__ import annotations

import re

import pytest

pytest.importorskip("dash", reason="the extra 'desk' is not installed")

from riskengine.desk.answers import answer_question
from riskengine.desk.callbacks import run_errand
from riskengine.desk.panels import usd_m
from riskengine.desk.state import DeskState
from riskengine.desk.views import EXAMPLES
from riskengine.measures.view_sentences import parse_view
from riskengine.resident.request import WhatIfRequest

VIEW = "mean(FX_JPY) = 1%"


def ask(rooms, mode="full", **state):
    return answer_question(rooms, {"mode": mode, "state": state})


def test_views_move_the_numbers_as_the_session_does(rooms):
    page, plain = ask(rooms, views=[VIEW]), ask(rooms)
    found = rooms.session(rooms.full_paths).answer(WhatIfRequest(views=(VIEW,)))
    assert page["numbers"]["after"] == {k: found["after"][k] for k in ("expected_pnl", "var", "es")}
    assert page["numbers"]["after"]["es"] != plain["numbers"]["after"]["es"]
    assert usd_m(found["after"]["es"]["0.975"]["value"]) in page["html"]["measures"]
    effective = f"{found['views']['effective_scenarios']:,.0f}"
    assert effective in page["html"]["views-out"] and f"of {rooms.full_paths:,}" in page["html"]["views-out"]
    assert effective in page["html"]["notes"] and VIEW in page["html"]["notes"]
    assert "No views" in plain["html"]["views-out"]
    assert f"--view '{VIEW}'" in page["command"]


def test_views_while_a_knob_is_dragged_and_by_link(rooms):
    state = {"scenario": "tariffs", "views": [VIEW]}
    fast = ask(rooms, "fast", **state)
    assert fast["views"]["effective_scenarios"] <= rooms.fast_paths and "views-out" in fast["html"]
    again = answer_question(rooms, {"mode": "full", "link": fast["link"]})
    assert again["state"]["views"] == [VIEW] and again["html"] == ask(rooms, **state)["html"]


def test_views_stand_in_the_comparison_and_in_the_exports(rooms):
    links = [DeskState.from_json({"views": [VIEW]}).to_link(), DeskState().to_link()]
    reply, _ = run_errand(rooms, {"do": "compare", "links": links})
    assert VIEW in reply["html"] and "Effective scenarios" in reply["html"]
    _, page = run_errand(rooms, {"do": "export", "kind": "html", "state": {"views": [VIEW]}})
    assert VIEW in page["content"] and "scenarios carry it" in page["content"]
    _, table = run_errand(rooms, {"do": "export", "kind": "csv", "state": {"views": [VIEW]}})
    rows = {kind: [x for x in table["content"].splitlines() if x.startswith(kind)]
            for kind in ("before", "after")}
    assert all(VIEW in x for x in rows["after"]) and not any(VIEW in x for x in rows["before"])
    _, table = run_errand(rooms, {"do": "export", "kind": "csv", "state": {}})
    assert table["content"].splitlines()[1].endswith(f",{rooms.full_paths},,")


@pytest.mark.parametrize("views, words, few", [
    (["mean(FX_JPY) = 30%"], "Accepted", False), (["mean(BOOK) <= -300m"], "effective scenarios", True),
    (["gibberish <script>"], "not a view", False), (["confidence 50%"], "No view among", False),
    ([VIEW, "mean(FX_JPY) = 2%"], "two values", False),
])
def test_refusals_are_told_as_such(rooms, views, words, few):
    page = ask(rooms, views=views)
    assert "html" not in page and words.lower() in page["refused_views"].lower(), page
    assert "<script" not in page["refused_views"]
    assert ("data-views=\"force\"" in page["refused_views"]) is few
    assert bool(re.search("Below 10%", page["refused_views"])) is few


def test_the_ways_out_of_a_refusal(rooms):
    views = ["mean(BOOK) <= -300m"]
    forced, blended = ask(rooms, views=[*views, "force"]), ask(rooms, views=[*views, "confidence 50%"])
    assert forced["views"]["effective_scenarios"] < 0.1 * rooms.full_paths
    assert "gauge low" in forced["html"]["views-out"]
    assert blended["views"]["effective_scenarios"] > 0.1 * rooms.full_paths


def test_other_problems_are_not_blamed_on_views(rooms):
    page = ask(rooms, views=["gibberish"], trades=["buy a lot"])
    assert page["problems"] and "refused_views" not in page


def test_every_example_is_a_view():
    assert {parse_view(x).kind for x in EXAMPLES} == {"mean", "vol", "prob", "corr", "rank", "confidence"}
