"""The policy room is plain data: complete, immutable, light to import."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from dataclasses import FrozenInstanceError, fields, is_dataclass
from pathlib import Path
from typing import get_args

import pytest

from riskengine.base.axes import ASSET_CLASSES
from riskengine.base.estimate import Distribution
from riskengine.base.sampling import RunSpec
from riskengine.policy import shocks
from riskengine.policy.night import DESK_METRICS, LIMIT_METRICS, Limit, NightlyConfig

KINDS = get_args(shocks.Shock)
NUMBER = Distribution(0.1)
EXAMPLES = {
    "CurrencyAccord": {"targets": (("JPY", NUMBER),)},
    "PolicyRatePath": {"bp": (("2Y", NUMBER),)},
    "FactorShock": {"factor": "UST_10Y", "move": NUMBER},
    "HistoricalReplay": {"start": "2008-09-12", "end": "2008-11-20"},
    "ConditionalStress": {"moves": (("UST_10Y", 0.01),)},
}


def example(kind: type) -> shocks.Shock:
    """A shock with its required fields only; a lone required number is NUMBER."""
    given = EXAMPLES.get(kind.__name__)
    if given is None:
        signature = inspect.signature(kind)
        given = {n: NUMBER for n, p in signature.parameters.items() if p.default is inspect.Parameter.empty}
    return kind(**given)


def test_no_shock_is_missing_from_the_union():
    defined = {c for _, c in inspect.getmembers(shocks, inspect.isclass)
               if c.__module__ == shocks.__name__ and is_dataclass(c)}
    assert defined - {shocks.Schedule} == set(KINDS)


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.__name__)
def test_shocks_are_values(kind):
    shock = example(kind)
    assert shock == example(kind) and hash(shock) == hash(example(kind))
    assert not hasattr(shock, "__dict__")
    with pytest.raises(FrozenInstanceError):
        setattr(shock, fields(kind)[0].name, None)


WITH_CLASSES = [k for k in KINDS if "classes" in {f.name for f in fields(k)}]


@pytest.mark.parametrize("kind", WITH_CLASSES, ids=lambda k: k.__name__)
def test_default_classes_are_classes_of_the_accounts(kind):
    assert set(example(kind).classes) <= set(ASSET_CLASSES)


def test_default_schedules_are_of_a_known_kind():
    for kind in KINDS:
        schedule = getattr(example(kind), "schedule", None)
        if schedule is not None:
            assert schedule.kind in shocks.SCHEDULES
            assert (schedule.years > 0) == (schedule.kind != "abrupt")


def test_a_night_has_the_defaults_of_the_run():
    night = NightlyConfig(Path("p.csv"), Path("limits.toml"), ())
    assert night.run == RunSpec() and night.position_level in night.run.levels
    assert Limit("x", "var", 1.0, 2.0, "USD").scope == "total"
    assert set(DESK_METRICS) <= set(LIMIT_METRICS)


def test_the_room_imports_no_numpy():
    root = Path(__file__).resolve().parents[2]
    code = ("import sys, riskengine.policy.scenario, riskengine.policy.night; "
            "print(sorted({'numpy', 'pydantic', 'polars'} & set(sys.modules)))")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "PYTHONPATH": str(root)})
    assert done.stdout.strip() == "[]", done.stderr
