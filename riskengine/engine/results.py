"""From P&L by path to the results a person reads: tails, contributions, channels, the chain at a glance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from riskengine.base.axes import FACTORS, KEY_RATES, REPORT_CLASSES
from riskengine.base.sampling import RunSpec
from riskengine.base.units import BASIS_POINT
from riskengine.engine.paths import PathPnl, PreparedScenario, World, draw_pnl, mean_by_position, replay_moves
from riskengine.execution import Executor, Serial, in_batches
from riskengine.flows.balance_of_payments import Ledger
from riskengine.impact.response import Chain
from riskengine.instruments.book import Book
from riskengine.instruments.portfolio import Portfolio
from riskengine.measures.contributions import TailPaths, component_es, component_es_error, tail_paths
from riskengine.measures.plausibility import mahalanobis
from riskengine.measures.tail_risk import measure_tail, variance_share
from riskengine.result import (
    ChainSummary, GroupRisk, LedgerTable, PositionRisk, RiskResult, ScenarioResult,
)

CORE_MOVE = (
    "FX_EUR", "FX_JPY", "FX_GBP", "FX_CAD", "FX_CNY", "FX_KRW", "FX_MXN",
    "UST_2Y", "UST_10Y", "UST_30Y", "EQ_SP500",
)
"""Factors whose joint move measures a scenario's plausibility: the large currencies, the curve, equity."""
TENORS = tuple(KEY_RATES)
STANDALONE_PATHS = 16_384
"""Paths behind a position's standalone ES."""
VALUES_AT_ONCE = 8_000_000
"""P&L values by position and path held by one task (64 MB)."""
TASKS_PER_WORKER = 8
"""Of the table of positions."""


def baseline_result(
    pnl: PathPnl, portfolio: Portfolio, world: World, spec: RunSpec, position_level: float, noise: str,
    executor: Executor | None = None,
) -> RiskResult:
    """Risk of the ordinary night at one horizon: total, every grouping, every position."""
    book, total, draw = pnl.book, pnl.total[0], pnl.draw
    tails = {level: tail_paths(total, level) for level in spec.levels}
    run = executor or Serial()
    nodes = [
        (column, dimension, name) for column, dimension in enumerate(book.group_dimensions)
        for name in sorted({label[column] for label in book.group_labels})
    ]

    def measure(node: tuple[int, str, str]) -> GroupRisk:
        column, dimension, name = node
        leaves = [g for g, label in enumerate(book.group_labels) if label[column] == name]
        if pnl.margins is None:
            values = _add_rows(pnl.groups[0], leaves)
        else:
            values = pnl.groups[0][pnl.margins.index((dimension, name))].astype(np.float64)
        positions = np.isin(book.group_of, leaves)
        return GroupRisk(
            dimension, name, measure_tail(values, draw, spec.draws, spec.levels),
            tuple(float(component_es(values[None, t.indices], t)[0]) for t in tails.values()),
            float(book.base_value[positions].sum()),
        )

    groups = [
        GroupRisk("total", "total", measure_tail(total, draw, spec.draws, spec.levels),
                  tuple(tails[level].loss for level in spec.levels), float(book.base_value.sum())),
        *run.here.map(measure, nodes),
    ]
    return RiskResult(
        horizon_days=pnl.horizon.days,
        total=groups[0].tail,
        groups=tuple(groups),
        positions=_positions(pnl, portfolio, world, spec, position_level, run),
        position_level=position_level,
        pnl_quantiles=np.quantile(total, np.linspace(0.0, 1.0, 201)),
        noise=noise,
    )


