"""The held state of a what-if: change one thing, recompute only what it touches.

    add, remove, resize     the touched leaf group and the total
    move_policy             chain for all parameter draws, means shifted draw by draw, all groups
    change_volatility       noise scaled (delta-gamma) or simulated again (full)
    change_everything       everything again

Every operation returns a new :class:`Resident`; the old one stays as it was, so a state can be kept, compared
and undone.  In full mode rows of P&L equal those of ``engine.simulate`` on the changed inputs bit for bit; in
delta-gamma mode they equal a fresh delta-gamma state on the changed inputs bit for bit
(``change_volatility``: to rounding of float32).  Results do not depend on the number of threads.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from riskengine.base.axes import FACTORS
from riskengine.base.errors import InputError, Problem, suggest
from riskengine.base.sampling import RunSpec
from riskengine.base.units import Horizon
from riskengine.engine.paths import World
from riskengine.execution import Executor, Serial
from riskengine.instruments.portfolio import Portfolio, Position
from riskengine.measures.tail_risk import measure_tail
from riskengine.policy.scenario import Scenario
from riskengine.resident.cache import DrawCache, Response, add_fixings, draw_cache
from riskengine.resident.measures import Change, Measures, compare
from riskengine.resident.positions import (
    Fixing, LoweredPosition, fixing_order, lower_portfolio, lower_position, resize_position,
)
from riskengine.resident.responses import Responses
from riskengine.resident.rows import PnlRows, Valuer, changed_labels, leaf_labels
from riskengine.result import Tail

MODES = ("full", "delta_gamma")
MANY_STEPS = 24
"""Draws of fewer steps are simulated sooner than read from a disk."""
Remember = Callable[[str, Hashable, Callable[[], Any]], Any]
"""(what, key, make) → what *make* makes, perhaps as it was made before of the same world and specification."""
UNDO_DEPTH = 8
"""Earlier states an object keeps for undo; they share all arrays that did not change."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What operations on trades and policy leave alone."""

    world: World
    spec: RunSpec
    horizon: Horizon
    mode: str
    executor: Executor
    responses: Responses


