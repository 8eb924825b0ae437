"""Impact: from flows to prices; the response of every risk factor for every parameter draw.

Names are resolved on first use, so that reading parameter files needs no compiled code.
"""

from __future__ import annotations

from importlib import import_module

_HOME = {
    "respond_to_policy": "chain",
    "respond_at_steps": "chain",
    "ImpactParameters": "parameters",
    "ParameterDraws": "parameters",
    "draw_parameters": "parameters",
    "Chain": "response",
    "PolicyResponse": "response",
    "ResponseDraws": "response",
    "StepResponse": "response",
}

__all__ = list(_HOME)


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
