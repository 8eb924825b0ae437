"""Prices that a scenario sets itself: factor shocks, historical replay, conditional stress (METHOD 2 and 8).

    FactorShock          the factor is pinned at move·schedule
    HistoricalReplay     all factors with data repeat their moves; the rest at their conditional mean
    ConditionalStress    given moves; the rest at Σ_xc Σ_cc⁻¹ m  (Kupiec 1998)

Σ is the covariance of the move accumulated over the horizon.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from riskengine.base.axes import FACTORS
from riskengine.base.errors import InputError, ModelError, Problem
from riskengine.base.units import Horizon
from riskengine.factor_model import FactorModel
from riskengine.flows.draws import over_time
from riskengine.flows.shock_numbers import Numbers, phase
from riskengine.policy.scenario import Scenario
from riskengine.policy.shocks import ConditionalStress, FactorShock, HistoricalReplay

History = Mapping[str, tuple[np.ndarray, np.ndarray]]
"""factor label → (dates (N,) datetime64[D], levels (N,): logs for log factors, decimals for rates)."""
MOST_STALE_DAYS = 10
"""An observation at most this many days before a replay's start or end stands for it."""


@dataclass(frozen=True, slots=True)
class ImposedMoves:
    """given : factor index → (D, T) path, pinned.  followers : factor index → (T,) conditional mean of the
    rest, empty unless the scenario is a replay or a conditional stress."""

    given: dict[int, np.ndarray]
    followers: dict[int, np.ndarray]


def impose(
    scenario: Scenario, numbers: Numbers, model: FactorModel, horizon: Horizon, t: np.ndarray, count: int,
    history: History | None,
) -> ImposedMoves:
    """Paths of all imposed factors on *t* (T,) years; InputError for unknown factors, factors set twice,
    missing history, or a replay or conditional stress that does not stand alone."""
    whole = [s for s in scenario.shocks if isinstance(s, HistoricalReplay | ConditionalStress)]
    if whole and len(scenario.shocks) > 1:
        raise InputError(Problem(f"scenario {scenario.name}: a historical replay or conditional stress sets "
                                 "every "
                                 "factor and stands alone", got=f"{len(scenario.shocks)} shocks"))
    given: dict[int, np.ndarray] = {}
    for i, shock in enumerate(scenario.shocks):
        if isinstance(shock, FactorShock):
            k = FACTORS.index(shock.factor)
            if k in given:
                raise InputError(Problem(f"scenario {scenario.name}: factor set twice", got=shock.factor))
            given[k] = over_time(numbers[i, "move"], phase(shock.schedule, t))
    if not whole:
        return ImposedMoves(given, {})
    shock = whole[0]
    if isinstance(shock, ConditionalStress):
        progress = phase(shock.schedule, t)
        moves = {FACTORS.index(name): move * progress for name, move in shock.moves}
        if len(moves) != len(shock.moves) or not moves:
            raise InputError(Problem("a conditional stress names each factor once", got=str(shock.moves)))
    else:
        moves = replay_moves(shock, history, t.size)
    followers = conditional_mean(moves, model, horizon)
    one = np.ones(count)
    return ImposedMoves({k: over_time(one, path) for k, path in moves.items()}, followers)


def replay_moves(shock: HistoricalReplay, history: History | None, steps: int) -> dict[int, np.ndarray]:
    """factor index → (T,) moves since the start, the window spread evenly over the steps."""
    if not history:
        raise InputError(Problem("a historical replay needs the history of the factors", got="none"))
    start, end = np.datetime64(shock.start, "D"), np.datetime64(shock.end, "D")
    if not start < end:
        raise InputError(Problem("a replay ends after it starts", got=f"{shock.start} … {shock.end}"))
    moves: dict[int, np.ndarray] = {}
    for name, (dates, levels) in history.items():
        first = int(np.searchsorted(dates, start, side="right")) - 1
        last = int(np.searchsorted(dates, end, side="right")) - 1
        if first < 0 or last <= first:
            continue
        stale = max((start - dates[first]).astype(int), (end - dates[last]).astype(int))
        if stale > MOST_STALE_DAYS:
            continue
        window = levels[first : last + 1] - levels[first]
        place = np.arange(1, steps + 1) / steps * (last - first)
        path = np.interp(place, np.arange(last - first + 1), window)
        path[-1] = window[-1]
        moves[FACTORS.index(name)] = path
    if not moves:
        raise InputError(Problem("no factor has data over this window", field="start, end",
                                 got=f"{shock.start} … {shock.end}"))
    return moves


def conditional_mean(moves: dict[int, np.ndarray], model: FactorModel, horizon: Horizon) -> dict[int,
                                                                                                 np.ndarray]:
    """Σ_xc Σ_cc⁻¹ m(t) for every factor that is not given."""
    covariance = model.horizon_covariance(horizon.steps)
    sd = np.sqrt(np.diag(covariance))
    c = sorted(moves)
    rest = [k for k in range(len(FACTORS)) if k not in moves]
    within = covariance[np.ix_(c, c)] / np.outer(sd[c], sd[c])
    across = covariance[np.ix_(rest, c)] / np.outer(sd[rest], sd[c])
    if 1.0 / np.linalg.cond(within) < 1e-10:
        raise ModelError("the given factors are linearly dependent in the model")
    scores = np.stack([moves[k] / sd[k] for k in c])
    follow = (across @ np.linalg.solve(within, scores)) * sd[rest][:, None]
    return {k: follow[n] for n, k in enumerate(rest)}
