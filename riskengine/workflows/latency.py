"""W4: latencies of a what-if held in memory, on the embedded book (``riskengine benchmark --workload W4``).

Operations of a held state in delta-gamma, beside NumPy; and whole answers of a session in full revaluation,
as the desk asks for them: while a knob or a size is dragged (the first 16,384 paths, without channels, chain
and limits) and once it is let go (all paths, everything).  Every question is a new one: nothing is answered from
memory.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from riskengine.base.sampling import RunSpec
from riskengine.base.units import Horizon
from riskengine.data.catalog import default_as_of
from riskengine.data.configs import config_root, load_nightly_config, load_scenario
from riskengine.data.portfolios import load_portfolio
from riskengine.execution import Threads
from riskengine.resident import hold, measure_latencies
from riskengine.resident.request import WhatIfRequest
from riskengine.workflows.build_world import build_world
from riskengine.workflows.what_if import SessionPool, Setup

POLICY = "china_sells_treasuries"
"""The scenario whose knob is moved: 512 draws, 52 weeks."""
DRAG_PATHS = 16_384
PATHS = 100_352
WARM = 2
"""Answers before the timed ones."""


def measure_what_if(quick: bool = False, threads: int | None = None) -> list[dict]:
    """One record per operation: milliseconds (median and best), NumPy's median and ratio where there is a
    peer."""
    config = load_nightly_config(config_root() / "nightly.toml")
    world = build_world(config.as_of or default_as_of(), config.accounts)
    book, _ = load_portfolio(config.portfolio, world.as_of)
    spec = RunSpec(DRAG_PATHS if quick else PATHS, noise="student_t")
    records = []
    with Threads(threads) as executor:
        for name, horizon, policy in (
            ("one day", Horizon(1, 1), None),
            ("52 weeks", Horizon(52, 5), load_scenario(POLICY)),
        ):
            state = hold(world, book, spec, horizon, mode="delta_gamma", executor=executor)
            for found in measure_latencies(state, policy, runs=3 if quick else 7):
                records.append({
                    "workload": "W4", "horizon": name, "operation": found.operation, "paths": spec.paths,
                    "median_ms": 1e3 * found.median, "min_ms": 1e3 * found.best,
                    "numpy_median_ms": _number(1e3 * found.numpy_median), "ratio": _number(found.ratio),
                })
        records += measure_session(DRAG_PATHS, False, executor, quick)
        if not quick:
            records += measure_session(PATHS, True, executor, quick)
    return records


def measure_session(paths: int, detail: bool, executor: Threads, quick: bool = False) -> list[dict]:
    """Whole answers of a session of the shipped book, one record for a moved policy knob and one for a trade.

    detail : channels, chain, limits too.
    """
    session = SessionPool(executor).session(Setup(config=str(config_root() / "nightly.toml"), paths=paths))
    ask: dict[str, Callable[[int], WhatIfRequest]] = {
        "policy knob": lambda n: WhatIfRequest(
            POLICY, sets=(f"foreign_selling.share={0.5 + n / 1000}",), detail=detail),
        "trade": lambda n: WhatIfRequest(POLICY, trades=(f"buy {200 + n}m UST 10Y",), detail=detail),
    }
    records = []
    for name, request in ask.items():
        seconds = []
        for n in range(WARM + (5 if quick else 15)):
            begin = time.perf_counter()
            session.answer(request(n))
            seconds.append(time.perf_counter() - begin)
        timed = 1e3 * np.array(seconds[WARM:])
        records.append({
            "workload": "W4", "horizon": "52 weeks",
            "operation": f"answer {'let go' if detail else 'dragged'}: {name}",
            "paths": paths, "median_ms": float(np.median(timed)), "min_ms": float(timed.min()),
            "numpy_median_ms": None, "ratio": None,
        })
    return records


def _number(value: float) -> float | None:
    """None where an operation has no NumPy peer."""
    return value if value == value else None
