"""Policies that lose an amount: the size of each knob at which the book's expected loss is the amount.

A knob is one shock with one free number: USD bn of selling by official or private holders, the share of usual inflows
that does not come, a tax rate, the percent of an accord, a tariff rate, basis points of the expected policy path.
The chain runs in full for every size tried; the loss is the mean over parameter draws of the book revalued in full
on the response (``engine.draw_pnl``'s total), or a quantile of it.  Plausibility: Mahalanobis' distance of the mean
core move at the horizon; beside it, what the size is of what is known (holdings, a usual year's purchases).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import brentq, minimize_scalar

from riskengine.base.axes import ASSET_CLASSES, FACTORS
from riskengine.base.errors import InputError
from riskengine.base.estimate import Distribution
from riskengine.base.sampling import RunSpec
from riskengine.base.units import Horizon
from riskengine.engine.paths import World
from riskengine.execution import Executor, Threads
from riskengine.flows.draws import ParameterDraws
from riskengine.flows.external_accounts import OFFICIAL, PRIVATE, ExternalAccounts
from riskengine.flows.propagation import Scratch
from riskengine.impact import respond_at_steps
from riskengine.measures.plausibility import Plausibility, mahalanobis
from riskengine.policy import shocks as policy
from riskengine.policy.scenario import Scenario
from riskengine.reverse_stress.factor_moves import BookLoss
from riskengine.simulation import condition_at_steps, draw_loadings

GRID = (0.05, 0.15, 0.4, 0.7, 1.0)
"""Shares of a knob's largest size at which the loss is looked at before the root is bracketed."""
ALL = ASSET_CLASSES
OVERRIDES = ("treaties", "portfolio_interest", "section_892")
ACCORD = ("CNY", "JPY", "KRW", "TWD")
"""Members of the accord, all at one percent: the surplus economies of the shipped scenario."""
LOSS_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class PolicyKnob:
    """One policy with one free size.

    unit : of the size as people say it (USD bn, %, bp).  most : largest size searched.  shock : size → shock.
    reference : (size, accounts) → what that is of something known, or ''.
    """

    name: str
    title: str
    unit: str
    most: float
    shock: Callable[[float], policy.Shock]
    reference: Callable[[float], str] = field(default=lambda _size: "")


@dataclass(frozen=True, slots=True)
class PolicyAnswer:
    """sizes : (knob, size) of every part.  loss : expected, USD.  interval : 10–90% over parameters of the loss.

    move : (K,) mean at the horizon.  plausibility : of its core.  reached : False: the most it can lose, at *sizes*.
    """

    parts: tuple[tuple[PolicyKnob, float], ...]
    scenario: Scenario
    loss: float
    interval: tuple[float, float]
    move: np.ndarray
    plausibility: Plausibility
    by_group: np.ndarray
    reached: bool


