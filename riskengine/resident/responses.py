"""From a scenario to its response at the horizon, keeping what does not depend on the policy knob.

Parameter draws belong to (seed, draws, parameters); only the chain itself runs again when a knob moves.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from riskengine.base.errors import InputError, Problem
from riskengine.base.sampling import RunSpec
from riskengine.base.units import Horizon
from riskengine.engine.paths import PreparedScenario, World, prepare
from riskengine.policy.scenario import Scenario
from riskengine.resident.cache import Response, response_of
from riskengine.resident.positions import Fixing

KEPT_RESPONSES = 32
"""Responses kept, the least recently used leaves first; one is (K + F) × D numbers."""


class Responses:
    """Responses of scenarios for one world, specification and horizon; safe to share between threads of one desk."""

    def __init__(self, world: World, spec: RunSpec, horizon: Horizon):
        self.world, self.spec, self.horizon = world, spec, horizon
        self._kept: OrderedDict[tuple[Scenario, tuple[Fixing, ...]], Response] = OrderedDict()

    def respond(self, scenario: Scenario, fixings: Sequence[Fixing]) -> Response:
        """Response at the horizon and at *fixings*; InputError when the scenario has another horizon."""
        if scenario.horizon != self.horizon:
            raise InputError(Problem(f"scenario {scenario.name} has another horizon than the held state",
                                     field="horizon", got=f"{scenario.horizon.days} business days",
                                     accepted=f"{self.horizon.days} business days in steps of "
                                              f"{self.horizon.step_days}"))
        key = (scenario, tuple(fixings))
        found = self._kept.get(key)
        if found is None:
            found = response_of(self.prepare(scenario).shocks, self.world.model(self.horizon), fixings)
            self._kept[key] = found
            while len(self._kept) > KEPT_RESPONSES:
                self._kept.popitem(last=False)
        return found

    def prepare(self, scenario: Scenario) -> PreparedScenario:
        """The whole chain of one scenario, ledger and summary included."""
        return prepare(scenario, self.world, self.spec)

    def memory(self) -> int:
        """Bytes held."""
        return sum(_bytes(r) for r in self._kept.values())


def _bytes(response: Response) -> int:
    arrays: list[np.ndarray] = [response.end, *response.at_fixings.values(), *response.carry.values()]
    if response.noise_map is not None:
        arrays.append(response.noise_map)
    return sum(a.nbytes for a in arrays)