@dataclass(frozen=True, slots=True)
class Resident:
    """A what-if held in memory; made by :func:`hold`.

    setting : world, specification, horizon, mode.  portfolio : positions as they are now.
    scenario : the policy in force, or None.  baseline : P&L rows without policy.  policy : with it, or None.
    past : earlier states, oldest first.  seconds : wall time of the operation that led here.
    """

    setting: Setting
    portfolio: Portfolio
    lowered: tuple[LoweredPosition, ...]
    valuer: Valuer
    cache: DrawCache
    scenario: Scenario | None
    response: Response | None
    baseline: PnlRows
    policy: PnlRows | None
    past: tuple[Resident, ...] = ()
    seconds: float = 0.0

    # ---- answers ----------------------------------------------------------------------------------------
    @property
    def rows(self) -> PnlRows:
        """P&L rows in force: of the policy, else of the baseline."""
        return self.baseline if self.policy is None else self.policy

    @property
    def measures(self) -> Measures:
        """VaR, ES and expected P&L of the state in force."""
        return self.rows.measures

    @property
    def change(self) -> Change | None:
        """Against the state before the last operation; None for a state just made."""
        return compare(self.past[-1].measures, self.measures) if self.past else None

    def tail(self) -> Tail:
        """The total's tail with its clustered standard errors (``measures.tail_risk``)."""
        spec = self.setting.spec
        return measure_tail(self.rows.total, self.cache.draw, spec.draws, spec.levels)

    def risk_by(self, dimension: str) -> dict[str, Tail]:
        """Tails by desk, book, strategy, asset_class or a tag: sums of leaf groups in float64."""
        return self.rows.risk_by(dimension, self.portfolio.tag_names, self.cache.draw, self.setting.spec)

    def components(self, level: float) -> dict[tuple[str, ...], float]:
        """Euler contributions of the leaf groups to the total's expected shortfall, USD."""
        return self.rows.components(level)

    def memory(self) -> dict[str, int]:
        """Bytes held by this state and its past, each array once."""
        states = (*self.past, self)
        draws = {id(a): a.nbytes for s in states for a in
                 (s.cache.noise, s.cache.draw, s.cache.scale, *s.cache.fixings.values())}
        held = {id(a): a.nbytes for s in states for rows in (s.baseline, s.policy) if rows is not None
                for a in (*rows.rows, rows.total)}
        parts = {"draws": sum(draws.values()), "pnl": sum(held.values()),
                 "responses": self.setting.responses.memory()}
        return parts | {"total": sum(parts.values())}

    # ---- trades -----------------------------------------------------------------------------------------
    def add(self, *positions: Position) -> Resident:
        """With more positions, at the end of the portfolio."""
        return self._trade(lambda: (*self.lowered, *(self._lower(p) for p in positions)))

    def remove(self, *position_ids: str) -> Resident:
        """Without these positions; the last position cannot go."""
        gone = {self._place(i) for i in position_ids}
        return self._trade(lambda: tuple(x for n, x in enumerate(self.lowered) if n not in gone))

    def resize(self, position_id: str, factor: float) -> Resident:
        """With one position *factor* times as large; negative: the other side."""
        at = self._place(position_id)
        return self._trade(lambda: (
            *self.lowered[:at],
            self._lower(resize_position(self.lowered[at].position, factor)),
            *self.lowered[at + 1 :],
        ))

    def trade(
        self, add: Sequence[Position | LoweredPosition] = (), remove: Sequence[str] = (),
        resize: Mapping[str, float] | None = None,
    ) -> Resident:
        """Several trades as one operation: sizes first, then removals, new positions at the end.

        add : positions, or those already lowered at the horizon of this state.

        Every unknown position and every impossible size is reported at once.
        """
        factors, problems = dict(resize or {}), []
        for name in {**factors, **dict.fromkeys(remove)}:
            try:
                self._place(name)
            except InputError as error:
                problems += error.problems
        changed: dict[str, LoweredPosition] = {}
        new: list[LoweredPosition] = []
        if not problems:
            for name, factor in factors.items():
                problems += _tried(lambda n=name, f=factor: changed.__setitem__(n, self._lower(
                    resize_position(self.lowered[self._place(n)].position, f))))
        for position in add:
            problems += _tried(lambda p=position: new.append(self._lower(p)))
        if problems:
            raise InputError(problems)
        gone = set(remove)
        kept = tuple(changed.get(x.position.position_id, x) for x in self.lowered
                     if x.position.position_id not in gone)
        return self._trade(lambda: (*kept, *new))

    # ---- policy, volatility, everything -----------------------------------------------------------------
    def move_policy(self, scenario: Scenario | None) -> Resident:
        """Under another scenario (of the held horizon), or under none."""
        begin = time.perf_counter()
        if scenario is None:
            return self._next(begin, scenario=None, response=None, policy=None)
        response = self.setting.responses.respond(scenario, fixing_order(self.lowered))
        policy = self.valuer.value_all(self.lowered, self.cache, response, self.baseline.measures)
        return self._next(begin, scenario=scenario, response=response, policy=policy)

    def change_volatility(self, scale: float | Mapping[str, float]) -> Resident:
        """With volatilities times *scale*: one number, or numbers by factor or block (FX, UST, EQ, VOL, CAP,
        HOME).

        The model is scaled, so a policy in force is run again: betas and conditional noise depend on it.
        """
        begin = time.perf_counter()
        factor = scale_by_factor(scale)
        old = self.setting
        world = scale_world(old.world, old.horizon, factor)
        setting = replace(old, world=world, responses=Responses(world, old.spec, old.horizon, old.executor))
        if old.mode == "full":
            cache = draw_cache(
                world.model(old.horizon), old.horizon, old.spec, tuple(self.cache.fixings), True,
                old.executor, self.cache.draw,
            )
        else:
            cache = replace(self.cache, scale=(self.cache.scale * factor).astype(np.float32))
        return self._revalue(begin, setting, cache)

    def change_everything(
        self, world: World | None = None, portfolio: Portfolio | None = None, spec: RunSpec | None = None,
        scenario: Scenario | None = None,
    ) -> Resident:
        """Simulated again, with another world, portfolio, specification or policy where given; else the
        same."""
        begin = time.perf_counter()
        old = self.setting
        setting = old
        if world is not None or spec is not None:
            setting = replace(old, world=world or old.world, spec=spec or old.spec)
            setting = replace(setting, responses=Responses(
                setting.world, setting.spec, setting.horizon, setting.executor))
        lowered = self.lowered
        if portfolio is not None or setting.world.snapshot is not old.world.snapshot:
            lowered = lower_portfolio(portfolio or self.portfolio, setting.world.snapshot, setting.horizon)
        same = (spec is None or (spec.seed, spec.draws, spec.paths)
                == (old.spec.seed, old.spec.draws, old.spec.paths))
        cache = draw_cache(
            setting.world.model(setting.horizon), setting.horizon, setting.spec, fixing_order(lowered),
            setting.mode == "full", setting.executor, self.cache.draw if same else None,
        )
        state = replace(self, portfolio=portfolio or self.portfolio, lowered=lowered,
                        scenario=scenario or self.scenario)
        made = state._revalue(begin, setting, cache)
        return replace(made, past=(*self.past, replace(self, past=()))[-UNDO_DEPTH:])

    def undo(self) -> Resident:
        """The state before the last operation; InputError when nothing is left to undo."""
        if not self.past:
            raise InputError(Problem("nothing to undo", accepted=f"at most {UNDO_DEPTH} operations"))
        return replace(self.past[-1], past=self.past[:-1])

    # ---- parts ------------------------------------------------------------------------------------------
    def _trade(self, change: Callable[[], tuple[LoweredPosition, ...]]) -> Resident:
        begin = time.perf_counter()
        lowered = change()
        portfolio = replace(self.portfolio, positions=tuple(x.position for x in lowered))
        if not lowered:
            raise InputError(Problem("a portfolio needs at least one position"))
        setting, cache, response = self.setting, self.cache, self.response
        order = fixing_order(lowered)
        missing = [f for f in order if f not in cache.fixings]
        if missing:
            model = setting.world.model(setting.horizon)
            cache = add_fixings(cache, missing, model, setting.horizon, setting.spec, setting.executor)
        if response is not None and any(f not in response.at_fixings for f in order):
            response = setting.responses.respond(self.scenario, order)
        touched = changed_labels(self.lowered, lowered, setting.mode == "full")
        baseline = self.valuer.value_some(self.baseline, touched, lowered, cache, None, None)
        policy = None
        if self.policy is not None:
            policy = self.valuer.value_some(self.policy, touched, lowered, cache, response, baseline.measures)
        return self._next(begin, portfolio=portfolio, lowered=lowered, cache=cache, response=response,
                          baseline=baseline, policy=policy)

    def _revalue(self, begin: float, setting: Setting, cache: DrawCache) -> Resident:
        valuer = replace(self.valuer, spec=setting.spec)
        baseline = valuer.value_all(self.lowered, cache, None, None)
        response = policy = None
        if self.scenario is not None:
            response = setting.responses.respond(self.scenario, fixing_order(self.lowered))
            policy = valuer.value_all(self.lowered, cache, response, baseline.measures)
        return self._next(begin, setting=setting, valuer=valuer, cache=cache, response=response,
                          baseline=baseline, policy=policy)

    def _next(self, begin: float, **changes: object) -> Resident:
        past = (*self.past, replace(self, past=()))[-UNDO_DEPTH:]
        return replace(self, past=past, **changes, seconds=time.perf_counter() - begin)

    def _lower(self, position: Position | LoweredPosition) -> LoweredPosition:
        if isinstance(position, LoweredPosition):
            return position
        setting = self.setting
        return lower_position(position, setting.world.snapshot, setting.horizon, self.portfolio.tag_names)

    def _place(self, position_id: str) -> int:
        for n, item in enumerate(self.lowered):
            if item.position.position_id == position_id:
                return n
        raise InputError(Problem("no such position", field="position_id", got=position_id, accepted=suggest(
            position_id, tuple(x.position.position_id for x in self.lowered))))