def _positions(
    pnl: PathPnl, portfolio: Portfolio, world: World, spec: RunSpec, level: float, executor: Executor
) -> tuple[PositionRisk, ...]:
    """Standalone ES on the first paths and Euler component on the tail paths, by replaying both."""
    book = pnl.book
    tail = tail_paths(pnl.total[0], level)
    first = np.arange(min(spec.paths, STANDALONE_PATHS))
    at_tail, at_first = (replay_moves(paths, world, pnl.horizon, spec, book, executor.here)
                         for paths in (tail.indices, first))
    task = _PositionTask(book, level, tail, pnl.draw, spec.draws, at_tail, at_first)
    size = max(1, VALUES_AT_ONCE // max(tail.indices.size, STANDALONE_PATHS))
    blocks = [(lo, min(lo + size, len(book.position_ids))) for lo in range(0, len(book.position_ids), size)]
    batches = in_batches(blocks, TASKS_PER_WORKER * executor.count)
    alone, component, error = np.concatenate(executor.map(task, batches), axis=1)
    rows = []
    for i, position_id in enumerate(book.position_ids):
        p = portfolio.positions[i]
        rows.append(
            PositionRisk(
                position_id=position_id, type=p.type, desk=p.desk, book=p.book, asset_class=book.asset_class[i],
                description=book.descriptions[i], value_usd=float(book.base_value[i]),
                notional_usd=float(book.notional[i]), standalone_es=float(alone[i]),
                component_es=float(component[i]), se_component_es=float(error[i]),
                assumed_inputs=tuple(book.assumed_inputs[i]),
            )
        )
    return tuple(rows)


@dataclass(frozen=True, slots=True)
class _PositionTask:
    """(3, n) of blocks of positions: standalone ES, component, its error; paths × positions stay bounded."""

    book: Book
    level: float
    tail: TailPaths
    draw: np.ndarray
    draws: int
    at_tail: tuple[np.ndarray, np.ndarray]
    at_first: tuple[np.ndarray, np.ndarray]

    def __call__(self, blocks: Sequence[tuple[int, int]]) -> np.ndarray:
        return np.concatenate([self._block(block) for block in blocks], axis=1)

    def _block(self, block: tuple[int, int]) -> np.ndarray:
        """Positions first … last − 1."""
        values = self.book.pnl_by_position(*self.at_first, *block)
        alone = [tail_paths(row, self.level).loss for row in values]
        values = self.book.pnl_by_position(*self.at_tail, *block)
        return np.array([alone, component_es(values, self.tail),
                         component_es_error(values, self.tail, self.draw, self.draws)])


def scenario_results(
    prepared: Sequence[PreparedScenario], pnl: PathPnl, world: World, spec: RunSpec,
    executor: Executor | None = None,
) -> tuple[ScenarioResult, ...]:
    """One result per prepared scenario; row i + 1 of *pnl* belongs to ``prepared[i]``."""

    def result(row: int) -> ScenarioResult:
        return _scenario(prepared[row - 1], row, pnl, world, spec)

    return tuple((executor or Serial()).here.map(result, range(1, len(prepared) + 1)))


def _scenario(item: PreparedScenario, row: int, pnl: PathPnl, world: World, spec: RunSpec) -> ScenarioResult:
    scenario, shocks, book = item.scenario, item.shocks, pnl.book
    total = pnl.total[row]
    difference = total - pnl.total[0]
    gain = measure_tail(difference, pnl.draw, spec.draws, (0.95,))
    response, channels, _ = draw_pnl(item, book)
    by_channel = {name: float(values.mean()) for name, values in channels.items()}
    by_channel["convexity"] = gain.mean - float(sum(by_channel.values()))
    mean_move = shocks.path[:, -1, :].mean(axis=0)
    model = world.model(scenario.horizon)
    core = FACTORS.indices(CORE_MOVE)
    covariance = model.horizon_covariance(scenario.horizon.steps)[np.ix_(core, core)]
    plausible = mahalanobis(mean_move[core], covariance, CORE_MOVE)
    chain = item.policy.chain
    return ScenarioResult(
        name=scenario.name, title=scenario.title, narrative=scenario.narrative, source=scenario.source,
        probability=scenario.probability, horizon_days=scenario.horizon.days,
        expected_pnl_usd=gain.mean, se_expected_pnl_usd=gain.se_mean,
        interval_usd=_percentiles(response + by_channel["convexity"], (10, 90)),
        pnl_interval_usd=_percentiles(total, (10, 90)),
        tail=measure_tail(total, pnl.draw, spec.draws, spec.levels),
        by_asset_class=_means(pnl, row, "asset_class", REPORT_CLASSES),
        by_desk=_means(pnl, row, "desk"),
        by_book=_means(pnl, row, "book"),
        channels=by_channel,
        by_position=dict(zip(book.position_ids, mean_by_position(item, book).tolist(), strict=True)),
        moves={label: float(m) for label, m in zip(FACTORS.labels, mean_move, strict=True)},
        chain=summarize_chain(chain),
        ledger=tabulate_ledger(item.policy.ledger),
        variance_share=variance_share(total, pnl.draw, spec.draws),
        mahalanobis=plausible.distance,
        plausibility=plausible.probability,
        flags=item.policy.flags,
    )


def _means(pnl: PathPnl, row: int, dimension: str, names: Sequence[str] | None = None) -> dict[str, float]:
    """Expected P&L difference to the baseline by one dimension of the book, USD."""
    column = pnl.book.group_dimensions.index(dimension)
    out = dict.fromkeys(names or sorted({label[column] for label in pnl.book.group_labels}), 0.0)
    for label, gain in zip(pnl.book.group_labels, pnl.gains[row], strict=True):
        out[label[column]] += float(gain)
    return out


def summarize_chain(chain: Chain) -> ChainSummary:
    """Medians and [p16, p84] of the chain at the horizon, and its paths for the charts."""
    ten = TENORS.index("10Y")
    flow, path = chain.treasury_flow / BASIS_POINT, chain.treasury_path / BASIS_POINT
    series = {
        "broad_dollar": chain.broad_dollar,
        "treasury_10y_flow_bp": flow[:, :, ten],
        "treasury_10y_path_bp": path[:, :, ten],
        "current_account_change": chain.current_account_change,
        "saving_change": chain.saving_change,
        "investment_change": chain.investment_change,
        "dollars_out": chain.dollars_out,
        "equity_index": chain.equity_index,
    }
    sectors = np.median(chain.saving_by_sector[:, :, -1], axis=1)
    orders = [
        (holder, {c: float(v) for c, v in zip(("treasury", "agency", "corporate", "equity"), row[:, 0], strict=True)})
        for holder, row in zip(chain.holders, chain.holder_orders, strict=True)
        if np.any(row[:, 0])
    ]
    orders.sort(key=lambda item: sum(item[1].values()))
    return ChainSummary(
        gross_orders_usd_bn=_band(chain.gross_orders[:, -1]),
        net_outflow_usd_bn=_band(chain.net_outflow[:, -1]),
        dollars_out_usd_bn=_band(chain.dollars_out[:, -1]),
        broad_dollar=_band(chain.broad_dollar[:, -1]),
        treasury_10y_flow_bp=_band(flow[:, -1, ten]),
        treasury_10y_path_bp=_band(path[:, -1, ten]),
        current_account_change_usd_bn_per_year=_band(chain.current_account_change[:, -1]),
        paths={name: np.percentile(values, (16, 50, 84), axis=0).T for name, values in series.items()},
        yields_by_channel=tuple(
            (tenor, float(np.median(flow[:, -1, j])), float(np.median(path[:, -1, j])))
            for j, tenor in enumerate(TENORS)
        ),
        holder_orders=tuple(orders),
        absorbers=chain.absorbers,
        saving={
            "household": float(sectors[0]), "business": float(sectors[1]), "government": float(sectors[2]),
            "investment": float(np.median(chain.investment_change[:, -1])),
        },
    )


def tabulate_ledger(ledger: Ledger) -> LedgerTable:
    """The ledger cumulated to the horizon, line by line, with its largest imbalance over all draws and steps."""
    cumulated = ledger.lines.sum(axis=1)
    rows = tuple(
        (name, identity, *(_band(cumulated[:, i])))
        for i, (name, identity) in enumerate(zip(ledger.names, ledger.identity, strict=True))
    )
    return LedgerTable(rows, ledger.max_imbalance())


def _band(values: np.ndarray) -> tuple[float, float, float]:
    """Median, 16th and 84th percentile over draws."""
    low, middle, high = np.percentile(values, (16, 50, 84)) + 0.0
    return float(middle), float(low), float(high)


def _percentiles(values: np.ndarray, at: tuple[float, float]) -> tuple[float, float]:
    low, high = np.percentile(values, at)
    return float(low), float(high)


def _add_rows(groups: np.ndarray, rows: Sequence[int]) -> np.ndarray:
    """Sum of float32 rows in float64, in row order."""
    out = np.zeros(groups.shape[1])
    for g in rows:
        out += groups[g]
    return out
