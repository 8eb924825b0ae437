"""How long a held state needs for each operation, against the same work written plainly in NumPy.

Both sides start from the same cached noise and coefficients and end with VaR and ES at every level of the
total and the mean of every leaf group touched; runs alternate (ours, NumPy, ours, …), medians and minima are
reported.  Before each run the machine rests for REST_SECONDS: the threads of NumPy's BLAS look for more work for
some 30 ms after a product, on the core the next run needs.  The policy knob's NumPy side gets the response for
nothing: the chain is ours on both sides and its time is reported apart.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from riskengine.base.axes import FACTORS
from riskengine.base.errors import InputError, Problem
from riskengine.policy.scenario import Scenario
from riskengine.resident.rows import PnlRows
from riskengine.resident.what_if import Resident

REST_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds: median and best of the alternated runs of ours and of NumPy (NaN when there is no peer)."""

    operation: str
    median: float
    best: float
    numpy_median: float
    numpy_best: float

    @property
    def ratio(self) -> float:
        """NumPy's median over ours."""
        return self.numpy_median / self.median


def measure_latencies(
    state: Resident, scenario: Scenario | None = None, runs: int = 7
) -> tuple[Latency, ...]:
    """Latencies of add, resize, remove, change of volatility, re-simulation and, with *scenario*, of its
    policy.

    state : in delta-gamma mode, without a policy.  scenario : of the state's horizon; its last digits are
    moved in every run so that no response is found in the cache.  runs : alternated runs, the first warm-up
    not counted.
    """
    if state.setting.mode != "delta_gamma" or state.policy is not None:
        raise InputError(Problem("latencies are measured on a delta-gamma state without policy"))
    state = replace(state, past=())
    _ask(state)
    first = state.portfolio.positions[0]
    added = replace(first, position_id=f"{first.position_id} (again)")
    peer, with_add = _Peer(state), state.add(added)
    cases: list[tuple[str, Callable[[], object], Callable[[], object] | None]] = [
        ("add a trade", lambda: _ask(state.add(added)), lambda: peer.trade(with_add)),
        ("resize a trade", lambda: _ask(state.resize(first.position_id, 2.0)), None),
        ("remove a trade", lambda: _ask(state.remove(first.position_id)), None),
        ("change a block's volatility", lambda: _ask(state.change_volatility({"FX": 1.2})),
         lambda: peer.everything(1.2)),
        ("simulate again", lambda: _ask(state.change_everything()), lambda: peer.simulate()),
    ]
    if scenario is not None:
        knob = iter(range(1, 10_000))
        responses = state.setting.responses
        fixings = tuple(state.cache.fixings)
        shifted = responses.compute(scenario, fixings)

        def move() -> object:
            chance = scenario.probability * (1.0 - 1e-9 * next(knob))
            return _ask(state.move_policy(replace(scenario, probability=chance)))

        cases += [("move a policy knob", move, lambda: peer.shift(shifted.end)),
                  ("  of which the chain", lambda: responses.compute(scenario, fixings), None)]
    return tuple(_pair(name, ours, other, runs) for name, ours, other in cases)


def _ask(state: Resident) -> tuple[float, ...]:
    """The numbers an operation is there for: a state measures them when they are asked for."""
    measures = state.measures
    return (*measures.total.var, *measures.total.es, *measures.groups.means.values())


def _pair(name: str, ours: Callable[[], object], other: Callable[[], object] | None, runs: int) -> Latency:
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(runs + 1):
        for call, kept in ((ours, times[0]), (other, times[1])):
            if call is not None:
                time.sleep(REST_SECONDS)
                begin = time.perf_counter()
                call()
                kept.append(time.perf_counter() - begin)
    mine, theirs = times[0][1:], times[1][1:] or [float("nan")]
    return Latency(name, float(np.median(mine)), min(mine), float(np.median(theirs)), min(theirs))