def anew(_what: str, _key: Hashable, make: Callable[[], Any]) -> Any:
    """A memory that remembers nothing."""
    return make()


def hold(
    world: World, portfolio: Portfolio, spec: RunSpec, horizon: Horizon, mode: str = "full",
    executor: Executor | None = None, scenario: Scenario | None = None,
    remember: Remember = anew,
) -> Resident:
    """Simulate once and hold the result.

    mode : 'full' revalues instruments, 'delta_gamma' their quadratic expansion.  executor : Serial() or
    Threads(n).  remember : where draws of many steps may be kept.

    Raises
    ------
    InputError : unknown mode, positions that cannot be priced, a scenario of another horizon.
    """
    if mode not in MODES:
        raise InputError(Problem("mode of a held state", got=mode, accepted=", ".join(MODES)))
    begin = time.perf_counter()
    run = executor or Serial()
    lowered = lower_portfolio(portfolio, world.snapshot, horizon)
    if not lowered:
        raise InputError(Problem("a portfolio needs at least one position"))
    fixings = tuple(fixing_order(lowered))

    def simulate() -> DrawCache:
        return draw_cache(world.model(horizon), horizon, spec, fixings, mode == "full", run)

    cache = simulate() if horizon.steps < MANY_STEPS else remember("draws", (horizon, mode, fixings), simulate)
    valuer = Valuer(mode, spec, run)
    baseline = valuer.value_all(lowered, cache, None, None)
    setting = Setting(world, spec, horizon, mode, run, Responses(world, spec, horizon, run))
    response = policy = None
    if scenario is not None:
        response = setting.responses.respond(scenario, fixing_order(lowered))
        policy = valuer.value_all(lowered, cache, response, baseline.measures)
    return Resident(setting, portfolio, lowered, valuer, cache, scenario, response, baseline, policy,
                    seconds=time.perf_counter() - begin)


