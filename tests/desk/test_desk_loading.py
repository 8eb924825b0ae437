"""What a search found goes back into the page: the same policy on the knobs, the same trades as
candidates.
"""

from __future__ import annotations

import html
import json
import re

import pytest

pytest.importorskip("dash", reason="the extra 'desk' is not installed")

from riskengine.base.units import Horizon
from riskengine.data.configs.scenario_edits import edit_scenario
from riskengine.desk.answers import answer_question
from riskengine.desk.callbacks import run_errand
from riskengine.desk.knobs import knob_sets
from riskengine.desk.loading import SELLERS, SIZED, load_policy
from riskengine.desk.state import DeskState
from riskengine.reverse_stress.policies import policy_knobs

YEAR = Horizon(52, 5)
STATE = {"scenario": "china_sells_treasuries", "knobs": {"sell_share": 60.0}}


def shocks_of(loaded):
    """The shocks that a loaded state asks for, through the door of the command line."""
    state = DeskState.from_json(loaded)
    scenario = edit_scenario("blank", knob_sets(state, None))
    assert scenario.horizon == YEAR and scenario.probability == 1.0 and scenario.announcement
    return scenario.shocks


def same(a, b) -> None:
    assert type(a) is type(b)
    for name in a.__dataclass_fields__:
        one, two = getattr(a, name), getattr(b, name)
        if name == "targets":
            assert [(c, x.default) for c, x in one] == [(c, pytest.approx(x.default)) for c, x in two]
        elif hasattr(one, "default"):
            assert one.default == pytest.approx(two.default, rel=1e-8), name
        elif name == "bp":
            assert [(t, x.default) for t, x in one] == [(t, pytest.approx(x.default)) for t, x in two]
        else:
            assert one == two, name


def test_every_policy_of_the_search_is_known_and_loads_as_itself(rooms):
    accounts = rooms.session(rooms.fast_paths).world.accounts
    knobs = policy_knobs(accounts, YEAR)
    assert {k.name for k in knobs} == set(SELLERS) | set(SIZED)
    for knob in knobs:
        for share in (0.013, 0.4, 0.77):
            size = share * knob.most
            loaded = load_policy([{"knob": knob.name, "size": size}], YEAR.days)
            (shock,) = shocks_of(loaded)
            same(shock, knob.shock(size))


def test_two_policies_together_and_what_has_no_knob(rooms):
    parts = [{"knob": "official_treasuries", "size": 321.0}, {"knob": "withholding_tax", "size": 12.5}]
    kinds = {type(s).__name__ for s in shocks_of(load_policy(parts, YEAR.days))}
    assert kinds == {"ForeignSelling", "WithholdingTax"}
    assert load_policy([{"knob": "withholding_tax", "size": 99.9}],
                       YEAR.days) is None  # beyond what the knob takes
    assert load_policy([{"knob": "moon", "size": 1.0}], YEAR.days) is None
    assert load_policy(parts, 130) is None  # the search spreads sales over half a year, the page over one
    both = [{"knob": "fed_hikes", "size": 5.0}, {"knob": "fed_cuts", "size": 5.0}]
    assert load_policy(both, YEAR.days) is None


def buttons(reply, attribute: str) -> list:
    return [json.loads(html.unescape(x)) for x in re.findall(f'{attribute}="([^"]*)"', reply["html"])]


def test_a_reverse_stress_is_loaded_and_loses_the_amount(rooms):
    reply, _ = run_errand(rooms, {"do": "reverse", "state": {}, "lose": "100m"})
    loads = buttons(reply, "data-load")
    assert loads
    session = rooms.session(rooms.full_paths)
    for loaded in loads[:3]:
        found = session.answer(rooms.request(DeskState.from_json(loaded)))
        channels = found["after"]["channels"]
        response = sum(x["value"] for name, x in channels.items() if name != "convexity")
        assert response == pytest.approx(-100e6, rel=2e-3), loaded
    reply, _ = run_errand(rooms, {"do": "reverse", "state": {}, "lose": "100m", "desk": "no such desk"})
    assert "no such desk" in reply["problems"][0]


def test_a_hedge_becomes_candidate_trades_that_keep_its_promise(rooms):
    reply, _ = run_errand(rooms, {"do": "hedge", "state": STATE, "instruments": "UST 10Y, ES"})
    (trades,) = buttons(reply, "data-add-trades")
    assert trades
    session = rooms.session(rooms.full_paths)
    found = rooms.hedge(session, rooms.request(DeskState.from_json(STATE)), {"instruments": "UST 10Y, ES"})
    assert trades == [x["trade"] for x in found["hedges"] if x["trade"]]
    page = answer_question(rooms, {"mode": "full", "state": STATE | {"trades": trades}})
    for level in ("0.975", "0.99"):
        after = page["numbers"]["after"]["es"][level]["value"]
        assert after + found["cost_usd"] == pytest.approx(found["in_sample"]["after"]["es"][level]["value"],
                                                          rel=1e-4)
    before, after = (page["numbers"][k]["es"]["0.975"]["value"] for k in ("before", "after"))
    assert after < before
