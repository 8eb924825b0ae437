"""What the page and its archive hold of a large book: the positions that matter, and how many are left out.

A position is shown when it is among the largest by component ES or by value at any horizon; ranks are
compared one by one until SHOWN_POSITIONS are found.  ``risk.parquet`` and ``scenarios.parquet`` always hold
every position.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from riskengine.reports import formats
from riskengine.result import NightResult, PositionRisk

SHOWN_POSITIONS = 500
COUNT = "position_count"
"""Key of ``NightResult.tables``: positions of the whole book, present when some are left out."""


def cut_positions(night: NightResult, most: int = SHOWN_POSITIONS) -> NightResult:
    """*night* with its largest *most* positions everywhere; the same object when it has no more than that."""
    count = position_count(night)
    if not night.baseline or len(night.baseline[0].positions) <= most:
        return night
    kept = _largest(night, most)
    baseline = tuple(replace(r, positions=tuple(p for p in r.positions if p.position_id in kept))
                     for r in night.baseline)
    scenarios = []
    for s in night.scenarios:
        worst = sorted(s.by_position, key=lambda name, of=s.by_position: of[name])
        here = kept | {*worst[: most // 10], *worst[-(most // 10) :]}
        scenarios.append(replace(s, by_position={k: v for k, v in s.by_position.items() if k in here}))
    tables = dict(night.tables)
    if isinstance(tables.get("positions"), list):
        tables["positions"] = [row for row in tables["positions"] if row.get("position_id") in kept]
    return replace(night, baseline=baseline, scenarios=tuple(scenarios), tables=tables | {COUNT: count})


def position_count(night: NightResult) -> int:
    """Positions of the book, shown or not."""
    known = night.tables.get(COUNT)
    if isinstance(known, int):
        return known
    return len(night.baseline[0].positions) if night.baseline else 0


def left_out(night: NightResult) -> str:
    """A sentence about the positions that are not on the page; empty when all are."""
    count = position_count(night)
    shown = len(night.baseline[0].positions) if night.baseline else 0
    if count <= shown:
        return ""
    return (f"The {shown:,} largest of {count:,} positions by component ES and by value; {count - shown:,} "
            f"are not shown, risk.parquet holds all")


def _largest(night: NightResult, most: int) -> set[str]:
    """Names of *most* positions: the first of every order, the second of every order, …"""
    kept: dict[str, None] = {}
    orders = [
        sorted(r.positions, key=key) for r in night.baseline
        for key in (_by(lambda p: p.component_es), _by(lambda p: p.value_usd))
    ]
    for row in zip(*orders, strict=True):
        for p in row:
            if len(kept) < most:
                kept[p.position_id] = None
        if len(kept) >= most:
            break
    return set(kept)


def _by(value: Callable[[PositionRisk], float]) -> Callable[[PositionRisk], tuple[float, str]]:
    def key(p: PositionRisk) -> tuple[float, str]:
        x = value(p)
        return (-abs(x) if formats.is_number(x) else 0.0, p.position_id)

    return key
