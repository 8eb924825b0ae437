"""Sobol points against SciPy's generator of the same direction numbers, integer for integer."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import qmc

from riskengine.simulation.sobol import MOST, sobol_points


@pytest.mark.parametrize(("dimensions", "bits"), [(1, 1), (2, 5), (40, 9), (106, 9), (MOST, 12), (MOST + 2, 6), (5, 1)])
def test_points_are_those_of_scipy(dimensions, bits):
    want = qmc.Sobol(dimensions, scramble=False, bits=32).random_base2(bits) * 2.0**bits
    assert np.array_equal(sobol_points(dimensions, bits), want.astype(np.int64))


def test_every_dimension_is_a_permutation_of_the_grid():
    points = sobol_points(MOST, 8)
    assert (np.sort(points, axis=0) == np.arange(256)[:, None]).all()
