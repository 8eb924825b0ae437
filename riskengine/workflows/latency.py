"""W4: latencies of a what-if held in memory, on the embedded book (``riskengine benchmark --workload W4``)."""

from __future__ import annotations

from riskengine.base.sampling import RunSpec
from riskengine.base.units import Horizon
from riskengine.data.catalog import default_as_of
from riskengine.data.configs import config_root, load_nightly_config, load_scenario
from riskengine.data.portfolios import load_portfolio
from riskengine.execution import Threads
from riskengine.resident import hold, measure_latencies
from riskengine.workflows.build_world import build_world

POLICY = "china_sells_treasuries"
"""The scenario whose knob is moved: 512 draws, 52 weeks."""


def measure_what_if(quick: bool = False, threads: int | None = None) -> list[dict]:
    """One record per operation: milliseconds (median and best), NumPy's median, ratio; 100,352 paths, delta-gamma."""
    config = load_nightly_config(config_root() / "nightly.toml")
    world = build_world(config.as_of or default_as_of(), config.accounts)
    book, _ = load_portfolio(config.portfolio, world.as_of)
    spec = RunSpec(16_384 if quick else 100_352, noise="student_t")
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
    return records


def _number(value: float) -> float | None:
    """None where an operation has no NumPy peer."""
    return value if value == value else None
