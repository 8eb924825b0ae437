"""Large books on the page: the largest positions by component ES and by value, the count of the others,
nothing else."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from night_factory import make_night

from riskengine.reports.archive import dump_night, load_night
from riskengine.reports.nightly import render_night
from riskengine.reports.shown import COUNT, SHOWN_POSITIONS, cut_positions, left_out, position_count
from riskengine.reports.tables import risk_frame
from riskengine.result import FeedbackSummary


def test_a_small_book_is_shown_whole():
    night = make_night(positions=60)
    assert cut_positions(night) is night and left_out(night) == "" and position_count(night) == 60
    assert "are not shown" not in render_night(night)


def test_the_largest_by_either_order_stay():
    night = make_night(positions=60)
    cut = cut_positions(night, 12)
    for risk, whole in zip(cut.baseline, night.baseline, strict=True):
        kept = {p.position_id for p in risk.positions}
        assert len(kept) == 12
        for value in (lambda p: abs(p.component_es), lambda p: abs(p.value_usd)):
            assert {p.position_id for p in sorted(whole.positions, key=value)[-3:]} <= kept
        assert [p for p in whole.positions if p.position_id in kept] == list(risk.positions)
        assert risk.groups == whole.groups and risk.total == whole.total
    for s, whole in zip(cut.scenarios, night.scenarios, strict=True):
        pnl = whole.by_position
        worst, best = min(pnl, key=pnl.get), max(pnl, key=pnl.get)
        assert {worst, best} <= set(s.by_position) and s.expected_pnl_usd == whole.expected_pnl_usd
    assert cut.tables[COUNT] == 60 and position_count(cut) == 60
    assert cut_positions(cut, 12) is cut
    assert risk_frame(night).height > risk_frame(cut).height


def test_page_and_archive_say_what_is_missing():
    night = make_night(scenarios=2, positions=SHOWN_POSITIONS + 700)
    page = render_night(night)
    assert "The 500 largest of 1,200 positions by component ES and by value; 700 are not shown" in page
    assert "1,200 positions" in page
    archive = json.dumps(dump_night(cut_positions(night)))
    assert len(archive) < 0.6 * len(json.dumps(dump_night(night)))
    assert render_night(load_night(json.loads(archive))) == page


@pytest.mark.parametrize("count", [SHOWN_POSITIONS, SHOWN_POSITIONS + 1])
def test_the_limit_itself(count):
    night = make_night(scenarios=1, positions=count)
    assert (cut_positions(night) is night) == (count == SHOWN_POSITIONS)


def test_a_scenario_with_feedback_shows_its_line():


    night = make_night(scenarios=2)
    first = night.scenarios[0]
    summary = FeedbackSummary("default", (-9.24, -62.0, -0.31), (-1.1, -20.0, 0.0), 8.3e5, 1e6,
                              first.tail.var,
                              first.tail.es, (("private Japan", "equity", -3.0, -1.0),), 0.15, 0.15,
                              ("assumption",))
    night = replace(night, scenarios=(replace(first, feedback=summary), *night.scenarios[1:]))
    page = render_night(night)
    assert "−9.2 [−62.0 … −0.3] USD bn; −1.1 in the base run" in page
    assert page.count("Orders after losses") == 1
    assert load_night(json.loads(json.dumps(dump_night(night)))).scenarios[0].feedback == summary
