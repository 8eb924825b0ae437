"""The state of the page: a link gives back what went in; what came from elsewhere is checked whole."""

from __future__ import annotations

import base64
import json
import zlib

import pytest
from hypothesis import given, settings, strategies as st

from riskengine.base.errors import InputError
from riskengine.data.configs.scenario_edits import edit_scenario
from riskengine.desk.knobs import KNOBS, KNOBS_BY_ID, filed_values, knob_sets, shock_places
from riskengine.desk.state import MOST_LINK, DeskState, Seller

TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FFF).filter(str.isprintable), max_size=40)
SELLER = st.builds(lambda h, c, x, u, s: {"holder": h, "asset_class": c, "usd_bn": x, "use": u, **s},
                   st.sampled_from(["all", "Japan", "China, Mainland", "asia"]),
                   st.sampled_from(["all", "treasury"]),
                   st.floats(0, 5000), st.sampled_from(["default", "defend"]),
                   st.sampled_from([{}, {"sector": "official"}, {"sector": "all"}]))


def _value(knob):
    if knob.kind == "range":
        return st.floats(knob.low, knob.high)
    if knob.kind == "flag":
        return st.booleans()
    words = [c for c, _ in knob.choices]
    return st.sampled_from(words) if knob.kind == "choice" else st.lists(st.sampled_from(words), unique=True)


STATE = st.fixed_dictionaries({}, optional={
    "scenario": st.sampled_from(["china_sells_treasuries", "tariffs"]),
    "sellers": st.lists(SELLER, max_size=4),
    "knobs": st.fixed_dictionaries({}, optional={k.id: _value(k) for k in KNOBS}),
    "trades": st.lists(TEXT, max_size=4), "scale": st.dictionaries(TEXT, st.floats(-10, 10), max_size=4),
    "remove": st.lists(TEXT, max_size=3), "views": st.lists(TEXT, max_size=2), "name": TEXT,
    "horizon": st.sampled_from(["10d", "26w", "12m", "2y"]), "portfolio": st.just("a" * 64)})


@settings(max_examples=60, deadline=None)
@given(STATE)
def test_a_link_gives_back_the_state(table):
    state = DeskState.from_json(table)
    link = state.to_link()
    assert len(link) <= MOST_LINK and link.isascii()
    assert DeskState.from_link(link) == state
    assert DeskState.from_json(json.loads(json.dumps(state.to_json()))) == state


JSON = st.recursive(st.none() | st.booleans() | st.floats(allow_nan=True) | st.text(max_size=10)
                    | st.integers(),
                    lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=8), x, max_size=3),
                    max_leaves=8)


@settings(max_examples=80, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(DeskState.__dataclass_fields__)), JSON, max_size=4) | JSON)
def test_anything_else_is_accepted_or_refused_with_a_sentence(table):
    try:
        state = DeskState.from_json(table)
    except InputError as error:
        assert all(p.rule for p in error.problems)
    else:
        assert DeskState.from_json(state.to_json()) == state


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda b: base64.urlsafe_b64encode(b).decode()))
def test_a_broken_link_is_refused(text):
    with pytest.raises(InputError):
        DeskState.from_link(text)


def _pack(table) -> str:
    return base64.urlsafe_b64encode(zlib.compress(json.dumps(table).encode())).decode().rstrip("=")


def test_a_link_cannot_blow_up():
    bomb = base64.urlsafe_b64encode(zlib.compress(b'"' + b" " * 3_000_000 + b'"', 9)).decode()
    with pytest.raises(InputError, match="broken"):
        DeskState.from_link(bomb)
    with pytest.raises(InputError, match="too long"):
        DeskState.from_link("A" * (MOST_LINK + 1))


@pytest.mark.parametrize("table, words", [
    ({"scenario": "../../etc/passwd"}, "scenario"), ({"scenario": "/x.toml"}, "scenario"),
    ({"portfolio": "configs/portfolios/global_macro.csv"}, "portfolio"),
    ({"knobs": {"wht_rate": 900}}, "0 to 99"),
    ({"knobs": {"wht_rat": 3}}, "wht_rate"), ({"sellers": [{"holder": '"] x=1', "usd_bn": 1}]}, "holder"),
    ({"sellers": [{"holder": "all", "usd_bn": -1}]}, "range"),
    ({"sellers": [{"holder": "all", "usd_bn": 1, "sector": "martian"}]}, "sector"),
    ({"trades": ["x" * 300]}, "200"),
    ({"trades": ["buy\n1m"]}, "printable"), ({"horizon": "99y"}, "horizon"), ({"code": "1"}, "unknown key"),
    ({"scale": {"A": float("nan")}}, "number"), ({"name": "x" * 100}, "name"),
])
def test_what_a_page_may_not_ask(table, words):
    with pytest.raises(InputError, match=words.replace("(", r"\(")):
        DeskState.from_link(_pack(table)) if "scale" not in table else DeskState.from_json(table)


# ---------------------------------------------------------------- knobs become knobs of the command line

@pytest.mark.parametrize("name", ["china_sells_treasuries", "inflow_slowdown", "mar_a_lago_accord", "tariffs",
                                  "withholding_tax_30_no_exemptions", "unilateral_restrictions",
                                  "fed_response", None])
def test_every_knob_is_accepted_by_the_door_of_scenarios(name):
    scenario = None if name is None else edit_scenario(name)
    for knob in KNOBS:
        if knob.only_filed and knob.id not in filed_values(scenario):
            continue
        value = {"range": 0.5 * (knob.low + knob.high) + knob.step, "flag": not knob.rest}.get(knob.kind)
        if value is None:
            value = knob.choices[-1][0] if knob.kind == "choice" else [knob.choices[0][0]]
        state = DeskState.from_json({"scenario": name, "knobs": {knob.id: value}})
        sets = knob_sets(state, scenario)
        edited = edit_scenario(name or "blank", sets)
        belongs = knob.main or not knob.shock or knob.shock in shock_places(scenario)
        if belongs and knob.id != "timing":
            assert filed_values(edited)[knob.id] in (
                pytest.approx(value), value,
                tuple(value) if isinstance(value, list) else None), (knob.id, sets)
        else:
            assert belongs or not sets


def test_an_untouched_page_sets_nothing():
    assert knob_sets(DeskState(scenario="tariffs"), edit_scenario("tariffs")) == ()


def test_sellers_timing_and_accord_become_shocks():
    state = DeskState(sellers=(Seller("Japan", "treasury", 300.0, "abroad"),
                               Seller("all", "equity", 50.0, sector="private")),
                      knobs={"timing": "6m", "accord_CNY": 15.0, "accord_JPY": 10.0, "wht_rate": 20.0},
                      horizon="6m")
    scenario = edit_scenario("blank", knob_sets(state, None))
    kinds = [type(s).__name__ for s in scenario.shocks]
    assert kinds == ["WithholdingTax", "CurrencyAccord", "ForeignSelling", "ForeignSelling"]
    assert all(s.schedule.kind == "linear" and s.schedule.years == 0.5 for s in scenario.shocks)
    targets = {c: round(t.default, 10) for c, t in scenario.shocks[1].targets}
    assert targets == {"CNY": 0.15, "JPY": 0.10}
    assert [s.sector for s in scenario.shocks[2:]] == ["all", "private"]
    assert scenario.shocks[2].holders == ("Japan",) and scenario.shocks[2].amount.default == 300.0
    assert scenario.horizon.days == 130


def test_knob_ids_are_unique_and_units_stand_on_every_slider():
    assert len(KNOBS_BY_ID) == len(KNOBS)
    assert all(k.unit for k in KNOBS if k.kind == "range")
