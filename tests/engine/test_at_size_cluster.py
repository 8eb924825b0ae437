"""A night at size on two Dask workers: the bits of the threads, also when a worker is killed in the middle."""

from __future__ import annotations

import functools
import hashlib
import os
import signal
from pathlib import Path

import pytest

from riskengine.base.sampling import RunSpec
from riskengine.base.units import Horizon
from riskengine.benchmark.books import synthetic_portfolio
from riskengine.data.configs import load_scenario
from riskengine.engine.at_size import simulate_at_size
from riskengine.engine.block_task import Work
from riskengine.engine.paths import prepare
from riskengine.execution import Dask, Threads

AS_OF = "2024-09-24"
YEAR = Horizon(52, 5)
SPEC = RunSpec(paths=20_480, draws=512)
BUDGET = 5
"""Fewer than the book's curved instruments: the sampled correction is part of what must agree."""


@pytest.fixture(scope="module")
def dask():
    pytest.importorskip("distributed", reason="dask is not installed")
    with Dask(workers=2) as executor:
        yield executor


@pytest.fixture(scope="module")
def night(world):
    mixed = synthetic_portfolio(150, AS_OF)
    items = [prepare(load_scenario("exodus_10pct"), world, SPEC)]
    with Threads(2) as threads:
        want = digest(simulate_at_size(items, mixed, world, YEAR, SPEC, BUDGET, threads))
    return items, mixed, want


def digest(found) -> str:
    pnl = found.pnl
    parts = (pnl.total, pnl.groups, pnl.gains)
    return hashlib.sha256(b"".join(x.tobytes() for x in parts) + repr(found.errors).encode()).hexdigest()


def killed_once(marker: Path, home: int, task, work: Work):
    """*task*, but the first worker that takes blocks in the middle of the run kills itself."""
    if work.blocks[0].lo > 0 and os.getpid() != home:
        try:
            marker.touch(exist_ok=False)
        except FileExistsError:
            return task(work)
        os.kill(os.getpid(), signal.SIGKILL)
    return task(work)


class Deadly:
    """The cluster, with tasks that kill one worker; *home* is the process that must live."""

    remote = True

    def __init__(self, dask: Dask, marker: Path):
        self.dask, self.marker, self.home = dask, marker, os.getpid()
        self.count, self.here = dask.count, dask.here

    def map(self, function, items):
        """As Executor.map."""
        return self.dask.map(functools.partial(killed_once, self.marker, self.home, function), items)

    def close(self) -> None:
        """The cluster belongs to the fixture."""


def test_two_workers_give_the_bits_of_the_threads(world, night, dask):
    items, mixed, want = night
    found = simulate_at_size(items, mixed, world, YEAR, SPEC, BUDGET, dask)
    assert found.plan.approximated > 0
    assert digest(found) == want


def test_a_killed_worker_changes_no_bit(world, night, dask, tmp_path):
    items, mixed, want = night
    marker = tmp_path / "killed"
    assert digest(simulate_at_size(items, mixed, world, YEAR, SPEC, BUDGET, Deadly(dask, marker))) == want
    assert marker.exists(), "no worker was killed"
