"""Configuration files → typed objects, or every problem at once.

``load_scenario(name or path)`` → :class:`riskengine.policy.scenario.Scenario`; ``load_nightly_config`` and
``load_limits`` → the types of :mod:`riskengine.policy.night`.  This folder is the only importer of pydantic.
Names are resolved on first use, so that listing scenarios needs neither pydantic nor numpy.

One convention for numbers in scenario files: **shares are shares** (``rate = 0.30`` is 30%), amounts carry
their unit in the key (``amount_usd_bn``), ``bp`` are basis points, durations are tables with their unit
(``{ months = 12 }``), moves of factors are in the factor's own unit (log return, or absolute decimal for
yields and cap rates).  Any uncertain number may be a table ``{ default, lo, hi, dist, source }`` with lo and
hi the 16th and 84th percentiles (see :mod:`riskengine.base.estimate`).
"""

from __future__ import annotations

from importlib import import_module

_HOME = {
    "config_root": "folders",
    "find_config": "folders",
    "find_scenario": "folders",
    "list_scenarios": "folders",
    "scenario_headings": "folders",
    "load_scenario": "scenarios",
    "check_scenario": "scenarios",
    "accepted_holders": "fields",
    "write_scenario": "scenario_text",
    "load_nightly_config": "nightly",
    "check_nightly_config": "nightly",
    "load_limits": "nightly",
    "check_limits": "nightly",
}

__all__ = list(_HOME)


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
