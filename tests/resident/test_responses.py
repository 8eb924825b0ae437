"""A full answer runs the chain once: the response is read off it, with the bits of the quick one."""

from __future__ import annotations

import numpy as np
import pytest

from riskengine.base.sampling import RunSpec
from riskengine.data.configs import load_scenario
from riskengine.execution import Threads
from riskengine.resident import responses as room
from riskengine.resident.responses import KEPT_CHAINS, Responses

SPEC = RunSpec(paths=2048, draws=512)
FIXINGS = ((0, 3), (23, 0), (6, 7))


def assert_same(one, other):
    assert np.array_equal(one.end, other.end) and np.abs(one.end).max() > 0
    assert all(np.array_equal(one.at_fixings[f], other.at_fixings[f]) for f in FIXINGS)
    assert (one.noise_map is None) == (other.noise_map is None)
    assert one.noise_map is None or np.array_equal(one.noise_map, other.noise_map)
    assert one.carry.keys() == other.carry.keys()
    assert all(np.array_equal(one.carry[f], other.carry[f]) for f in one.carry)


@pytest.mark.parametrize("name", ["china_sells_treasuries", "mar_a_lago_accord", "tariffs", "lehman_2008"])
def test_read_off_the_whole_chain(world, name, monkeypatch):
    scenario = load_scenario(name)
    quick = Responses(world, SPEC, scenario.horizon).compute(scenario, FIXINGS)
    held = Responses(world, SPEC, scenario.horizon)
    held.prepare(scenario)
    monkeypatch.setattr(room, "respond_at_steps", lambda *_: pytest.fail("the chain ran twice"))
    assert_same(quick, held.compute(scenario, FIXINGS))


@pytest.mark.parametrize("name", ["unilateral_restrictions", "dollar_minus_10"])
def test_threads_change_no_bit(world, name):
    scenario = load_scenario(name)
    alone = Responses(world, SPEC, scenario.horizon).compute(scenario, FIXINGS)
    assert_same(alone, Responses(world, SPEC, scenario.horizon, Threads(2)).compute(scenario, FIXINGS))


def test_only_the_last_chains_are_kept(world):
    names = ("triple_red_conditional", "lehman_2008", "dash_for_cash_2020")
    scenarios = [load_scenario(name) for name in names]
    held = Responses(world, SPEC, scenarios[0].horizon)
    for scenario in scenarios:
        held.prepare(scenario)
    assert list(held._whole) == scenarios[-KEPT_CHAINS:]
