"""Scenario files in general: every shock has a model, any scenario survives the round trip, no text crashes."""

from __future__ import annotations

import tomllib
from dataclasses import fields
from typing import get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from riskengine.base.estimate import Distribution
from riskengine.base.units import Horizon
from riskengine.data.configs import check_scenario, list_scenarios, load_scenario, write_scenario
from riskengine.data.configs.scenario_text import shock_type
from riskengine.data.configs.shock_models import SHOCK_MODELS
from riskengine.policy import shocks as policy
from riskengine.policy.scenario import Scenario

HEAD = """title = "A test"
narrative = "Somebody does something."
source = "assumption"
horizon = { months = 12 }
"""


def test_every_shock_of_the_union_has_a_model_and_every_field_a_key():
    assert set(SHOCK_MODELS) == {shock_type(kind.__new__(kind)) for kind in get_args(policy.Shock)}
    renamed = {"amount": "amount_usd_bn", "amount_per_year": "amount_usd_bn_per_year", "percent": "fall", "deadline_years": "deadline"}
    for kind in get_args(policy.Shock):
        model = SHOCK_MODELS[shock_type(kind.__new__(kind))]
        assert {renamed.get(f.name, f.name) for f in fields(kind)} == set(model.model_fields)


@pytest.mark.parametrize("name", list_scenarios())
def test_a_shipped_scenario_survives_the_round_trip(tmp_path, name):
    before = load_scenario(name)
    (tmp_path / f"{name}.toml").write_text(write_scenario(before), encoding="utf-8")
    after = load_scenario(tmp_path / f"{name}.toml")
    assert after == before


names = st.sampled_from(["Japan", "China, Mainland", "Rest", "India"])
text = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1, max_size=30).map(
    lambda t: " ".join(t.split()) or "x").filter(lambda t: " · Probability " not in t)


@st.composite
def shares(draw, low=0.001, high=0.999):
    default = draw(st.floats(low, high))
    if draw(st.booleans()):
        return Distribution(default, unit="")
    return Distribution(default, draw(st.floats(low, default)), draw(st.floats(default, high)),
                        draw(st.sampled_from(["normal", "uniform", "lognormal2"])), "", draw(text))


schedules = st.one_of(
    st.builds(policy.Schedule, st.just("abrupt"), st.just(0.0), st.sampled_from([0.0, 0.25])),
    st.builds(policy.Schedule, st.sampled_from(["linear", "half_life"]), st.floats(0.01, 5),
              st.sampled_from([0.0, 1.5])),
)
some_shocks = st.one_of(
    st.builds(policy.WithholdingTax, shares(), st.just(("treasury", "equity")), st.tuples(names),
              st.sampled_from([(), ("treaties",), ("section_892", "treaties")]), st.booleans(),
              st.sampled_from([(), ("corporate",)]), st.booleans(), schedules),
    st.builds(policy.OwnershipCap, shares(), st.sampled_from(["treasury", "equity"]), st.tuples(names),
              st.floats(0.1, 5)),
    st.builds(policy.ForeignSelling, st.none(), shares(), st.just(("agency",)), st.tuples(names),
              st.sampled_from(["all", "private"]), st.sampled_from(["abroad", "defend"]), schedules),
    st.builds(policy.CurrencyAccord, st.tuples(st.tuples(st.just("JPY"), shares())),
              st.just((("Japan", 5.0), ("CNY", 2.5))), shares(), schedules),
    st.builds(policy.PolicyRatePath, st.tuples(st.tuples(st.just("2Y"), shares(0.3, 2000)))),
    st.builds(policy.Tariff, shares(), st.just(("all",)), st.booleans(), shares(), st.just("flight"),
              schedules),
    st.builds(policy.ConditionalStress, st.just((("EQ_SP500", -0.2), ("UST_10Y", 0.01))), schedules),
    st.just(policy.HistoricalReplay("2008-09-12", "2008-11-20")),
)
scenarios = st.builds(
    Scenario, st.just("a_test"), text, text, text, st.sampled_from([Horizon(52, 5), Horizon(7, 1)]),
    st.lists(some_shocks, max_size=3).map(tuple), st.just(1.0), st.booleans(), st.booleans(), st.booleans(),
    st.lists(text, max_size=2).map(tuple),
)
SLOW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(scenario=scenarios)
@SLOW
def test_any_scenario_survives_the_round_trip(tmp_path, scenario):
    file = tmp_path / "a_test.toml"
    file.write_text(write_scenario(scenario), encoding="utf-8")
    after = load_scenario(file)
    assert _without_units(after) == _without_units(scenario)


def _without_units(thing):
    """Units of distributions are set by the key, not by the file."""
    if isinstance(thing, Distribution):
        return (thing.default, thing.lo, thing.hi, thing.kind, thing.source)
    if isinstance(thing, tuple):
        return tuple(_without_units(x) for x in thing)
    if hasattr(thing, "__dataclass_fields__"):
        return (type(thing).__name__, *(_without_units(getattr(thing, f.name)) for f in fields(thing)))
    return thing


leaves = st.one_of(
    st.integers(), st.integers(-10**400, 10**400), st.floats(), st.booleans(), st.text(max_size=5),
    st.sampled_from(["all", "Japan", "treasury", "linear", "CNY", "2Y", "EQ_SP500"]),
    st.dates().map(lambda d: d),
)
inner_keys = st.sampled_from(
    ["default", "lo", "hi", "dist", "kind", "over", "months", "days", "CNY", "2Y", "UST_10Y", "x y"])
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(inner_keys, inner, max_size=3),
    max_leaves=6)


def _toml(value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(value)  # nan, inf and -inf are TOML too
    if isinstance(value, str):
        return '"' + "".join(c if c.isalnum() or c == " " else f"\\U{ord(c):08x}" for c in value
                             if not 0xD800 <= ord(c) <= 0xDFFF) + '"'
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f'"{k}" = {_toml(v)}' for k, v in value.items()) + " }"
    return str(value)


@given(kind=st.sampled_from(sorted(SHOCK_MODELS)), data=st.data())
@SLOW
def test_no_value_at_any_key_brings_more_than_problems(tmp_path, kind, data):
    keys = sorted(SHOCK_MODELS[kind].model_fields) + ["nonsense"]
    chosen = data.draw(st.dictionaries(st.sampled_from(keys), values, max_size=4))
    head_keys = st.sampled_from(["horizon", "probability", "title", "tags", "shocks"])
    head = data.draw(st.dictionaries(head_keys, values, max_size=2))
    lines = [f"{k} = {_toml(v)}" for k, v in head.items()]
    lines += [line for line in HEAD.splitlines() if line.split(" ")[0] not in head]
    if "shocks" not in head:
        lines += ["[[shocks]]", f'type = "{kind}"', *(f"{k} = {_toml(v)}" for k, v in chosen.items())]
    file = tmp_path / "a_test.toml"
    file.write_text("\n".join(lines), encoding="utf-8")
    tomllib.loads(file.read_text(encoding="utf-8"))  # the fuzz itself writes TOML
    scenario, found = check_scenario(file)
    assert (scenario is None) == bool(found)
    assert all(len(str(p)) < 3000 for p in found)


@given(raw=st.binary(max_size=200))
@SLOW
def test_no_bytes_bring_more_than_problems(tmp_path, raw):
    file = tmp_path / "a_test.toml"
    file.write_bytes(raw)
    scenario, found = check_scenario(file)
    assert scenario is None and found
