"""Reverse stress and hedges of a session's book, as plain JSON for the command line, the desk and notebooks."""

from __future__ import annotations

import re
import time
from dataclasses import replace

import numpy as np
from scipy.special import ndtr

from riskengine.base.axes import FACTORS, REPORT_CLASSES, factor_unit
from riskengine.base.errors import InputError, Problem, suggest
from riskengine.base.units import Horizon
from riskengine.engine.paths import policy_draws
from riskengine.engine.results import CORE_MOVE
from riskengine.impact import respond_to_policy
from riskengine.instruments.portfolio import Portfolio, compile_book
from riskengine.measures.plausibility import mahalanobis
from riskengine.resident.answer import plain
from riskengine.resident.positions import resize_position
from riskengine.resident.request import WhatIfRequest
from riskengine.resident.session import Session, read_horizon, removals
from riskengine.reverse_stress.factor_moves import (
    WHOLE, BookLoss, FactorAnswer, check_amount, search_factor_moves,
)
from riskengine.reverse_stress.least_distance import FARTHEST
from riskengine.reverse_stress.policies import PolicyAnswer, PolicySearch, policy_knobs, search_policies

SCHEMA_VERSION = "1.0"
DEFAULT_HORIZON = "52w"
"""Policies take a year to work through the accounts."""
SHOWN_MOVES = 8
_MONEY = re.compile(r"(?:usd\s*|\$)?(\d[\d,_]*\.?\d*|\.\d+)\s*(k|mm|mn|m|bn|b|tn)?(?:\s*usd)?", re.IGNORECASE)
_SCALE = {"": 1.0, "k": 1e3, "m": 1e6, "mn": 1e6, "mm": 1e6, "b": 1e9, "bn": 1e9, "tn": 1e12}


def read_money(text: str, field: str) -> float:
    """USD from '500m', '1.2bn', 'USD 250,000'; InputError otherwise."""
    found = _MONEY.fullmatch(text.strip())
    amount = float(found[1].replace(",", "").replace("_", "")) * _SCALE[(found[2] or "").lower()] if found else 0.0
    if not found or not 0.0 < amount < 1e15:
        raise InputError(Problem("an amount of USD, positive", field=field, got=repr(text[:40]),
                                 accepted="500m, 1.2bn, 250000"))
    return amount


def changed_book(session: Session, request: WhatIfRequest | None) -> Portfolio:
    """The session's book after the sizes, removals and trades of *request*."""
    book = session.portfolio
    if request is None or not request.changes_book:
        return book
    gone, scaled = removals(request)
    ids = tuple(p.position_id for p in book.positions)
    problems = [Problem("no such position", field="position_id", got=name, accepted=suggest(name, ids))
                for name in (*gone, *scaled) if name not in ids]
    if problems:
        raise InputError(problems)
    kept = [resize_position(p, scaled[p.position_id]) if p.position_id in scaled else p
            for p in book.positions if p.position_id not in gone]
    return replace(book, positions=(*kept, *session.read_trades(request)))


def of_desk(book: Portfolio, desk: str | None) -> Portfolio:
    """The positions of one desk; InputError with the desks there are."""
    if desk is None:
        return book
    names = sorted({p.desk for p in book.positions})
    if desk not in names:
        raise InputError(Problem("no such desk in the portfolio", field="--desk", got=desk,
                                 accepted=suggest(desk, tuple(names))))
    return replace(book, positions=tuple(p for p in book.positions if p.desk == desk))


