"""The comparison with the previous run: a night at size values its books as it values the night; counted before."""

from __future__ import annotations

import json

import pytest

from riskengine.base.sampling import RunSpec
from riskengine.benchmark.books import synthetic_portfolio
from riskengine.data.configs import load_scenario
from riskengine.execution import Serial
from riskengine.workflows.attribution import _values, count_rebuilds

AS_OF = "2024-09-24"
SPEC = RunSpec(paths=4_096, draws=512)
HASHES = {"portfolio": "a", "factor_model_daily": "d", "factor_model_weekly": "w"}


def test_values_at_size_are_those_of_full_revaluation(world):
    book = synthetic_portfolio(60, AS_OF)
    scenarios = [load_scenario(name) for name in ("exodus_10pct", "lehman_2008")]
    full = _values(book, world, scenarios, SPEC, Serial(), None)
    everything = _values(book, world, scenarios, SPEC, Serial(), 10_000)
    some = _values(book, world, scenarios, SPEC, Serial(), 5)
    assert list(full) == list(everything) == list(some)
    for key, want in full.items():
        assert everything[key] == pytest.approx(want, rel=1e-4)
        assert some[key] == pytest.approx(want, rel=0.03)
    assert any(everything[key] != some[key] for key in full)


@pytest.mark.parametrize(("changed", "times"), [
    ({}, 0), ({"portfolio": "b"}, 2), ({"factor_model_daily": "e"}, 2), ({"accounts": "latest"}, 2),
    ({"as_of": "2024-09-23"}, 3), ({"as_of": "2024-09-23", "portfolio": "b"}, 4),
])
def test_rebuilds_are_counted_by_what_changed(world, tmp_path, changed, times):
    before = {"as_of": AS_OF, "accounts": "as_of", "hashes": dict(HASHES)}
    for key, value in changed.items():
        (before["hashes"] if key in HASHES else before)[key] = value
    (tmp_path / "manifest.json").write_text(json.dumps(before), encoding="utf-8")
    assert count_rebuilds(tmp_path, world, HASHES, "as_of") == times
