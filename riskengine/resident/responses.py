"""From a scenario to its response at the horizon, keeping what does not depend on the policy knob.

Parameter draws belong to (seed, draws, parameters); only the chain itself runs again when a knob moves.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock

import numpy as np

from riskengine.base.errors import InputError, Problem
from riskengine.base.sampling import RunSpec
from riskengine.base.units import Horizon
from riskengine.engine.paths import PreparedScenario, World, policy_draws, prepare
from riskengine.execution import Executor, Threads
from riskengine.flows.propagation import Scratch
from riskengine.impact import respond_at_steps
from riskengine.impact.parameters import ParameterDraws
from riskengine.policy.scenario import Scenario
from riskengine.resident.cache import Response
from riskengine.resident.positions import Fixing
from riskengine.simulation import condition_at_steps, draw_loadings, pinned_carry

KEPT_CHAINS = 2
"""Whole chains kept, with ledger and summary, until their response is read off."""
KEPT_RESPONSES = 32
"""Responses kept, the least recently used leaves first; one is (K + F) × D numbers."""


class Responses:
    """Responses of scenarios for one world, specification and horizon; safe to share between threads of one
    desk.  executor : threads on which blocks of draws run side by side, else the calling thread alone."""

    def __init__(self, world: World, spec: RunSpec, horizon: Horizon, executor: Executor | None = None):
        self.world, self.spec, self.horizon = world, spec, horizon
        self._run = executor.map if isinstance(executor, Threads) else None
        self._kept: OrderedDict[tuple[Scenario, tuple[Fixing, ...]], Response] = OrderedDict()
        self._whole: OrderedDict[Scenario, PreparedScenario] = OrderedDict()
        self._draws: ParameterDraws | None = None
        self._loadings: dict[bytes, np.ndarray] = {}
        self._scratch = Scratch()
        self._lock = Lock()

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
            found = self._kept[key] = self.compute(scenario, fixings)
            while len(self._kept) > KEPT_RESPONSES:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(key)
        return found

    def compute(self, scenario: Scenario, fixings: Sequence[Fixing]) -> Response:
        """The chain at the horizon and at *fixings* only, without ledger and summary; the engine's bits.

        Read off the whole chain where :meth:`prepare` has just run it."""
        world, spec, horizon = self.world, self.spec, self.horizon
        model = world.model(horizon)
        whole = self._whole.get(scenario)
        if whole is not None:
            path = whole.shocks.path
            at = {(k, step): np.ascontiguousarray(path[:, step, k]) for k, step in fixings}
            return self._response(path[:, -1].T, at, whole.shocks.noise_map, whole.shocks.pinned, fixings)
        steps = sorted({step for _, step in fixings} | {horizon.steps - 1})
        with self._lock:
            response = respond_at_steps(
                scenario, world.accounts, self.parameter_draws(), model, world.snapshot, horizon, steps,
                world.history, self._scratch, self._run,
            )
        key = response.core.tobytes()
        if key not in self._loadings:
            self._loadings[key] = draw_loadings(response.core, model, spec)
        path, noise_map = condition_at_steps(response, model, spec, self._loadings[key])
        place = {step: n for n, step in enumerate(steps)}
        at = {(k, step): np.ascontiguousarray(path[k, :, place[step]]) for k, step in fixings}
        return self._response(path[:, :, -1], at, noise_map, response.pinned, fixings)

    def _response(
        self, end: np.ndarray, at: dict[Fixing, np.ndarray], noise_map: np.ndarray | None, pinned: np.ndarray,
        fixings: Sequence[Fixing],
    ) -> Response:
        carry: dict[Fixing, np.ndarray] = {}
        if noise_map is not None:
            rows = pinned_carry(pinned, self.horizon, self.world.model(self.horizon), tuple(fixings))
            carry = dict(zip(fixings, rows, strict=True))
        return Response(np.ascontiguousarray(end), at, noise_map, carry)

    def parameter_draws(self) -> ParameterDraws:
        """Draws of every parameter, made once."""
        if self._draws is None:
            self._draws = policy_draws(self.world, self.spec)
        return self._draws

    def prepare(self, scenario: Scenario) -> PreparedScenario:
        """The whole chain of one scenario, ledger and summary included."""
        found = self._whole[scenario] = prepare(scenario, self.world, self.spec, self.parameter_draws())
        while len(self._whole) > KEPT_CHAINS:
            self._whole.popitem(last=False)
        return found

    def memory(self) -> int:
        """Bytes held."""
        return sum(_bytes(r) for r in self._kept.values())


def _bytes(response: Response) -> int:
    arrays: list[np.ndarray] = [response.end, *response.at_fixings.values(), *response.carry.values()]
    if response.noise_map is not None:
        arrays.append(response.noise_map)
    return sum(a.nbytes for a in arrays)
