"""The chain behind a policy without the paths of a session: who sells, who absorbs, the ledger, how
plausible.

The chain depends on the scenario and the parameter draws alone, so a page that drags a knob can have it
beside the numbers, on another thread: nothing here waits for the session.  The same functions as the
session's, hence its bits.

    plausibility  Mahalanobis' distance of m = (1/D) Σ_d μ_d[core, H] under the model's covariance over
    the horizon
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import numpy as np

from riskengine.base.axes import FACTORS
from riskengine.data.configs.scenario_edits import edit_scenario
from riskengine.engine.paths import PreparedScenario, policy_draws, prepare
from riskengine.engine.results import CORE_MOVE
from riskengine.measures.plausibility import mahalanobis
from riskengine.policy.scenario import Scenario
from riskengine.resident.answer import chain_json, plain, plausibility_json
from riskengine.resident.request import WhatIfRequest
from riskengine.resident.session import Session

KEPT_DRAWS = 8
KEPT_CHAINS = 16
T = TypeVar("T")


class ChainReader:
    """Chains of what is asked; beside : folder of the configuration.  Threads may share one."""

    def __init__(self, beside: Path):
        self._beside = beside
        self._draws: OrderedDict[Hashable, Any] = OrderedDict()
        self._chains: OrderedDict[Hashable, Any] = OrderedDict()
        self._covariances: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = Lock()

    def chain(self, session: Session, request: WhatIfRequest) -> dict:
        """``chain`` and ``plausibility`` of an answer, before and after; neither without a policy.

        Raises
        ------
        InputError : every wrong knob.
        """
        out: dict = {"draws": session.spec.draws}
        pair = self._scenarios(request)
        if pair is None:
            return out
        # before: the scenario as filed, asked for again and again; after: whatever the knob says now
        key = (id(session.world), session.spec.seed, session.spec.draws, pair[0])
        found = {"before": self._kept(self._chains, key, KEPT_CHAINS,
                                      lambda: (session.world, self._read(session, pair[0])))[1]}
        found["after"] = found["before"] if pair[1] == pair[0] else self._read(session, pair[1])
        return out | {key: {k: x[key] for k, x in found.items()} for key in ("chain", "plausibility")}

    def plausibility(self, session: Session, request: WhatIfRequest) -> dict | None:
        """The same numbers read off the responses that *session* already holds for *request*; None
        without a policy.
        """
        if request.scenario is None:
            return None
        sets = ((), request.sets) if request.sets else ((),)
        held = [session.state(WhatIfRequest(request.scenario, s)) for s in sets]
        found = []
        for state in held:
            horizon = state.setting.horizon
            covariance = self._kept(
                self._covariances, (id(session.world), horizon), KEPT_DRAWS,
                lambda h=horizon: (session.world, _core_covariance(session, h)))[1]
            move = state.response.end.mean(axis=1)[FACTORS.indices(CORE_MOVE)]
            near = mahalanobis(move, covariance, CORE_MOVE)
            found.append({"mahalanobis": near.distance, "probability": near.probability,
                          "factors": list(CORE_MOVE)})
        return {"before": found[0], "after": found[-1]}

    def _scenarios(self, request: WhatIfRequest) -> tuple[Scenario, Scenario] | None:
        if request.scenario is None:
            return None
        first = edit_scenario(request.scenario, (), self._beside)
        return first, edit_scenario(request.scenario, request.sets, self._beside) if request.sets else first

    def _read(self, session: Session, scenario: Scenario) -> dict:
        draws = self._kept(self._draws, (id(session.world), session.spec.seed, session.spec.draws),
                           KEPT_DRAWS,
                           lambda: (session.world, policy_draws(session.world, session.spec)))[1]
        prepared: PreparedScenario = prepare(scenario, session.world, session.spec, draws)
        return {"chain": plain(chain_json(prepared)),
                "plausibility": plausibility_json(prepared, session.world)}

    def _kept(self, store: OrderedDict[Hashable, T], key: Hashable, most: int, make: Callable[[], T]) -> T:
        """The value of *key*; made outside the lock (two threads may make the same one)."""
        with self._lock:
            if key in store:
                store.move_to_end(key)
                return store[key]
        made = make()
        with self._lock:
            store[key] = made
            while len(store) > most:
                store.popitem(last=False)
        return made


def _core_covariance(session: Session, horizon: Any) -> np.ndarray:
    core = FACTORS.indices(CORE_MOVE)
    return session.world.model(horizon).horizon_covariance(horizon.steps)[np.ix_(core, core)]
