"""From held states to the numbers of an answer: before, after, change, each with its interval.

Values are the engine's: the same rows, the same functions, so that an answer equals ``engine.run`` on the
changed inputs to the bit (full mode).  Errors are clustered by parameter draw; those of a change are of the
difference on the same random numbers (``measures.tail_change``).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from riskengine.base.axes import FACTORS, REPORT_CLASSES
from riskengine.base.errors import ModelError
from riskengine.engine.paths import PreparedScenario, World, draw_pnl
from riskengine.engine.results import CORE_MOVE, summarize_chain, tabulate_ledger
from riskengine.instruments.book import GROUP_DIMENSIONS
from riskengine.instruments.portfolio import compile_book
from riskengine.kernels.group_sums import sum_gains
from riskengine.kernels.tails import QUANTUM
from riskengine.measures.plausibility import mahalanobis
from riskengine.execution import Serial
from riskengine.measures.tail_change import (
    NORMAL_95, Estimate, TailEstimate, estimate_draw_mean, estimate_mean, estimate_tail,
)
from riskengine.measures.tail_risk import clustered_error
from riskengine.resident.rows import PnlRows
from riskengine.resident.what_if import Resident
from riskengine.result import ChainSummary

DIMENSIONS = ("asset_class", "desk")
HISTOGRAM_BINS = 60
FEW_PATHS = 32_768
"""Up to here parts are measured one after the other: handing them to threads costs more than it saves."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Expected P&L (difference to the baseline under a policy) and tail of the book or of a part of it."""

    expected: Estimate
    tail: TailEstimate

    def minus(self, other: Slice) -> Slice:
        """The change from *other* to this."""
        return Slice(self.expected.minus(other.expected), self.tail.minus(other.tail))


@dataclass(frozen=True, slots=True)
class View:
    """A state in numbers.

    total : of the book.  groups : dimension → name → slice.  channels : name → mean over draws.
    by_draw : (D,) expected P&L of each draw: response without market noise, plus the mean convexity.
    """

    total: Slice
    groups: Mapping[str, Mapping[str, Slice]]
    channels: Mapping[str, Estimate] = field(default_factory=dict)
    by_draw: np.ndarray | None = None


def view_state(
    state: Resident, prepared: PreparedScenario | None = None, rows: PnlRows | None = None,
    groups: bool = True,
    known: tuple[Resident, View] | None = None,
) -> View:
    """Numbers of a state.

    prepared : its chain, for the channels.  rows : of the baseline instead of the policy.  groups : False
    measures the total only.  known : another state of the same paths with its view; parts whose P&L is the
    very same are taken from there.
    """
    spec, draw, executor = state.setting.spec, state.cache.draw, state.setting.executor
    counts = np.bincount(draw, minlength=spec.draws)
    shown = state.rows if rows is None else rows
    base = state.baseline if shown is not state.baseline else None
    parts = leaves_by_name(shown) if groups else {}
    found: dict[str, dict[str, Slice]] = {dimension: {} for dimension in parts}
    if known is not None:
        _take_over(found, parts, shown, base, *known)
    jobs: list[tuple[str, str, tuple[int, ...]]] = [("total", "total", ()), *(
        (d, n, g) for d, names in parts.items() for n, g in names.items() if n not in found[d])]
    gains = {} if base is None else _gains(shown, base, {g for _, _, leaves in jobs for g in leaves})

    def evaluate(job: tuple[str, str, tuple[int, ...]]) -> Slice:
        dimension, _, leaves = job
        pnl = shown.total if dimension == "total" else add_leaves(shown, leaves)
        tail = estimate_tail(pnl, draw, counts, spec.levels)
        if base is None:
            return Slice(tail.mean, tail)
        gain = estimate_mean(pnl - (base.total if dimension == "total" else add_leaves(base, leaves)), draw,
                             counts)
        if dimension != "total":
            gain = Estimate(sum((gains[g] for g in leaves), 0.0), gain.sums, counts)
        return Slice(gain, tail)

    slices = (Serial() if spec.paths <= FEW_PATHS else executor).map(evaluate, jobs)
    for (dimension, name, _), part in zip(jobs[1:], slices[1:], strict=True):
        found[dimension][name] = part
    ordered = {d: {n: found[d][n] for n in names} for d, names in parts.items()}
    total = slices[0]
    if prepared is None or base is None:
        return View(total, ordered)
    channels, by_draw = _channels(state, prepared, total.expected, counts)
    return View(total, ordered, channels, by_draw)