def reverse_stress(
    session: Session, lose: str | float, desk: str | None = None, horizon: str | None = None, top: int = 5,
    quantile: float | None = None, request: WhatIfRequest | None = None,
) -> dict:
    """The most plausible shocks that lose an amount: factor moves and policies, each list from the most plausible.

    lose : USD, or text as '500m'.  desk : positions of one desk.  horizon : '10d', '52w', '12m'.  top : entries of
    each list (those that cannot lose the amount are all there).  quantile : of the loss over parameter draws for
    policies, None: its mean.  request : changes of the book.

    A policy's loss is that of its response, revalued in full; the convexity of market noise around it, which a
    what-if of the same policy reports as a channel, is not part of it.

    Raises
    ------
    InputError : amount, desk, horizon, quantile.
    """
    begin = time.perf_counter()
    amount = read_money(lose, "--lose") if isinstance(lose, str) else float(lose)
    check_amount(amount)
    problems = []
    if top < 1:
        problems.append(Problem("how many answers", field="--top", got=str(top), accepted="1 or more"))
    if quantile is not None and not 0.0 < quantile < 1.0:
        problems.append(Problem("a quantile of the loss", field="--quantile", got=f"{quantile:g}",
                                accepted="0.5 … 0.99"))
    if problems:
        raise InputError(problems)
    world, grid = session.world, read_horizon(horizon or DEFAULT_HORIZON)
    book = compile_book(of_desk(changed_book(session, request), desk), world.snapshot, FACTORS, grid)
    loss = BookLoss(book)
    factors = search_factor_moves(loss, world, grid, amount)
    search = PolicySearch(loss, world, grid, session.spec, policy_draws(world, session.spec), CORE_MOVE, quantile,
                          session.executor)
    policies, remarks = search_policies(search, amount, policy_knobs(world.accounts, grid))
    reader = _Reader(session, loss, search, grid, amount)
    shown_factors = [a for a in factors if a.reached][:top] + [a for a in factors if not a.reached]
    shown_policies = [a for a in policies if a.reached][:top] + [a for a in policies if not a.reached]
    return plain({
        "schema_version": SCHEMA_VERSION, "as_of": world.as_of, "accounts_as_of": world.accounts.accounts_as_of,
        "data_version": session.data_version, "portfolio": session.portfolio.source, "desk": desk,
        "positions": len(book.position_ids), "lose_usd": amount, "horizon_days": grid.days,
        "policy_loss": "expected" if quantile is None else f"quantile {quantile:g} over parameter draws",
        "draws": session.spec.draws, "farthest_deviations": FARTHEST, "plausibility_factors": list(CORE_MOVE),
        "factor_moves": [reader.factor(n, a) for n, a in enumerate(shown_factors, 1)],
        "policies": [reader.policy(n, a) for n, a in enumerate(shown_policies, 1)],
        "remarks": remarks, "revaluations": loss.revaluations, "chain_runs": search.evaluations,
        "seconds": time.perf_counter() - begin,
    })


class _Reader:
    """Answers as plain tables."""

    def __init__(self, session: Session, loss: BookLoss, search: PolicySearch, horizon: Horizon, amount: float):
        self.session, self.loss, self.search, self.amount = session, loss, search, amount
        covariance = session.world.model(horizon).horizon_covariance(horizon.steps)
        self.deviations = np.sqrt(np.diag(covariance))
        self.exposure = loss.slope()

    def factor(self, rank: int, answer: FactorAnswer) -> dict:
        core = answer.move[self.search.core]
        near = mahalanobis(core, self.search.covariance, self.search.labels)
        gains = self.loss.gains(answer.move[:, None])[:, 0]
        first_order = float(ndtr(-answer.distance)) if answer.reached and answer.leader == WHOLE else None
        return {
            "rank": rank if answer.reached else None, "led_by": answer.leader, "reached": answer.reached,
            "loss_usd": answer.loss, "distance": answer.distance, "dimension": answer.dimension,
            "linear_distance": answer.linear_distance, "core_distance": near.distance,
            "core_probability": near.probability, "first_order_loss_probability": first_order,
            "by_asset_class": self._by_class(gains), "moves": self._moves(answer.move),
        }

    def policy(self, rank: int, answer: PolicyAnswer) -> dict:
        parts = [{"knob": k.name, "title": k.title, "size": size, "unit": k.unit, "reference": k.reference(size)}
                 for k, size in answer.parts]
        orders, flags = self._chain(answer) if answer.reached else ({}, [])
        return {
            "rank": rank if answer.reached else None, "parts": parts, "reached": answer.reached,
            "loss_usd": answer.loss, "loss_p10_usd": answer.interval[0], "loss_p90_usd": answer.interval[1],
            "core_distance": answer.plausibility.distance, "core_probability": answer.plausibility.probability,
            "by_asset_class": self._by_class(answer.by_group), "moves": self._moves(answer.move),
            "orders_usd_bn": orders, "flags": flags,
        }

    def _by_class(self, gains: np.ndarray) -> dict[str, float]:
        book = self.loss.book
        return {name: float(gains[book.groups_where("asset_class", name)].sum()) for name in REPORT_CLASSES}

    def _moves(self, move: np.ndarray) -> list[dict]:
        """The factors that matter most to the book, and how far they went."""
        weight = np.abs(self.exposure * move)
        order = np.argsort(-weight, kind="stable")[:SHOWN_MOVES]
        rows = []
        for k in order[weight[order] > 0.0]:
            label = FACTORS.labels[k]
            rate = factor_unit(label).startswith("absolute")
            deviations = move[k] / self.deviations[k] if self.deviations[k] > 0 else None
            rows.append({"factor": label, "move": move[k] * (1e4 if rate else 100.0), "unit": "bp" if rate else "% log",
                         "deviations": deviations})
        return rows

    def _chain(self, answer: PolicyAnswer) -> tuple[dict[str, float], list[str]]:
        """(median foreign orders by class at the horizon, USD bn, sales negative; what binds or leaves the range)."""
        world, horizon = self.session.world, answer.scenario.horizon
        found = respond_to_policy(answer.scenario, world.accounts, self.search.draws, world.model(horizon),
                                  world.snapshot, horizon, world.history)
        by_class = found.chain.holder_orders[:, :, 0].sum(axis=0)
        return dict(zip(world.accounts.classes, map(float, by_class), strict=True)), list(found.flags)