class _Peer:
    """The same delta-gamma work in NumPy: dense float32 products, np.partition for the tails."""

    def __init__(self, state: Resident):
        self.state = state
        lowered, valuer = state.lowered, state.valuer
        self.groups = np.stack(state.baseline.rows)
        count = len(state.baseline.labels)
        place = {label: g for g, label in enumerate(state.baseline.labels)}
        self.constant = np.zeros(count, dtype=np.float32)
        self.delta = np.zeros((count, len(FACTORS)), dtype=np.float32)
        self.gamma = np.zeros((count, len(FACTORS), len(FACTORS)), dtype=np.float32)
        for item in lowered:
            g, x = place[item.label], valuer.expand(item)
            self.constant[g] += x.constant
            self.delta[g, x.factors] += x.delta
            self.gamma[np.ix_([g], x.factors, x.factors)] += x.gamma

    def trade(self, changed: Resident) -> list[np.ndarray]:
        """Revalue the touched group on all its factors, add up, measure both."""
        before = {id(row) for row in self.state.baseline.rows}
        rows: PnlRows = changed.baseline
        touched = [g for g, row in enumerate(rows.rows) if id(row) not in before]
        noise = self.state.cache.noise
        groups = self.groups.copy()
        for g in touched:
            linear = self.delta[g] @ noise
            groups[g] = self.constant[g] + linear + 0.5 * np.einsum("kp,kp->p", noise, self.gamma[g] @ noise)
        return self._measure([*groups[touched], groups.sum(axis=0, dtype=np.float64)])

    def everything(self, scale: float) -> list[np.ndarray]:
        """All groups on scaled noise."""
        factor = np.ones(len(FACTORS), dtype=np.float32)
        factor[[label.startswith("FX_") for label in FACTORS.labels]] = scale
        return self._revalue(self.state.cache.noise * factor[:, None])

    def shift(self, end: np.ndarray) -> list[np.ndarray]:
        """All groups on noise shifted by the response *end* (K, D)."""
        return self._revalue(self.state.cache.noise + end.astype(np.float32)[:, self.state.cache.draw])

    def simulate(self) -> list[np.ndarray]:
        """Normals from NumPy's fastest generator, Cholesky factor, Student-t scale; one product per step."""
        setting = self.state.setting
        model, paths = setting.world.model(setting.horizon), self.state.cache.paths
        generator = np.random.Generator(np.random.SFC64(setting.spec.seed))
        moves = np.zeros((len(FACTORS), paths), dtype=np.float32)
        cholesky = model.cholesky.astype(np.float32)
        for volatility in model.step_volatilities(setting.horizon.steps).astype(np.float32):
            z = generator.standard_normal((len(FACTORS), paths), dtype=np.float32)
            mixing = np.sqrt((model.dof - 2.0) / generator.chisquare(model.dof, paths)).astype(np.float32)
            moves += volatility[:, None] * (cholesky @ z) * mixing
        return self._revalue(moves)

    def _revalue(self, moves: np.ndarray) -> list[np.ndarray]:
        linear = self.delta @ moves + self.constant[:, None]
        for g in range(len(linear)):
            used = np.flatnonzero(self.gamma[g].any(axis=0))
            part = moves[used]
            linear[g] += 0.5 * np.einsum("kp,kp->p", part, self.gamma[g][np.ix_(used, used)] @ part)
        return self._measure([*linear, linear.sum(axis=0, dtype=np.float64)])

    def _measure(self, rows: list[np.ndarray]) -> list[np.ndarray]:
        """Means of the leaves and, of the total (last), VaR and ES by level."""
        *leaves, total = rows
        ks = [int(np.ceil(total.size * (1.0 - level) - 1e-9)) for level in self.state.setting.spec.levels]
        tail = np.sort(np.partition(total, max(ks))[: max(ks)])
        return [np.array([row.mean(dtype=np.float64) for row in leaves]),
                np.array([(-tail[k - 1], -tail[:k].mean()) for k in ks])]
