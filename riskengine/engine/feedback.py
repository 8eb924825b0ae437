"""A scenario whose holders sell after losses: the same paths, with selling and without (METHOD 9).

    x_p = S_p[feedback, ramp μ_d]          scenario          base run: S_p[feedback, no ramp]
    expected P&L = E[V(x scenario) − V(x base)];   what feedback adds = that less the plain scenario's

Paths come from ``simulation.path_dependent`` on the streams of every other run, volatility as in the plain run
(α = 0), so that feedback is the only difference; the book is revalued in full on the moves they end with.
A fixing before the horizon is the path at that step: a walk that stops there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from riskengine.base.axes import FACTORS
from riskengine.base.errors import InputError, ModelError, Problem
from riskengine.base.sampling import Chunk, RunSpec
from riskengine.base.units import Horizon
from riskengine.engine.paths import CHUNK_PATHS, PathPnl, PreparedScenario, World
from riskengine.engine.results import scenario_results
from riskengine.execution import Executor, Serial
from riskengine.instruments.book import Book
from riskengine.instruments.portfolio import Portfolio, compile_book
from riskengine.kernels.group_sums import round_groups, sum_gains
from riskengine.kernels.tails import QUANTUM
from riskengine.result import FeedbackSummary, LedgerTable, ScenarioResult
from riskengine.simulation import Feedback, PathExposures, draw_of_path, path_model, prepare_paths
from riskengine.simulation.holder_groups import feedback_from_accounts
from riskengine.simulation.path_dependent import PreparedPaths

CHANNEL = "holders_feedback"
"""Name of its part of the expected P&L."""


@dataclass(frozen=True, slots=True)
class FeedbackPnl:
    """P&L of the base run (row 0) and of the scenario (row 1), both with feedback.

    orders : (2, P) USD bn at the horizon, sales negative.  by_cell : (2, C) their means by cell.
    moves : (K,) mean move of the scenario less the base run.
    """

    feedback: Feedback
    pnl: PathPnl
    orders: np.ndarray
    by_cell: np.ndarray
    moves: np.ndarray


def feedback_of(item: PreparedScenario, world: World) -> Feedback:
    """Cells and thresholds of the scenario's holders; InputError when it carries no feedback."""
    settings = item.scenario.feedback
    if settings is None:
        raise InputError(Problem(f"scenario {item.scenario.name} has no [feedback]"))
    horizon = item.scenario.horizon
    return feedback_from_accounts(world.accounts, world.parameters, world.model(horizon), horizon, settings.case,
                                  dict(settings.overrides))


def simulate_feedback(
    item: PreparedScenario, portfolio: Portfolio, world: World, spec: RunSpec, executor: Executor | None = None,
    feedback: Feedback | None = None, keep_groups: bool = False,
) -> FeedbackPnl:
    """Base run and scenario with feedback on the paths of ``paths.simulate``; no bit depends on the executor.

    feedback : in place of the scenario's own settings.  keep_groups : ``pnl.groups`` holds P&L by leaf group of
    both rows, else it is empty.

    Raises
    ------
    InputError : a scenario that pins factors (its noise is conditional on their end, selling would move them).
    ModelError : a loop gain of 0.5 or more, moves that leave the range of numbers.
    """
    if item.shocks.noise_map is not None:
        names = ", ".join(FACTORS.labels[k] for k in np.flatnonzero(item.shocks.pinned))
        raise InputError(Problem("holders' feedback cannot move factors that the scenario pins",
                                 field="feedback", got=names, accepted="[feedback] without pinned factors"))
    feedback = feedback_of(item, world) if feedback is None else feedback
    horizon = item.scenario.horizon
    model = world.model(horizon)
    book = compile_book(portfolio, world.snapshot, FACTORS, horizon)
    walker = path_model(model, np.zeros(len(FACTORS)))
    nothing = PathExposures(np.zeros((1, len(FACTORS))), np.zeros((1, len(FACTORS))))
    stops = sorted({step for _, step in book.fixings} | {horizon.steps - 1})

    def walks(ramp: np.ndarray | None) -> tuple[tuple[int, PreparedPaths], ...]:
        return tuple(
            (step, prepare_paths(walker, Horizon(step + 1, horizon.step_days), spec,
                                 None if ramp is None else ramp[:, : step + 1], feedback, nothing, True))
            for step in stops
        )

    task = _FeedbackTask(book, (walks(None), walks(item.shocks.path)), keep_groups)
    chunks = [Chunk(lo, min(lo + CHUNK_PATHS, spec.paths)) for lo in range(0, spec.paths, CHUNK_PATHS)]
    parts = (executor or Serial()).map(task, chunks)
    total, orders = (np.concatenate([p[i] for p in parts], axis=1) for i in (0, 1))
    gains, cells, moves = (_sum_quanta([p[i] for p in parts]) / spec.paths for i in (2, 3, 4))
    leaves = len(book.group_labels)
    groups = np.concatenate([p[5] for p in parts], axis=2)
    pnl = PathPnl(book, horizon, total, groups,
                  np.stack([np.zeros(leaves), gains]), draw_of_path(spec, 0, spec.paths))
    return FeedbackPnl(feedback, pnl, orders, cells, moves)