def policy_knobs(accounts: ExternalAccounts, horizon: Horizon) -> tuple[PolicyKnob, ...]:
    """Knobs for the accounts of the day; selling can be no larger than what is held."""
    over = policy.Schedule("linear", min(1.0, horizon.years))
    held = accounts.by_sector
    usual = dict(zip(accounts.classes, accounts.purchases, strict=True))

    def selling(name: str, title: str, sector: str, classes: tuple[str, ...]) -> PolicyKnob:
        columns = [accounts.classes.index(c) for c in classes]
        whole = {"official": held[OFFICIAL], "private": held[PRIVATE], "all": held.sum(axis=0)}[sector]
        most = float(whole[:, columns].sum())
        bought = sum(usual[c] for c in classes)
        return PolicyKnob(
            name, title, "USD bn", most,
            lambda size: policy.ForeignSelling(amount=Distribution(size), classes=classes, sector=sector,
                                               schedule=over),
            lambda size: f"{size / most:.1%} of what they hold; {size / bought:.1f} × a usual year's purchases of all "
                         "foreigners in these classes")

    def share(size: float) -> Distribution:
        return Distribution(size / 100.0)

    return (
        selling("official_treasuries", "official holders sell Treasuries", "official", ("treasury",)),
        selling("private_treasuries", "private holders sell Treasuries", "private", ("treasury",)),
        selling("private_equity", "private holders sell US equity", "private", ("equity",)),
        selling("all_securities", "all foreigners sell US securities pro rata", "all", ALL),
        PolicyKnob("inflow_slowdown", "usual foreign purchases do not come", "% of usual", 100.0,
                   lambda size: policy.InflowSlowdown(share=share(size)),
                   lambda size: f"{size / 100.0 * sum(usual.values()):,.0f} USD bn a year"),
        PolicyKnob("inflow_surge", "foreigners buy more than usual", "% of usual", 100.0,
                   lambda size: policy.InflowSlowdown(share=share(-size)),
                   lambda size: f"{size / 100.0 * sum(usual.values()):,.0f} USD bn a year more"),
        PolicyKnob("withholding_tax", "withholding tax without exemptions", "% of income", 100.0,
                   lambda size: policy.WithholdingTax(rate=share(size), overrides=OVERRIDES)),
        PolicyKnob("user_fee", "user fee on official holders of Treasuries", "% of interest", 100.0,
                   lambda size: policy.UserFee(rate=share(size))),
        PolicyKnob("currency_accord", f"accord: {', '.join(ACCORD)} appreciate", "%", 100.0,
                   lambda size: policy.CurrencyAccord(targets=tuple((c, share(size)) for c in ACCORD), schedule=over)),
        PolicyKnob("tariff", "tariff on all partners", "%", 100.0,
                   lambda size: policy.Tariff(rate=share(size))),
        PolicyKnob("fed_hikes", "expected policy path higher, 2-year", "bp", 500.0,
                   lambda size: policy.PolicyRatePath(bp=(("2Y", Distribution(size)),))),
        PolicyKnob("fed_cuts", "expected policy path lower, 2-year", "bp", 500.0,
                   lambda size: policy.PolicyRatePath(bp=(("2Y", Distribution(-size)),))),
    )


