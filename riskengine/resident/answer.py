"""From held states to the numbers of an answer: before, after, change, each with its interval.

Values are the engine's: the same rows, the same functions, so that an answer equals ``engine.run`` on the
changed inputs to the bit (full mode).  Errors are clustered by parameter draw; those of a change are of the
difference on the same random numbers (``measures.tail_change``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from riskengine.base.axes import FACTORS
from riskengine.base.errors import ModelError
from riskengine.engine.paths import PreparedScenario, World, draw_pnl
from riskengine.engine.results import CORE_MOVE, summarize_chain, tabulate_ledger
from riskengine.kernels.parts import count_bins
from riskengine.kernels.resident import measure_row
from riskengine.measures.plausibility import mahalanobis
from riskengine.measures.tail_change import NORMAL_95, Estimate, estimate_draw_mean
from riskengine.measures.tail_risk import clustered_error
from riskengine.resident.parts import Leaves, Slice, leaves_by_name, measure_slices, paths_of_draws
from riskengine.resident.positions import compile_lowered
from riskengine.resident.rows import PnlRows
from riskengine.resident.what_if import Resident
from riskengine.result import ChainSummary

HISTOGRAM_BINS = 60


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
    counts = paths_of_draws(spec.paths, spec.draws)
    shown = state.rows if rows is None else rows
    base = state.baseline if shown is not state.baseline else None
    parts = leaves_by_name(shown) if groups else {}
    found: dict[str, dict[str, Slice]] = {dimension: {} for dimension in parts}
    if known is not None:
        _take_over(found, parts, shown, base, *known)
    jobs: list[tuple[str, str, Leaves | None]] = [("total", "total", None), *(
        (d, n, g) for d, names in parts.items() for n, g in names.items() if n not in found[d])]
    slices = measure_slices([leaves for _, _, leaves in jobs], shown, base, draw, counts, spec.levels,
                            executor)
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


def _channels(
    state: Resident, prepared: PreparedScenario, expected: Estimate, counts: np.ndarray
) -> tuple[dict[str, Estimate], np.ndarray]:
    setting, kept = state.setting, state.valuer.collected
    known, snapshot = kept.get("book"), setting.world.snapshot
    if known is None or known[0] is not state.portfolio or known[1] is not snapshot:
        book = compile_lowered(state.portfolio, state.lowered, setting.horizon)
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


@dataclass(frozen=True, slots=True)
class Table:
    """Estimates of a view's slices side by side: values (n, E), influence sums (n, E, D).

    names : total first, then (dimension, name) of every part.  levels : L, so that E = 1 + 2 L.
    """

    names: tuple[tuple[str, str] | None, ...]
    levels: tuple[float, ...]
    values: np.ndarray
    sums: np.ndarray
    counts: np.ndarray

    def minus(self, other: Table) -> Table:
        """The change from *other* to this, on the same paths."""
        if self.counts is not other.counts and not np.array_equal(self.counts, other.counts):
            raise ModelError("a difference needs two estimates on the same paths and draws")
        return Table(self.names, self.levels, self.values - other.values, self.sums - other.sums, self.counts)

    def to_json(self) -> list[dict]:
        """expected_pnl, var and es by level of each slice, as plain JSON."""
        levels = [f"{level:g}" for level in self.levels]
        half, errors = 1 + len(levels), clustered_error(self.sums, self.counts)
        wide = NORMAL_95 * errors
        columns = [x.tolist() for x in (self.values, errors, self.values - wide, self.values + wide)]
        out = []
        for row in zip(*columns, strict=True):
            found = [{"value": v, "se": s, "low": lo, "high": hi} for v, s, lo, hi in zip(*row, strict=True)]
            out.append({"expected_pnl": found[0], "var": dict(zip(levels, found[1:half], strict=True)),
                        "es": dict(zip(levels, found[half:], strict=True))})
        return out


def tabulate(view: View, names: Sequence[tuple[str, str]] | None = None) -> Table:
    """The slices of *view*; *names*: (dimension, name) of the parts wanted, absent ones zero."""
    if names is None:
        names = [(d, n) for d, parts in view.groups.items() for n in parts]
    missing = Slice.zero(view.total)
    slices = [view.total, *(view.groups[d].get(n, missing) for d, n in names)]
    values, sums = (np.stack([getattr(part, name) for part in slices]) for name in ("values", "sums"))
    return Table((None, *names), view.total.levels, values[:, :-1], sums[:, :-1], view.total.counts)


def slice_json(part: Slice, less: Slice | None = None) -> dict:
    """expected_pnl, var and es by level; of the difference to *less* on the same paths, when given."""
    found = tabulate(View(part, {}))
    return (found if less is None else found.minus(tabulate(View(less, {})))).to_json()[0]


def view_json(view: View, table: Table | None = None) -> dict:
    """One of before and after, as plain JSON.  table : of :func:`tabulate`, when the caller has it."""
    table = tabulate(view) if table is None else table
    out = _by_dimension(table, view.groups)
    if view.by_draw is not None:
        out["expected_pnl"] |= _span(view.by_draw)
    out["channels"] = {name: number(x) for name, x in view.channels.items()}
    return _as_plain(out, table)


def change_json(
    before: View, after: View, tables: tuple[Table, Table] | None = None
) -> dict:
    """after − before with the error of the difference; a part that came or went counts as zero where
    absent.  tables : of both, when the caller has them."""
    old, new = (tabulate(before), tabulate(after)) if tables is None else tables
    if old.names != new.names:
        names = [(d, n) for d in after.groups for n in {**before.groups[d], **after.groups[d]}]
        old, new = tabulate(before, names), tabulate(after, names)
    out = _by_dimension(new.minus(old), after.groups)
    if before.by_draw is not None and after.by_draw is not None:
        out["expected_pnl"] |= _span(after.by_draw - before.by_draw)
    elif after.by_draw is not None:
        out["expected_pnl"] |= _span(after.by_draw)
    out["channels"] = {}
    for name in {**before.channels, **after.channels}:
        some = after.channels.get(name) or before.channels[name]
        zero_channel = Estimate(0.0, np.zeros_like(some.sums), some.counts)
        out["channels"][name] = number(
            after.channels.get(name, zero_channel).minus(before.channels.get(name, zero_channel)))
    return _as_plain(out, new, old)


def _as_plain(out: dict, *tables: Table) -> dict:
    """*out* marked as plain where its tables are finite: only the rest of it is looked through."""
    if all(np.isfinite(t.values).all() and np.isfinite(t.sums.sum()) for t in tables):
        return Plain(out | {k: plain(out[k]) for k in ("expected_pnl", "channels")})
    return plain(out)


def _by_dimension(table: Table, dimensions: Iterable[str]) -> dict:
    out, *parts = table.to_json()
    out |= {f"by_{dimension}": {} for dimension in dimensions}
    for name, part in zip(table.names[1:], parts, strict=True):
        if name is not None:
            out[f"by_{name[0]}"][name[1]] = part
    return out


def _span(by_draw: np.ndarray) -> dict:
    low, high = np.percentile(by_draw, (10, 90))
    return {"p10_over_parameters": float(low), "p90_over_parameters": float(high)}


def outer_values(pnl: np.ndarray) -> tuple[float, float]:
    """P&L beyond which 0.1% of the paths lie, on either side."""
    ks, none = np.array([pnl.size // 1000 + 1]), np.empty(0, dtype=np.int64)
    low, high = np.empty(1), np.empty(1)
    measure_row(pnl, ks, none, low, np.empty(0))
    measure_row(-pnl, ks, none, high, np.empty(0))
    return float(low[0]), -float(high[0])


def histogram(
    before: np.ndarray, after: np.ndarray, weight: np.ndarray | None = None,
    ends: tuple[float, float] | None = None,
) -> dict:
    """P&L histograms on common bins; the outer 0.1% of paths fall into the first and the last bin.

    weight : (P,) of mean 1 for *after*, under a view: then its counts are not whole numbers.  ends :
    outer_values of *before*, when the caller has them.
    """
    lows, highs = zip(outer_values(before) if ends is None else ends, outer_values(after), strict=True)
    low, high = min(lows), max(highs)
    if not high > low:
        low, high = low - 1.0, high + 1.0
    edges = np.linspace(low, high, HISTOGRAM_BINS + 1)
    if not np.isfinite(edges).all():
        raise ModelError("P&L is not finite on some path")
    count = np.zeros((2, HISTOGRAM_BINS), dtype=np.int64)
    count_bins(before, edges, count[0])
    if weight is None:
        count_bins(after, edges, count[1])
        after_count = count[1].tolist()
    else:
        after_count = np.histogram(np.clip(after, low, high), edges, weights=weight)[0].tolist()
    return Plain(edges_usd=edges.tolist(), before=count[0].tolist(), after=after_count)


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


class Plain(dict):
    """JSON types already, nobody else's: :func:`plain` lets it pass."""


def plain(value: object) -> object:
    """*value* as JSON types, in containers of its own; a number that is not finite becomes None."""
    kind = type(value)
    if kind is Plain:
        return value
    if kind is float:
        return value if value - value == 0.0 else None
    if kind is dict:
        return {k if type(k) is str else str(k): plain(v) for k, v in value.items()}
    if kind is str or kind is int or value is None:
        return value
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value
