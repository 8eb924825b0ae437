"""Values derived from parameter draws: made once, by identity of what they depend on; copies start anew."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np


def test_derived_values_are_made_once_per_name_and_object(chain):
    draws, made = replace(chain.few), []
    first, second = [1], [1]  # equal, but not the same

    def make():
        made.append(1)
        return len(made)

    assert [draws.derive("x", make, first), draws.derive("x", make, first)] == [1, 1]
    assert draws.derive("x", make, second) == 2 and draws.derive("y", make, first) == 3
    assert draws.derive("x", make, first) == 1 and len(made) == 3


def test_changed_and_copied_draws_start_without_derived_values(chain):
    draws = replace(chain.few)
    before = draws.median("duration_treasury")
    other = replace(draws, values={**draws.values, "duration_treasury": 2 * draws["duration_treasury"]})
    assert draws.derived and other.median("duration_treasury") == 2 * before
    copied = pickle.loads(pickle.dumps(draws))
    assert not copied.derived and copied.median("duration_treasury") == before
    assert np.array_equal(copied.shock_scores, draws.shock_scores) and copied.settings == draws.settings


def test_shared_zeros_cannot_be_written(chain):
    nothing = chain.few.nothing(5)
    assert nothing.shape == (chain.few.count, 5) and not nothing.any() and not nothing.flags.writeable
