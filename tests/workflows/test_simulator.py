"""The night at size as a whole: made ready first, announced once, refused before its paths, the same bits."""

from __future__ import annotations

from dataclasses import replace

import pytest

from riskengine.base.errors import InputError
from riskengine.base.sampling import RunSpec
from riskengine.base.units import Horizon
from riskengine.benchmark.books import synthetic_portfolio
from riskengine.data.configs import load_scenario
from riskengine.engine.paths import prepare
from riskengine.execution import Serial, Threads
from riskengine.workflows import simulator
from riskengine.workflows.simulator import Simulator, seconds_after
from riskengine.workflows.stages import StageClock

AS_OF = "2024-09-24"
SPEC = RunSpec(paths=10_240, draws=512)
TEN = Horizon(10, 1)


@pytest.fixture(scope="module")
def mixed():
    return synthetic_portfolio(80, AS_OF)


@pytest.fixture(scope="module")
def batches(world):
    items = [prepare(load_scenario("exodus_10pct"), world, SPEC)]
    return [((), TEN, True), (items, items[0].scenario.horizon, False)]


def test_a_night_is_announced_before_its_paths_and_keeps_its_bits(
    world, mixed, batches, capsys, monkeypatch
):
    monkeypatch.setattr(simulator, "LONG_SECONDS", 0.0)
    made_ready, alone, seen = Simulator(5), Simulator(5), []
    made_ready.prepare(batches, mixed, world, SPEC, Serial(), seen.append)
    assert seen == [1, 2]
    said = capsys.readouterr().err
    assert said.startswith("at size, 80 positions × 10,240 paths × 3 rows in 2 runs: about ") and "GB" in said
    assert said.count("\n") == 1
    for items, horizon, keep_groups in batches:
        found, want = (s(items, mixed, world, horizon, SPEC, keep_groups=keep_groups)
                       for s in (made_ready, alone))
        assert found.total.tobytes() == want.total.tobytes()
        assert found.groups.tobytes() == want.groups.tobytes()
    assert not made_ready._ready, "what is done is let go"
    assert len(made_ready.plans) == 3 and len(alone.plans) == 2
    assert len(made_ready.remarks) == len(alone.remarks) == 2


def test_a_night_that_does_not_fit_is_refused_before_its_paths(world, mixed, batches):
    with pytest.raises(InputError, match="needs up to .* GB"):
        Simulator(5, memory_gb=0.05).prepare(batches, mixed, world, SPEC, Serial())


def test_a_night_that_revalues_everything_needs_no_preparation(world, mixed, batches, capsys):
    small = Simulator(None)
    small.prepare(batches, mixed, world, SPEC, Serial(), lambda done: pytest.fail("nothing is prepared"))
    assert not small.plans and not capsys.readouterr().err


def test_time_after_the_paths_grows_with_the_night_and_shrinks_with_workers(world, mixed, batches):
    ready = Simulator(5)
    ready.prepare(batches, mixed, world, SPEC, Serial())
    plans = [run.plan for run in ready._ready.values()]
    small = seconds_after(plans, 1, 0.975, Serial())
    many = [replace(p, positions=100 * p.positions) for p in plans]
    assert small < seconds_after([replace(p, paths=100 * p.paths) for p in plans], 1, 0.975, Serial())
    assert seconds_after(many, 1, 0.99, Serial()) < seconds_after(many, 1, 0.9, Serial())
    with Threads(4) as four:
        serial = simulator.MEASURED_POSITION * many[0].positions
        alone, shared = (seconds_after(many, 1, 0.975, run) - serial for run in (Serial(), four))
        assert shared == pytest.approx(alone / 4)


def test_stages_have_wall_and_processor_time():
    clock = StageClock()
    for stage in ("work", "rest", "work"):
        clock(stage)
        if stage == "work":
            sum(i * i for i in range(300_000))
    seconds = clock.finish()
    assert set(seconds) == set(clock.cpu_seconds) == {"work", "rest"}
    assert 0.5 * seconds["work"] < clock.cpu_seconds["work"] + 0.05 and clock.cpu_seconds["rest"] < 0.05