class PolicySearch:
    """The chain and the book for any shocks at one horizon; keeps what does not depend on the size.

    loss : of the book.  quantile : None for the mean over parameter draws, else the quantile of the loss.
    """

    def __init__(self, loss: BookLoss, world: World, horizon: Horizon, spec: RunSpec, draws: ParameterDraws,
                 core_move: Sequence[str], quantile: float | None = None, executor: Executor | None = None):
        self.loss, self.world, self.horizon, self.spec, self.draws = loss, world, horizon, spec, draws
        self.quantile, self.labels = quantile, tuple(core_move)
        self.core = FACTORS.indices(core_move)
        model = world.model(horizon)
        self.covariance = model.horizon_covariance(horizon.steps)[np.ix_(self.core, self.core)]
        self.steps = sorted({step for _, step in loss.book.fixings} | {horizon.steps - 1})
        self.evaluations = 0
        self._run = executor.map if isinstance(executor, Threads) else None
        self._scratch = Scratch()
        self._loadings: dict[bytes, np.ndarray] = {}

    def scenario(self, *shocks: policy.Shock) -> Scenario:
        """Shocks as a scenario of the search's horizon, certain and announced."""
        return Scenario("reverse_stress", "Reverse stress", "", "", self.horizon, shocks)

    def respond(self, scenario: Scenario) -> tuple[np.ndarray, np.ndarray]:
        """((K, D) move at the horizon, (G, D) P&L of the response against the unshocked book)."""
        self.evaluations += 1
        world, model, place = self.world, self.world.model(self.horizon), {t: n for n, t in enumerate(self.steps)}
        response = respond_at_steps(scenario, world.accounts, self.draws, model, world.snapshot, self.horizon,
                                    self.steps, world.history, self._scratch, self._run)
        key = response.core.tobytes()
        if key not in self._loadings:
            self._loadings[key] = draw_loadings(response.core, model, self.spec)
        path, _ = condition_at_steps(response, model, self.spec, self._loadings[key])
        end = np.ascontiguousarray(path[:, :, -1])
        fixings = self.loss.book.fixings
        at = np.stack([path[k, :, place[t]] for k, t in fixings]) if fixings else np.zeros((0, end.shape[1]))
        return end, self.loss.gains(end, at)

    def measure(self, losses: np.ndarray) -> float:
        """Mean or quantile of losses (D,) over parameter draws."""
        return float(losses.mean() if self.quantile is None else np.quantile(losses, self.quantile))

    def answer(self, parts: Sequence[tuple[PolicyKnob, float]], reached: bool) -> PolicyAnswer:
        """Everything said about one policy of given sizes."""
        scenario = self.scenario(*(knob.shock(size) for knob, size in parts))
        end, gains = self.respond(scenario)
        losses, move = -gains.sum(axis=0), end.mean(axis=1)
        low, high = np.percentile(losses, (10, 90))
        return PolicyAnswer(tuple(parts), scenario, self.measure(losses), (float(low), float(high)), move,
                            mahalanobis(move[self.core], self.covariance, self.labels), gains.mean(axis=1), reached)

    def size_for(self, make: Callable[[float], Sequence[tuple[PolicyKnob, float]]], amount: float) -> PolicyAnswer:
        """The smallest share in (0, 1] of *make* that loses *amount*; else the share that loses most."""
        def lost(share: float) -> float:
            shocks = [knob.shock(size) for knob, size in make(share)]
            return self.measure(-self.respond(self.scenario(*shocks))[1].sum(axis=0)) - amount

        def root(low: float, high: float) -> PolicyAnswer:
            found = brentq(lambda s: lost(s) if s > 0.0 else -amount, low, high, xtol=1e-7, rtol=LOSS_TOLERANCE / 10.0)
            return self.answer(make(float(found)), True)

        values: list[float] = []
        for n, share in enumerate(GRID):
            values.append(lost(share))
            if values[-1] >= 0.0:
                return root(GRID[n - 1] if n else 0.0, share)
        best = int(np.argmax(values))
        most = GRID[best]
        if 0 < best < len(GRID) - 1:  # a peak inside: looked at more closely, it may still reach the amount
            low = GRID[best - 1]
            peak = minimize_scalar(lambda s: -lost(s), bounds=(low, GRID[best + 1]), method="bounded",
                                   options={"maxiter": 8, "xatol": 5e-3})
            if -peak.fun >= 0.0:
                return root(low, float(peak.x))
            if -peak.fun > values[best]:
                most = float(peak.x)
        return self.answer(make(most), False)


def search_policies(
    search: PolicySearch, amount: float, knobs: Sequence[PolicyKnob], combine: int = 2,
) -> tuple[list[PolicyAnswer], list[str]]:
    """Every knob at the size that loses *amount*, and the best combination of the *combine* most plausible ones; by
    distance, those that cannot lose it last.  With remarks on knobs that could not be run.
    """
    answers, remarks = [], []
    for knob in knobs:
        try:
            answers.append(search.size_for(lambda share, knob=knob: ((knob, share * knob.most),), amount))
        except InputError as error:
            remarks.append(f"{knob.title}: {error}")
    reached = sorted((a for a in answers if a.reached), key=lambda a: a.plausibility.distance)
    if combine == 2 and len(reached) >= 2:
        joint = _combine(search, amount, reached[0], reached[1])
        if joint is not None:
            reached = sorted([*reached, joint], key=lambda a: a.plausibility.distance)
    return [*reached, *sorted((a for a in answers if not a.reached), key=lambda a: -a.loss)], remarks


def _combine(search: PolicySearch, amount: float, a: PolicyAnswer, b: PolicyAnswer) -> PolicyAnswer | None:
    """The two together, in the proportion of three that gives the most plausible move."""
    (first, size_a), (second, size_b) = a.parts[0], b.parts[0]
    found = []
    for weight in (0.25, 0.5, 0.75):
        def make(share: float, weight: float = weight) -> tuple[tuple[PolicyKnob, float], ...]:
            return ((first, min(2.0 * share * weight * size_a, first.most)),
                    (second, min(2.0 * share * (1.0 - weight) * size_b, second.most)))

        try:
            found.append(search.size_for(make, amount))
        except InputError:
            continue
    found = [x for x in found if x.reached]
    return min(found, key=lambda x: x.plausibility.distance) if found else None
