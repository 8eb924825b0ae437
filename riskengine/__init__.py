"""riskengine: portfolio and market-impact risk that starts with the flow.

The public names are loaded on first use; ``import riskengine`` itself imports nothing heavy.
"""

from __future__ import annotations

from importlib import import_module

__version__ = "0.1.0"

_PUBLIC = {
    "build_world": "riskengine.workflows.build_world",
    "load_portfolio": "riskengine.workflows.door",
    "load_scenario": "riskengine.data.configs",
    "what_if": "riskengine.workflows.door",
    "run": "riskengine.engine",
    "run_all": "riskengine.engine",
    "RunSpec": "riskengine.base.sampling",
    "Horizon": "riskengine.base.units",
    "Scenario": "riskengine.policy.scenario",
    "World": "riskengine.engine.paths",
    "Portfolio": "riskengine.instruments.portfolio",
    "ScenarioResult": "riskengine.result",
    "NightResult": "riskengine.result",
    "InputError": "riskengine.base.errors",
    "ModelError": "riskengine.base.errors",
}
__all__ = sorted(_PUBLIC)


def __getattr__(name: str):
    if name not in _PUBLIC:
        raise AttributeError(f"module 'riskengine' has no attribute {name!r}")
    value = getattr(import_module(_PUBLIC[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *__all__]
