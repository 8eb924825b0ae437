"""Hedges of a session's book: instruments in words → sizes that make its tail smallest after costs, as plain JSON.

The P&L of one unit of every instrument is read off the session's own paths, under the scenario asked about; sizes are
then judged on the paths and parameter draws of another seed.  What is minimised is the tail about the mean (a deviation
measure: Rockafellar, Uryasev and Zabarankin 2006), so that no size is chosen for its carry or for the drift of a
scenario: a book that pays no financing would buy short Treasuries without end.  *drift* minimises the tail itself.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from riskengine.base.axes import FACTORS
from riskengine.base.errors import InputError, Problem
from riskengine.hedging.minimise import Hedge, measure_of, minimise
from riskengine.hedging.trading_cost import TradingCost, cost_of
from riskengine.instruments.exposures import sensitivities
from riskengine.instruments.portfolio import Position, compile_book, describe
from riskengine.instruments.trade_text import TradeDefaults, parse_trade
from riskengine.measures.tail_change import estimate_tail
from riskengine.resident.answer import number, plain
from riskengine.resident.positions import resize_position
from riskengine.resident.request import WhatIfRequest
from riskengine.resident.session import Session
from riskengine.resident.what_if import Resident
from riskengine.workflows.stress import SCHEMA_VERSION, changed_book, read_money

MILLION = 1e6
CONTRACTS = ("equity_future", "equity_option")
MOST_INSTRUMENTS = 12
SHOWN_FACTORS = 10
_LIMIT = re.compile(r"^(?P<name>.*?)(?:\s+max\s+(?P<most>\S+))?(?:\s+(?P<side>long|short)\s+only)?$", re.IGNORECASE)
_FORWARD = re.compile(r"\b(fwd|forward|ndf)\b", re.IGNORECASE)
_TENOR = re.compile(r"\b\d+\s?[dwmy]\b|\d{4}-\d\d-\d\d", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class HedgeUnit:
    """One instrument: words as typed and as a trade, position of one unit, its name (contracts, or million of face or
    of the pair's first currency), bounds in units."""

    text: str
    words: str
    position: Position
    unit: str
    lower: float
    upper: float


def read_instruments(session: Session, text: str | Sequence[str]) -> list[HedgeUnit]:
    """'UST 10Y, USDJPY fwd, ES' → units; each may end in 'max 500m' (futures: contracts) and 'long only'.

    A forward without a date is one of three months.  Raises InputError with every instrument not understood.
    """
    parts = [p.strip() for p in (text.split(",") if isinstance(text, str) else text) if p.strip()]
    problems: list[Problem] = []
    if not 1 <= len(parts) <= MOST_INSTRUMENTS:
        problems.append(Problem("instruments to hedge with", field="--with", got=f"{len(parts)}",
                                accepted=f"1 to {MOST_INSTRUMENTS}, e.g. 'UST 10Y, USDJPY fwd, ES'"))
    units = []
    for n, part in enumerate(parts if not problems else (), 1):
        try:
            units.append(_read_unit(session, part, n))
        except InputError as error:
            problems += [Problem(p.rule, field=f"--with '{part[:40]}'", got=p.got, accepted=p.accepted)
                         for p in error.problems]
    names = [describe(u.position) for u in units]
    problems += [Problem("the same instrument twice", field="--with", got=name) for name in sorted(set(names))
                 if names.count(name) > 1]
    if problems:
        raise InputError(problems)
    return units


def suggest_hedge(
    session: Session, instruments: str | Sequence[str], request: WhatIfRequest = WhatIfRequest(), measure: str = "es",
    level: float | None = None, budget: str | float | None = None, drift: bool = False,
    check: bool = True, reseeded: Callable[[int], Session] | None = None,
) -> dict:
    """Sizes that minimise the tail of the book under *request*, with costs, intervals and a check on another seed.

    instruments : see :func:`read_instruments`.  measure : es, var, variance.  level : None: the middle one of the
    session.  budget : most USD to spend on trading.  drift : count expected P&L, else the tail about the mean.
    check : judge the sizes on seed + 1 (a second held session).  reseeded : seed → session of the same book on
    that seed's paths, for those who keep sessions; None: one made for this question.

    Raises
    ------
    InputError : instruments, measure, level, budget, and every problem of the request.
    """
    begin = time.perf_counter()
    most = read_money(budget, "--budget") if isinstance(budget, str) else budget
    chosen = session.spec.levels[len(session.spec.levels) // 2] if level is None else level
    units = read_instruments(session, instruments)
    cost = cost_of([u.position for u in units], session.world)
    state, pnl, rows = _paths(session, request, units)
    started = time.perf_counter()
    if drift:
        own, own_rows = pnl, rows
    else:
        own, own_rows = pnl - pnl.mean(), rows - rows.mean(axis=1, keepdims=True)
    hedge = minimise(own, own_rows, cost, chosen, measure, np.array([u.lower for u in units]),
                     np.array([u.upper for u in units]), most)
    solved = time.perf_counter() - started
    sizes = _rounded(hedge.sizes, units, own, own_rows, cost, measure, 1.0 - chosen)
    answer = {
        "schema_version": SCHEMA_VERSION, "as_of": session.world.as_of, "data_version": session.data_version,
        "portfolio": session.portfolio.source,
        "scenario": None if state.scenario is None else {"name": state.scenario.name, "title": state.scenario.title},
        "horizon_days": state.setting.horizon.days, "paths": session.spec.paths, "seed": session.spec.seed,
        "measure": measure, "level": chosen, "about_the_mean": not drift, "budget_usd": most,
        "risk_before_usd": hedge.before, "risk_after_usd": measure_of(own + sizes @ own_rows, measure, 1.0 - chosen),
        "hedges": _hedges(units, sizes, cost), "cost_usd": cost.total(sizes),
        "in_sample": _compare(state, session, pnl, rows, sizes, cost, chosen),
        "out_of_sample": None, "residual": _residual(session, request, units, sizes, state),
        "newton_steps": hedge.steps, "seconds_solving": solved,
    }
    if check:
        other = (reseeded or session.reseeded)(session.spec.seed + 1)
        found, other_pnl, other_rows = _paths(other, request, units)
        answer["out_of_sample"] = {"seed": other.spec.seed} | _compare(
            found, other, other_pnl, other_rows, sizes, cost, chosen)
    return plain(answer | {"seconds": time.perf_counter() - begin})


def _read_unit(session: Session, part: str, number_: int) -> HedgeUnit:
    found = _LIMIT.match(part)
    assert found is not None
    name, side = found["name"].strip(), (found["side"] or "").lower()
    words = name if not _FORWARD.search(name) or _TENOR.search(name) else f"{_FORWARD.sub('', name).strip()} 3M fwd"
    position, first = None, None
    for amount in ("1m", "1"):
        try:
            position = parse_trade(
                f"buy {amount} {words}", session.world.snapshot,
                TradeDefaults("what_if", "what_if", f"hedge {number_}"), f"HEDGE-{number_}", session.portfolio.tag_names).position
        except InputError as error:
            first = first or error
            continue
        if amount == "1" or position.type not in CONTRACTS:
            break
    if position is None:
        assert first is not None
        raise first
    if position.asset_class == "real_estate":
        raise InputError(Problem("property is not traded in a day: it is no hedge", got=part))
    contracts = position.type in CONTRACTS
    bound = np.inf
    if found["most"]:
        bound = read_money(found["most"], "max") / (1.0 if contracts else MILLION)
    return HedgeUnit(part, words, position, "contracts" if contracts else "million", -bound if side != "long" else 0.0,
                     bound if side != "short" else 0.0)


def _paths(
    session: Session, request: WhatIfRequest, units: Sequence[HedgeUnit]
) -> tuple[Resident, np.ndarray, np.ndarray]:
    """(state of the book, its P&L (P,), P&L of the units (n, P))."""
    with_units = session.state(request, [u.position for u in units])
    if with_units.scenario is not None and with_units.scenario.feedback is not None:
        raise InputError(Problem("hedges are not sought on paths whose holders sell after losses",
                                 field="feedback", got=with_units.scenario.name, accepted="--set feedback=off"))
    own = {u.position.strategy: n for n, u in enumerate(units)}
    rows = np.zeros((len(units), with_units.rows.total.size))
    pnl = np.zeros(with_units.rows.total.size)
    for label, row in zip(with_units.rows.labels, with_units.rows.rows, strict=True):
        place = own.get(label[2]) if label[0] == "what_if" else None
        if place is None:
            pnl += row
        else:
            rows[place] += row
    return with_units, pnl, rows


def _rounded(
    sizes: np.ndarray, units: Sequence[HedgeUnit], pnl: np.ndarray, rows: np.ndarray, cost: TradingCost, measure: str,
    tail: float,
) -> np.ndarray:
    """Sizes one can trade: whole contracts, USD 0.1m; nothing when that makes the book worse."""
    step = np.array([1.0 if u.unit == "contracts" else 0.1 for u in units])
    whole = np.trunc(np.abs(sizes) / step + 1e-9) * step * np.sign(sizes)
    before, after = measure_of(pnl, measure, tail), measure_of(pnl + whole @ rows, measure, tail)
    return whole if after + cost.total(whole) < before else np.zeros_like(whole)


def _hedges(units: Sequence[HedgeUnit], sizes: np.ndarray, cost: TradingCost) -> list[dict]:
    spent = cost.by_trade(sizes)
    rows = []
    for n, u in enumerate(units):
        size = float(sizes[n])
        amount = f"{abs(size):,.0f}".replace(",", "") if u.unit == "contracts" else f"{abs(size):.1f}m"
        limit = max(u.upper, -u.lower)
        rows.append({
            "instrument": u.text, "size": size, "unit": u.unit,
            "trade": "" if size == 0.0 else f"{'buy' if size > 0.0 else 'sell'} {amount} {u.words}",
            "market": cost.names[cost.market[n]], "cost_usd": float(spent[n]),
            "at_limit": bool(np.isfinite(limit) and abs(size) >= 0.999 * limit > 0.0),
        })
    return rows


def _compare(
    state: Resident, session: Session, pnl: np.ndarray, rows: np.ndarray, sizes: np.ndarray, cost: TradingCost,
    level: float,
) -> dict:
    """Mean, VaR, ES and deviation before and after, costs paid, each change with its interval."""
    draw = state.cache.draw
    counts = np.bincount(draw, minlength=session.spec.draws)
    levels = tuple(sorted({*session.spec.levels, level}))
    hedged = pnl + sizes @ rows - cost.total(sizes)
    old, new = (estimate_tail(x, draw, counts, levels) for x in (pnl, hedged))
    change = new.minus(old)
    out: dict = {"levels": [f"{x:g}" for x in levels]}
    for name, tail in (("before", old), ("after", new), ("change", change)):
        out[name] = {"mean_pnl": number(tail.mean),
                     "var": {f"{x:g}": number(e) for x, e in zip(levels, tail.var, strict=True)},
                     "es": {f"{x:g}": number(e) for x, e in zip(levels, tail.es, strict=True)}}
    out["before"]["deviation"], out["after"]["deviation"] = float(pnl.std()), float(hedged.std())
    return out


def _residual(
    session: Session, request: WhatIfRequest, units: Sequence[HedgeUnit], sizes: np.ndarray, state: Resident,
) -> list[dict]:
    """What is left by factor: one standard deviation of the horizon alone, USD, before and after; largest first."""
    world, horizon = session.world, state.setting.horizon
    book = compile_book(changed_book(session, request), world.snapshot, FACTORS, None)
    hedge = compile_book(replace(session.portfolio, positions=tuple(u.position for u in units)), world.snapshot,
                         FACTORS, None)
    deviation = np.sqrt(np.diag(world.model(horizon).horizon_covariance(horizon.steps)))
    before = sensitivities(book).sum(axis=0) * deviation
    after = before + (sizes @ sensitivities(hedge)) * deviation
    order = np.argsort(-np.maximum(np.abs(before), np.abs(after)), kind="stable")[:SHOWN_FACTORS]
    return [{"factor": FACTORS.labels[k], "before_usd": float(before[k]), "after_usd": float(after[k])} for k in order]


__all__ = ["Hedge", "HedgeUnit", "read_instruments", "suggest_hedge"]
