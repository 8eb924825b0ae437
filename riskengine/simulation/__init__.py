"""Joint factor moves: noise by chunks of paths, and the mean of a scenario for every factor.

    move[k, p] = path_d(p)[T, k] + noise[k, p],     d(p) = perm_b[p − bD],  b = p // D

Noise of a scenario and of the baseline is the same (counter-based streams, base/sampling.py).  ``noise``
runs the kernels, ``draws`` numbers the parameter draws, ``conditioning`` says what moves with what.
"""

from riskengine.simulation.conditioning import ShockDistribution, condition, fixing_map
from riskengine.simulation.draws import draw_of_path, parameter_normals
from riskengine.simulation.noise import chunks, mixing_table, simulate_noise

__all__ = [
    "ShockDistribution",
    "chunks",
    "condition",
    "draw_of_path",
    "fixing_map",
    "mixing_table",
    "parameter_normals",
    "simulate_noise",
]
