"""Which law a path follows: a plain one and several twisted ones, mixed in fixed shares.

One path in ten is plain, so no weight exceeds ten (defensive mixture, Owen and Zhou 2000, JASA 95); the
twisted laws take the others in turn.  Weights are those of the balance heuristic (Veach and Guibas 1995).
"""

from __future__ import annotations

import numpy as np

PLAIN_CYCLE = 10
"""One path in ten follows the plain law."""
PILOT_PATHS = 32_768
"""Paths of the plain stream behind the choice of the twists."""


def law_of_path(paths: int, twisted: int) -> np.ndarray:
    """(P,) law of each path: 0 plain for one in ten, else 1 … *twisted* in turn."""
    place = np.arange(paths) % (PLAIN_CYCLE * twisted)
    return np.where(place < twisted, 0, 1 + place % twisted)


def shares(paths: int, twisted: int) -> np.ndarray:
    """(1 + twisted,) share of the paths that follow each law."""
    return np.bincount(law_of_path(paths, twisted), minlength=1 + twisted) / paths