def with_feedback(
    plain: ScenarioResult, item: PreparedScenario, found: FeedbackPnl, world: World, spec: RunSpec
) -> ScenarioResult:
    """*plain*, the scenario on the same paths without selling, replaced by what it is with selling.

    Expected P&L, tail, groupings and moves include it; its part is the channel ``holders_feedback`` and a memo in
    the ledger.  Positions, chain and plausibility stay those of the policy itself.
    """
    made, = scenario_results([item], found.pnl, world, spec)
    added = made.expected_pnl_usd - plain.expected_pnl_usd
    base, shocked = (_band(row) for row in found.orders)
    cells = sorted(
        ((group, name, float(found.by_cell[1, c]), float(found.by_cell[0, c]))
         for c, (group, name) in enumerate(found.feedback.cells)), key=lambda row: row[2])
    summary = FeedbackSummary(
        case=item.scenario.feedback.case if item.scenario.feedback else "given",
        orders_usd_bn=shocked, base_orders_usd_bn=base, expected_pnl_usd=added,
        expected_pnl_without_usd=plain.expected_pnl_usd, var_without=plain.tail.var, es_without=plain.tail.es,
        by_cell=tuple(cells), loop_gain=found.feedback.loop_gain, standing_gain=found.feedback.standing_gain,
        sources=found.feedback.sources,
    )
    ledger = made.ledger
    if ledger is not None:
        ledger = LedgerTable((*ledger.rows, ("holders' orders after losses, over paths", "memo", *shocked),
                              ("of which also without the policy (base run)", "memo", *base)),
                             ledger.max_imbalance_usd_bn)
    flag = (f"holders sell after losses on the path (assumptions of [feedback], {summary.case} case): median orders "
            f"{shocked[0]:,.0f} USD bn ({base[0]:,.0f} in the base run), expected P&L {added / 1e6:+,.1f} USD mn, "
            f"loop gain {summary.loop_gain:.2f}")
    return replace(
        made, channels={**plain.channels, CHANNEL: added}, ledger=ledger, feedback=summary,
        moves={label: float(m) for label, m in zip(FACTORS.labels, found.moves, strict=True)},
        flags=(*made.flags, flag), flow_channel_off_10y_bp=plain.flow_channel_off_10y_bp,
    )


@dataclass(frozen=True, slots=True)
class _FeedbackTask:
    """One chunk: paths of the base run and the scenario, each valued in full."""

    book: Book
    rows: tuple[tuple[tuple[int, PreparedPaths], ...], ...]
    """(base, scenario): walks by the step at which they stop, the horizon's last."""
    keep_groups: bool = False

    def __call__(self, chunk: Chunk) -> tuple[np.ndarray, ...]:
        """total (2, n), orders (2, n), by quantum gains (Q, G), orders by cell (Q, 2, C), moves (Q, K), and
        groups (2 or 0, G, n)."""
        if chunk.lo % QUANTUM:
            raise ModelError(f"a chunk must start on a multiple of {QUANTUM} paths, not at {chunk.lo}")
        count, leaves = chunk.hi - chunk.lo, len(self.book.group_labels)
        total = np.empty((2, count))
        groups = np.empty((2, leaves, count), dtype=np.float32)
        gains = np.empty((-(-count // QUANTUM), leaves))
        flows, ends = [], []
        for row, walks in enumerate(self.rows):
            at = np.empty((len(self.book.fixings), count))
            for step, walk in walks:
                found = walk(chunk)
                for f, (k, fixed) in enumerate(self.book.fixings):
                    if fixed == step:
                        at[f] = found.moves[k]
            flows.append(found.flows)  # the last walk goes to the horizon
            ends.append(found.moves)
            round_groups(self.book.pnl(found.moves, at), groups[row], total[row])
        sum_gains(groups[1], groups[0], gains)
        orders = np.stack([_add_in_order(x) for x in flows])
        cells = np.stack([_by_quantum(x) for x in flows], axis=1)
        kept = groups if self.keep_groups else groups[:0]
        return total, orders, gains, cells, _by_quantum(ends[1] - ends[0]), kept


def _add_in_order(rows: np.ndarray) -> np.ndarray:
    out = np.zeros(rows.shape[1])
    for row in rows:
        out += row
    return out


def _by_quantum(rows: np.ndarray) -> np.ndarray:
    """(Q, R) sums over each quantum of paths."""
    return np.stack([rows[:, q : q + QUANTUM].sum(axis=1) for q in range(0, rows.shape[1], QUANTUM)])


def _sum_quanta(parts: Sequence[np.ndarray]) -> np.ndarray:
    out = np.zeros(parts[0].shape[1:])
    for quantum in np.concatenate(parts):
        out += quantum
    return out


def _band(values: np.ndarray) -> tuple[float, float, float]:
    """Median, 16th and 84th percentile over paths."""
    low, middle, high = np.percentile(values, (16, 50, 84)) + 0.0
    return float(middle), float(low), float(high)
