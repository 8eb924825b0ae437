"""Joint factor moves: noise by chunks of paths, and the mean of a scenario for every factor.

    move[k, p] = path_d(p)[T, k] + noise[k, p],     d(p) = perm_b[p − bD],  b = p // D

Noise of a scenario and of the baseline is the same (counter-based streams, base/sampling.py).  ``noise``
runs the kernels, ``draws`` numbers the parameter draws, ``conditioning`` says what moves with what.
Path-dependent runs (``path_dependent``, ``variance``, ``feedback``, ``holder_groups``) and importance
sampling (``importance``) load when first asked for.
"""

from importlib import import_module

from riskengine.simulation.conditioning import (
    ShockDistribution, condition, condition_at_steps, draw_loadings, fixing_map, pinned_carry,
)
from riskengine.simulation.draws import draw_of_path, parameter_normals
from riskengine.simulation.noise import chunks, mixing_table, simulate_noise

_LATER = {
    "Feedback": "feedback",
    "ImportanceTail": "importance",
    "PathExposures": "path_dependent",
    "PathModel": "variance",
    "PathResult": "path_dependent",
    "feedback_from_accounts": "holder_groups",
    "importance_tail": "importance",
    "path_model": "variance",
    "prepare_paths": "path_dependent",
    "simulate_paths": "path_dependent",
}

__all__ = [
    "ShockDistribution",
    "chunks",
    "condition",
    "condition_at_steps",
    "draw_loadings",
    "draw_of_path",
    "fixing_map",
    "mixing_table",
    "parameter_normals",
    "pinned_carry",
    "simulate_noise",
    *_LATER,
]


def __getattr__(name: str):
    if name in _LATER:
        return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
