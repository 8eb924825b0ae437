"""From what is asked to what is meant: the scenario before and after, and the candidate trades; all that is
wrong at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from riskengine.base.errors import InputError, Problem
from riskengine.instruments.portfolio import Portfolio, Position, describe
from riskengine.instruments.trade_text import parse_trade
from riskengine.market import MarketSnapshot
from riskengine.policy.scenario import Scenario
from riskengine.resident.request import WhatIfRequest

LoadScenario = Callable[[str | Scenario, tuple[str, ...]], Scenario]
"""(name, file or scenario; knobs) → scenario; InputError with every wrong knob."""


@dataclass(frozen=True, slots=True)
class Trade:
    """A candidate trade: the sentence as typed, its position, and what was understood."""

    text: str
    position: Position
    understood: str


def read_question(
    request: WhatIfRequest, load: LoadScenario, portfolio: Portfolio, snapshot: MarketSnapshot
) -> tuple[Scenario | None, Scenario | None, list[Trade]]:
    """Scenario before, scenario after, trades; InputError with every wrong knob and sentence."""
    problems: list[Problem] = []
    first = second = None
    if request.scenario is not None:
        try:
            first = second = load(request.scenario, ())
            if request.sets:
                second = load(request.scenario, request.sets)
        except InputError as error:
            problems += error.problems
    if first is not None and second is not None and first.feedback is not None:
        if second.feedback is None:
            first = replace(first, feedback=None)  # turned off: before and after without it
        elif request.views:
            problems.append(Problem("views cannot be put on a scenario whose holders sell after losses",
                                    field="views", got=request.views[0][:60],
                                    accepted="--set feedback=off"))
    taken = {p.position_id for p in portfolio.positions} if request.trades else set()
    trades: list[Trade] = []
    for n, item in enumerate(request.trades, 1):
        try:
            trades.append(read_trade(item, n, taken, snapshot, portfolio.tag_names))
            taken.add(trades[-1].position.position_id)
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return first, second, trades


def read_trade(
    item: str | Position, number: int, taken: set[str], snapshot: MarketSnapshot, tag_names: tuple[str, ...]
) -> Trade:
    """One trade; a sentence becomes the position TRADE-*number*, with another name where that is *taken*."""
    if isinstance(item, Position):
        return Trade(describe(item), item, describe(item))
    name = f"TRADE-{number}"
    while name in taken:
        name += "x"
    found = parse_trade(item, snapshot, position_id=name, tag_names=tag_names)
    return Trade(item, found.position, found.understood)