def _tried(action: Callable[[], None]) -> tuple[Problem, ...]:
    """Problems of an action that may be refused."""
    try:
        action()
    except InputError as error:
        return error.problems
    return ()


def scale_by_factor(scale: float | Mapping[str, float]) -> np.ndarray:
    """(K,) float64 from one number or from numbers by factor label or block; a factor's own entry wins."""
    given: Mapping[str, float] = scale if isinstance(scale, Mapping) else {}
    factor = np.full(len(FACTORS), 1.0 if isinstance(scale, Mapping) else float(scale))
    blocks = [label.split("_")[0] for label in FACTORS.labels]
    problems = []
    for name, value in sorted(given.items(), key=lambda item: item[0] in FACTORS):
        if name in FACTORS:
            factor[FACTORS.index(name)] = value
        elif name in blocks:
            factor[[b == name for b in blocks]] = value
        else:
            problems.append(Problem("unknown factor or block", got=name,
                                    accepted=suggest(name, (*dict.fromkeys(blocks), *FACTORS.labels))))
    problems += [Problem("a volatility scale is a positive number", got=str(x)) for x in np.unique(factor)
                 if not (math.isfinite(x) and x > 0)]
    if problems:
        raise InputError(problems)
    return factor


def scale_world(world: World, horizon: Horizon, factor: np.ndarray) -> World:
    """*world* with the volatilities of the horizon's model times *factor* (K,)."""
    name = "daily" if horizon.step_days == 1 else "weekly"
    model = world.model(horizon)
    scaled = replace(model, vol_now=model.vol_now * factor, vol_long_run=model.vol_long_run * factor)
    return replace(world, **{name: scaled})