def _take_over(
    found: dict[str, dict[str, Slice]], parts: Mapping[str, Mapping[str, tuple[int, ...]]], shown: PnlRows,
    base: PnlRows | None, other: Resident, view: View,
) -> None:
    """Parts of *view* whose rows, and rows without policy, are the same arrays."""
    if (other.policy is None) != (base is None) or not view.groups:
        return
    theirs = leaves_by_name(other.rows)
    for dimension, names in parts.items():
        for name, leaves in names.items():
            old = theirs[dimension].get(name)
            if old is None or len(old) != len(leaves):
                continue
            pairs = [(shown, other.rows)] if base is None else [(shown, other.rows), (base, other.baseline)]
            if all(a.rows[g] is b.rows[h] for a, b in pairs for g, h in zip(leaves, old, strict=True)):
                found[dimension][name] = view.groups[dimension][name]


def leaves_by_name(rows: PnlRows) -> dict[str, dict[str, tuple[int, ...]]]:
    """dimension → name → leaf indices; every asset class is there, empty or not."""
    out: dict[str, dict[str, tuple[int, ...]]] = {}
    for dimension in DIMENSIONS:
        column = GROUP_DIMENSIONS.index(dimension)
        names = REPORT_CLASSES if dimension == "asset_class" else sorted({x[column] for x in rows.labels})
        out[dimension] = {n: tuple(g for g, x in enumerate(rows.labels) if x[column] == n) for n in names}
    return out


def add_leaves(rows: PnlRows, leaves: Sequence[int]) -> np.ndarray:
    """(P,) P&L of some leaves, USD."""
    values = np.zeros(rows.total.size)
    for g in leaves:
        values += rows.rows[g]
    return values


