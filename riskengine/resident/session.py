"""A book held under a world, answering one what-if after another; the command line and the desk ask it alike.

    before   the book as filed under the scenario as filed
    after    the book with trades, sizes and removals, under the scenario with its knobs set
    change   after − before on the same random numbers

One held state (``resident.hold``, full revaluation) per horizon serves every scenario of that horizon; what
was asked before is kept.  Sessions of fewer paths see the first paths of the same streams.  Answers depend
neither on what was asked before nor on the number of threads.  Threads may share a session: questions queue.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import replace
from threading import RLock
from typing import Any

from riskengine.base.errors import InputError, Problem
from riskengine.base.sampling import RunSpec
from riskengine.base.units import Horizon
from riskengine.engine.paths import PreparedScenario, World
from riskengine.execution import Executor, Serial
from riskengine.instruments.portfolio import Portfolio, Position, describe
from riskengine.policy.night import Limit
from riskengine.policy.scenario import Scenario
from riskengine.resident.book_limits import LimitBook
from riskengine.resident.answer import (
    Table, View, chain_json, change_json, histogram, outer_values, plain, plausibility_json, slice_json,
    tabulate, view_json, view_state,
)
from riskengine.resident.questions import LoadScenario, Trade, read_question, read_trade
from riskengine.resident.request import WhatIfRequest, read_horizon, removals
from riskengine.resident.cache import add_fixings
from riskengine.resident.kept import kept
from riskengine.resident.feedback import CHANNEL, Selling, view_with_selling, with_selling
from riskengine.resident.parts import Slice
from riskengine.resident.positions import LoweredPosition, fixing_order, lower_position
from riskengine.resident.views import Reweigh, Weights, horizon_moves, reweigh_view
from riskengine.resident.what_if import Remember, Resident, anew, hold

SCHEMA_VERSION = "1.0"
KEPT_HORIZONS = 4
KEPT_STATES = 4
KEPT_SCENARIOS = 16
KEPT_LOWERED = 400
MOST_FIXINGS = 200
"""Fixings kept with a held horizon before those of old candidate trades are dropped."""
DEFAULT_HORIZON = Horizon(10, 1)
"""Of the ordinary night, when neither a scenario nor a horizon is given."""


class Session:
    """A book under a world.

    load_scenario : resolves names and knobs (``workflows.what_if`` gives the one of the configuration).
    executor : Serial() or Threads(n).  data_version : label of the answer.  limits : those of the book.
    reweigh : turns the sentences of views into weights of the paths.  remember : keeps 'draws' and 'limits'.
    """

    def __init__(
        self, world: World, portfolio: Portfolio, spec: RunSpec, *, load_scenario: LoadScenario,
        executor: Executor | None = None, data_version: str = "embedded", limits: Sequence[Limit] = (),
        reweigh: Reweigh | None = None, remember: Remember = anew,
    ):
        self.world, self.portfolio, self.spec = world, portfolio, spec
        self.executor = executor or Serial()
        self.data_version, self.limits = data_version, tuple(limits)
        self._load, self._reweigh, self._remember = load_scenario, reweigh, remember
        self._held: OrderedDict[Hashable, Any] = OrderedDict()
        self._policies: OrderedDict[Hashable, Resident] = OrderedDict()
        self._before: OrderedDict[Hashable, Any] = OrderedDict()
        self._sold: OrderedDict[Hashable, tuple[Resident, Selling]] = OrderedDict()
        self._shown: OrderedDict[Hashable, Any] = OrderedDict()
        self._prepared: OrderedDict[Hashable, Any] = OrderedDict()
        self._chains: OrderedDict[Hashable, Any] = OrderedDict()
        self._baselines: OrderedDict[Hashable, tuple[Slice, dict, dict]] = OrderedDict()
        self._lowered: OrderedDict[Hashable, LoweredPosition] = OrderedDict()
        self._limit_book = LimitBook(self.limits, portfolio, world.snapshot,
                                     lambda p: self._lower(p, None), remember)
        self._lock = RLock()

    # ---- the question -----------------------------------------------------------------------------------
    def answer(self, request: WhatIfRequest) -> dict:
        """Before, after and change as plain JSON (keys: see :meth:`_assemble`).

        Raises
        ------
        InputError : every wrong knob, sentence, position id and size at once.
        """
        begin = time.perf_counter()
        with self._lock:
            first, second, trades = self._read(request)
            horizons = self._horizons(request, first, second)
            for scenario in (first, second):
                if request.detail and scenario is not None:
                    self._prepare(scenario)  # the whole chain first: prices are then read off it
            before_state, before = self._state_before(first, horizons[0], request.detail)
            after_state, book_state = self._state_after(request, second, horizons[1], trades)
            after_state, after = self._view(after_state, second, request.detail, (before_state, before))
            weights = self._weights(request, after_state)
            if weights is not None:
                after = reweigh_view(after, after_state, weights)
            answer = self._assemble(request, first, second, before_state, before, after_state, after, weights)
            answer["trades"] = self._incremental(
                trades, book_state, second, after, before if book_state.rows is before_state.rows else None,
                weights)
            if request.detail and self.limits:
                loss = [-v.total.expected.value if s is not None else None
                        for v, s in ((before, first), (after, second))]
                answer["limits"] = self._limits(request, trades, loss)
        chain = answer.pop("chain", None)  # plain already, and the longest part by far
        answer = plain(answer)
        if chain is not None:
            answer["chain"] = chain
        answer["seconds"] = time.perf_counter() - begin
        return answer

    def understand(self, sentence: str) -> dict:
        """What a sentence of a trade means, without pricing anything but the position; InputError says why
        not."""
        taken = {p.position_id for p in self.portfolio.positions}
        trade = read_trade(sentence, 1, taken, self.world.snapshot, self.portfolio.tag_names)
        return {"trade": trade.text, "understood": trade.understood,
                "asset_class": trade.position.asset_class,
                "description": describe(trade.position)}

    def read_trades(self, request: WhatIfRequest) -> tuple[Position, ...]:
        """The positions that the trades of *request* add; InputError with every sentence not understood."""
        return tuple(t.position for t in self._read(request)[2])

    def state(self, request: WhatIfRequest, more: Sequence[Position] = ()) -> Resident:
        """The held state that *request* asks about, with *more* positions on top (a candidate hedge)."""
        with self._lock:
            _, second, trades = self._read(request)
            _, horizon = self._horizons(request, second, second)
            return self._state_after(request, second, horizon,
                                     [*trades, *(Trade("", p, "") for p in more)])[0]

    def reseeded(self, seed: int) -> Session:
        """The same book, world and scenarios on the paths of another seed."""
        return Session(self.world, self.portfolio, replace(self.spec, seed=seed), load_scenario=self._load,
                       executor=self.executor, data_version=self.data_version, limits=self.limits)

    def positions(self) -> list[dict]:
        """The book as filed: id, type, desk, book, strategy, asset class, description, tags."""
        return [{"position_id": p.position_id, "type": p.type, "desk": p.desk, "book": p.book,
                 "strategy": p.strategy, "asset_class": p.asset_class, "description": describe(p),
                 **dict(p.tags)} for p in self.portfolio.positions]

    # ---- parts of the question --------------------------------------------------------------------------
    def _read(self, request: WhatIfRequest) -> tuple[Scenario | None, Scenario | None, list[Trade]]:
        return read_question(request, self._load, self.portfolio, self.world.snapshot)

    def _horizons(
        self, request: WhatIfRequest, first: Scenario | None, second: Scenario | None
    ) -> tuple[Horizon, Horizon]:
        if first is not None and second is not None:
            return first.horizon, second.horizon
        chosen = DEFAULT_HORIZON if request.horizon is None else read_horizon(request.horizon)
        return chosen, chosen

    # ---- states -----------------------------------------------------------------------------------------
    def _hold(self, horizon: Horizon) -> Resident:
        """The book as filed without policy at one horizon."""
        return kept(self._held, horizon, KEPT_HORIZONS, lambda: hold(
            self.world, self.portfolio, self.spec, horizon, "full", self.executor, remember=self._remember))

    def _hold_with(self, horizon: Horizon, positions: Sequence[Position]) -> Resident:
        """The held state with the fixings of *positions*, drawn once and kept."""
        held = self._hold(horizon)
        wanted = fixing_order([self._lower(p, horizon) for p in positions])
        missing = [f for f in wanted if f not in held.cache.fixings]
        if missing:
            if len(held.cache.fixings) > MOST_FIXINGS:
                del self._held[horizon]
                return self._hold_with(horizon, positions)
            cache = add_fixings(held.cache, missing, self.world.model(horizon), horizon, self.spec,
                                self.executor)
            held = self._held[horizon] = replace(held, cache=cache)
        return held

    def _lower(self, position: Position, horizon: Horizon | None) -> LoweredPosition:
        return kept(self._lowered, (position, horizon), KEPT_LOWERED, lambda: lower_position(
            position, self.world.snapshot, horizon, self.portfolio.tag_names))

    def _prepare(self, scenario: Scenario) -> PreparedScenario:
        return kept(self._prepared, scenario, KEPT_SCENARIOS,
                    lambda: self._hold(scenario.horizon).setting.responses.prepare(scenario))

    def _state_before(
        self, scenario: Scenario | None, horizon: Horizon, detail: bool
    ) -> tuple[Resident, View]:
        def make() -> tuple[Resident, View]:
            state = self._hold(horizon) if scenario is None else self._under(scenario, horizon)
            return self._view(state, scenario, detail)

        return kept(self._before, (scenario, horizon, detail), KEPT_STATES, make)

    def _view(
        self, state: Resident, scenario: Scenario | None, detail: bool,
        known: tuple[Resident, View] | None = None,
    ) -> tuple[Resident, View]:
        """The state in numbers; with holders who sell after losses, the state of the paths they sell on."""
        prepared = self._prepare(scenario) if scenario is not None and detail else None
        view = view_state(state, prepared, known=known)
        if scenario is None or scenario.feedback is None:
            return state, view
        state, _ = self._sell(state, scenario)
        return state, view_with_selling(state, view, prepared)

    def _sell(self, state: Resident, scenario: Scenario) -> tuple[Resident, Selling]:
        return kept(self._sold, (scenario, state.portfolio.positions), KEPT_STATES,
                     lambda: with_selling(state, self._prepare(scenario)))

    def _under(self, scenario: Scenario, horizon: Horizon) -> Resident:
        """The book as filed under a policy."""
        return kept(self._policies, (scenario, horizon), KEPT_STATES,
                     lambda: replace(self._hold(horizon).move_policy(scenario), past=()))

    def _state_after(
        self, request: WhatIfRequest, scenario: Scenario | None, horizon: Horizon, trades: Sequence[Trade]
    ) -> tuple[Resident, Resident]:
        """(everything, everything but the candidate trades) under the policy asked about."""
        held = self._hold_with(horizon, [t.position for t in trades])
        book = held if scenario is None else replace(self._under(scenario, horizon), cache=held.cache)
        removed, scaled = removals(request)
        if removed or scaled:
            book = book.trade(remove=removed, resize=scaled)
        everything = book.trade(add=[self._lower(t.position, horizon) for t in trades]) if trades else book
        return replace(everything, past=()), replace(book, past=())

    # ---- the answer -------------------------------------------------------------------------------------
    @staticmethod
    def _show(view: View, state: Resident) -> tuple[View, Table, dict, tuple[float, float]]:
        """What is shown of a state again and again: its table, its JSON, the ends of its histogram."""
        table = tabulate(view)
        return view, table, view_json(view, table), outer_values(state.rows.total)

    def _baseline(self, before: Resident, after: Resident) -> dict:
        """The book without policy at the same horizon: the reference of expected P&L."""
        def total(state: Resident) -> Slice:
            return view_state(state, rows=state.baseline, groups=False).total

        feedback = None if before.scenario is None else before.scenario.feedback

        def filed() -> tuple[Slice, dict, dict]:
            part = total(before)
            return part, slice_json(part), slice_json(part, part)

        old, shown, same = kept(self._baselines, (before.setting.horizon, feedback), KEPT_HORIZONS, filed)
        if after.baseline is before.baseline:
            return {"before": shown, "after": shown, "change": same}
        new = total(after)
        return {"before": shown, "after": slice_json(new), "change": slice_json(new, old)}

    def _limits(
        self, request: WhatIfRequest, trades: Sequence[Trade], loss: list[float | None]
    ) -> list[dict]:
        """Every limit before and after; 'scenario_loss' is judged on the scenario asked about alone."""
        days = self._limit_book.days
        if not request.changes_book:
            return self._limit_book.compare(self._held_days, loss)
        changed = {d: self._change_book(state, request, trades) for d, state in self._held_days().items()}
        book = next(iter(changed.values())) if days else self._change_book(
            self._hold(DEFAULT_HORIZON), request, trades)
        return self._limit_book.compare(self._held_days, loss, changed, book.portfolio)

    def _held_days(self) -> dict[int, Resident]:
        return {days: self._hold(Horizon(days, 1)) for days in self._limit_book.days}

    @staticmethod
    def _change_book(state: Resident, request: WhatIfRequest, trades: Sequence[Trade]) -> Resident:
        removed, scaled = removals(request)
        return state.trade(add=[t.position for t in trades], remove=removed, resize=scaled)

    def _weights(self, request: WhatIfRequest, state: Resident) -> Weights | None:
        if not request.views:
            return None
        if self._reweigh is None:
            raise InputError(Problem("views cannot be read here", field="views", got=request.views[0][:60]))
        return self._reweigh(request.views, horizon_moves(state), state.rows.total, state.setting.horizon)

    def _incremental(
        self, trades: Sequence[Trade], book: Resident, scenario: Scenario | None, after: View,
        known: View | None, weights: Weights | None,
    ) -> list[dict]:
        """What each trade adds to the book after the other changes: alone, and all of them together.

        known : the view of *book*, where it is that of the book as filed.
        """
        def total(state: Resident) -> Slice:
            if scenario is not None and scenario.feedback is not None:
                state, _ = self._sell(state, scenario)
            view = view_state(state, groups=False)
            return (view if weights is None else reweigh_view(view, state, weights)).total

        if not trades:
            return []
        without = known.total if known is not None and weights is None else total(book)
        rows = []
        for trade in trades:
            alone = after.total if len(trades) == 1 else total(book.trade(add=[trade.position]))
            rows.append({"trade": trade.text, "understood": trade.understood,
                         "position_id": trade.position.position_id, "asset_class": trade.position.asset_class,
                         "incremental": slice_json(alone, without)})
        if len(trades) > 1:
            rows.append({"trade": "all together", "understood": "", "position_id": "", "asset_class": "",
                         "incremental": slice_json(after.total, without)})
        return rows

    def _assemble(
        self, request: WhatIfRequest, first: Scenario | None, second: Scenario | None, before_state: Resident,
        before: View, after_state: Resident, after: View, weights: Weights | None,
    ) -> dict:
        _, old, shown, ends = kept(self._shown, id(before), KEPT_STATES,
                                   lambda: self._show(before, before_state))
        table = tabulate(after)
        answer: dict = {
            "schema_version": SCHEMA_VERSION, "as_of": self.world.as_of,
            "accounts_as_of": self.world.accounts.accounts_as_of, "data_version": self.data_version,
            "paths": self.spec.paths, "draws": self.spec.draws, "seed": self.spec.seed,
            "noise": self.spec.noise,
            "levels": list(self.spec.levels), "portfolio": self.portfolio.source,
            "scenario": None if second is None else {
                "name": second.name, "title": second.title, "narrative": second.narrative,
                "source": second.source, "probability": second.probability, "sets": list(request.sets)},
            "horizon_days": {"before": before_state.setting.horizon.days,
                             "after": after_state.setting.horizon.days},
            "positions": {"before": len(before_state.lowered), "after": len(after_state.lowered)},
            "before": dict(shown), "after": view_json(after, table),
            "change": change_json(before, after, (old, table)),
            "baseline": self._baseline(before_state, after_state),
            "pnl_histogram": histogram(before_state.rows.total, after_state.rows.total,
                                       None if weights is None else weights.weight, ends),
            "views": None if weights is None else {
                "sentences": list(request.views), "understood": list(weights.understood),
                "effective_scenarios": weights.effective},
        }
        if request.detail and first is not None and second is not None:
            found = {"before": self._prepare(first), "after": self._prepare(second)}
            answer["plausibility"] = {k: plausibility_json(p, self.world) for k, p in found.items()}
            answer["chain"] = {k: kept(self._chains, p.scenario, KEPT_SCENARIOS,
                                       lambda p=p: plain(chain_json(p)))
                               for k, p in found.items()}
            answer["flags"] = {k: list(p.policy.flags) for k, p in found.items()}
            if second.feedback is not None:
                sold = {k: self._sell(state, p.scenario)[1]
                        for (k, p), state in zip(found.items(), (before_state, after_state), strict=True)}
                answer["feedback"] = {k: x.to_json() for k, x in sold.items()}
                for k, view in (("before", before), ("after", after)):
                    answer["flags"][k].append(sold[k].flag(view.channels[CHANNEL].value))
        return answer