def _gains(shown: PnlRows, base: PnlRows, leaves: Iterable[int]) -> dict[int, float]:
    """Mean difference of each leaf, summed quantum by quantum as the engine does."""
    paths = shown.total.size
    part, found = np.empty((-(-paths // QUANTUM), 1)), {}
    for g in leaves:
        sum_gains(shown.rows[g][None], base.rows[g][None], part)
        mean = 0.0
        for quantum in part[:, 0].tolist():
            mean += quantum
        found[g] = mean / paths
    return found


def _channels(
    state: Resident, prepared: PreparedScenario, expected: Estimate, counts: np.ndarray
) -> tuple[dict[str, Estimate], np.ndarray]:
    setting, kept = state.setting, state.valuer.collected
    known, snapshot = kept.get("book"), setting.world.snapshot
    if known is None or known[0] is not state.portfolio or known[1] is not snapshot:
        book = compile_book(state.portfolio, snapshot, FACTORS, setting.horizon)
        known = kept["book"] = (state.portfolio, snapshot, book)
    response, channels, _ = draw_pnl(prepared, known[2])
    found = {name: estimate_draw_mean(values) for name, values in channels.items()}
    convexity = expected.value - float(sum(x.value for x in found.values()))
    beyond = expected.sums / counts - response
    ones = np.ones(response.size, dtype=np.int64)
    found["convexity"] = Estimate(convexity, beyond, ones)
    return found, response + convexity


# ---------------------------------------------------------------- as JSON
def number(estimate: Estimate) -> dict:
    """value, se and the 95% interval, USD."""
    return _interval(estimate.value, estimate.se)


def _interval(value: float, se: float) -> dict:
    return {"value": value, "se": se, "low": value - NORMAL_95 * se, "high": value + NORMAL_95 * se}


def slice_json(part: Slice, less: Slice | None = None) -> dict:
    """expected_pnl, var and es by level; of the difference to *less* on the same paths, when given."""
    mine = (part.expected, *part.tail.var, *part.tail.es)
    values, sums, counts = [x.value for x in mine], np.stack([x.sums for x in mine]), part.expected.counts
    if less is not None:
        other = (less.expected, *less.tail.var, *less.tail.es)
        if len(other) != len(mine) or not np.array_equal(less.expected.counts, counts):
            raise ModelError("a difference needs two estimates on the same paths and draws")
        values = [a - b.value for a, b in zip(values, other, strict=True)]
        sums -= np.stack([x.sums for x in other])
    found = [_interval(v, se) for v, se in zip(values, clustered_error(sums, counts).tolist(), strict=True)]
    levels = [f"{level:g}" for level in part.tail.levels]
    half = 1 + len(levels)
    return {"expected_pnl": found[0], "var": dict(zip(levels, found[1:half], strict=True)),
            "es": dict(zip(levels, found[half:], strict=True))}


def view_json(view: View) -> dict:
    """One of before and after, as plain JSON."""
    out = slice_json(view.total)
    if view.by_draw is not None:
        out["expected_pnl"] |= _span(view.by_draw)
    for dimension, names in view.groups.items():
        out[f"by_{dimension}"] = {name: slice_json(part) for name, part in names.items()}
    out["channels"] = {name: number(x) for name, x in view.channels.items()}
    return out


def change_json(before: View, after: View) -> dict:
    """after − before with the error of the difference; a part that came or went counts as zero where
    absent."""
    out = slice_json(after.total, before.total)
    if before.by_draw is not None and after.by_draw is not None:
        out["expected_pnl"] |= _span(after.by_draw - before.by_draw)
    elif after.by_draw is not None:
        out["expected_pnl"] |= _span(after.by_draw)
    zero = _zero_slice(after.total)
    for dimension in after.groups:
        old, new = before.groups[dimension], after.groups[dimension]
        out[f"by_{dimension}"] = {
            name: slice_json(new.get(name, zero), old.get(name, zero)) for name in {**old, **new}}
    out["channels"] = {}
    for name in {**before.channels, **after.channels}:
        some = after.channels.get(name) or before.channels[name]
        zero_channel = Estimate(0.0, np.zeros_like(some.sums), some.counts)
        out["channels"][name] = number(
            after.channels.get(name, zero_channel).minus(before.channels.get(name, zero_channel)))
    return out


def _span(by_draw: np.ndarray) -> dict:
    low, high = np.percentile(by_draw, (10, 90))
    return {"p10_over_parameters": float(low), "p90_over_parameters": float(high)}


def _zero_slice(like: Slice) -> Slice:
    def zero(x: Estimate) -> Estimate:
        return Estimate(0.0, np.zeros_like(x.sums), x.counts)

    tail = like.tail
    return Slice(zero(like.expected), TailEstimate(
        tail.levels, zero(tail.mean), tuple(map(zero, tail.var)), tuple(map(zero, tail.es))))


def histogram(before: np.ndarray, after: np.ndarray, weight: np.ndarray | None = None) -> dict:
    """P&L histograms on common bins; the outer 0.1% of paths fall into the first and the last bin.

    weight : (P,) of mean 1 for *after*, under a view: then its counts are not whole numbers.
    """
    outer = before.size // 1000
    cut = [np.partition(x, (outer, x.size - 1 - outer)) for x in (before, after)]
    low = float(min(x[outer] for x in cut))
    high = float(max(x[x.size - 1 - outer] for x in cut))
    if not high > low:
        low, high = low - 1.0, high + 1.0
    edges = np.linspace(low, high, HISTOGRAM_BINS + 1)
    count = [np.histogram(np.clip(x, low, high), edges, weights=w)[0]
             for x, w in ((before, None), (after, weight))]
    return {"edges_usd": edges.tolist(), "before": count[0].tolist(), "after": count[1].tolist()}


def plausibility_json(prepared: PreparedScenario, world: World) -> dict:
    """Mahalanobis distance of the scenario's mean core move at the horizon, and its probability."""
    horizon, core = prepared.scenario.horizon, FACTORS.indices(CORE_MOVE)
    move = prepared.shocks.path[:, -1, :].mean(axis=0)
    covariance = world.model(horizon).horizon_covariance(horizon.steps)[np.ix_(core, core)]
    found = mahalanobis(move[core], covariance, CORE_MOVE)
    return {"mahalanobis": found.distance, "probability": found.probability, "factors": list(CORE_MOVE)}


def chain_json(prepared: PreparedScenario) -> dict:
    """Who sells, who absorbs, the ledger, the dollar's path, yields by channel; USD bn, bp, logs."""
    chain: ChainSummary = summarize_chain(prepared.policy.chain)
    ledger = tabulate_ledger(prepared.policy.ledger)
    bands = ("gross_orders_usd_bn", "net_outflow_usd_bn", "dollars_out_usd_bn", "broad_dollar",
             "treasury_10y_flow_bp", "treasury_10y_path_bp", "current_account_change_usd_bn_per_year")
    horizon = prepared.scenario.horizon
    return {
        **{name: dict(zip(("median", "p16", "p84"), getattr(chain, name), strict=True)) for name in bands},
        "weeks": [round((i + 1) * horizon.step_days / 5, 1) for i in range(horizon.steps)],
        "paths": {name: dict(zip(("p16", "median", "p84"), values.T.tolist(), strict=True))
                  for name, values in chain.paths.items()},
        "yields_by_channel": [{"tenor": t, "flow_bp": f, "path_bp": p}
                              for t, f, p in chain.yields_by_channel],
        "holder_orders": [{"holder": h, **orders} for h, orders in chain.holder_orders],
        "absorbers": [{"name": name, "usd_bn": x} for name, x in chain.absorbers],
        "saving_usd_bn_per_year": dict(chain.saving),
        "ledger": [{"line": n, "identity": i, "median": m, "p16": lo, "p84": hi}
                   for n, i, m, lo, hi in ledger.rows],
        "ledger_max_imbalance_usd_bn": ledger.max_imbalance_usd_bn,
    }


def plain(value: object) -> object:
    """*value* as JSON types, in containers of its own; a number that is not finite becomes None."""
    if type(value) is float:
        return value if math.isfinite(value) else None
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value
