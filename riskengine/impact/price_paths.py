"""From a policy to the moves of every factor, for every parameter draw: the part of the chain that prices
need.

    respond (flows) → clear (flows) → recursion over draws (kernels) → treasury, currencies, equity, property
    (impact)

Ledger and summary (``chain``) read the same paths; a what-if that only needs moves at a few steps stops here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from riskengine.base.axes import CURRENCIES, FACTORS, METROS
from riskengine.base.errors import InputError, Problem
from riskengine.base.units import BUSINESS_DAYS_PER_YEAR, Horizon
from riskengine.factor_model import FactorModel
from riskengine.flows.clearing import Clearing, clear
from riskengine.flows.draws import ParameterDraws, over_time
from riskengine.flows.external_accounts import ExternalAccounts
from riskengine.flows.orders import HolderOrders
from riskengine.flows.propagation import (
    PIN_FLOW, PIN_NONE, PIN_SENTIMENT, FlowPaths, Map, PinnedDollar, Scratch, dollars_out, run_recursion,
)
from riskengine.flows.response import respond
from riskengine.flows.shock_numbers import Numbers, decide_regimes, phase, realise
from riskengine.flows.targets import accord_sellers, all_foreigners, no_sellers
from riskengine.impact.announcement import Announcement
from riskengine.impact.asset_prices import flow_prices
from riskengine.impact.currencies import (
    AccordPattern, accord_pattern, currency_betas, currency_pattern, index_weights,
)
from riskengine.impact.equity import INDEX, equity_terms, market_input
from riskengine.impact.imposed import impose
from riskengine.impact.moves import Moves, Term
from riskengine.impact.real_estate import homes_move, phased, property_terms
from riskengine.impact.treasury_yields import (
    TEN, TENORS, TWO, imposed_paths, path_betas, tenor_weights, two_year_per_dollar,
)
from riskengine.market import MarketSnapshot
from riskengine.policy.scenario import Scenario
from riskengine.policy.shocks import CurrencyAccord, DollarDepreciation

_UST_ROW = FACTORS.index(f"UST_{TENORS[0]}")
_INDEX_ROW = FACTORS.index(f"EQ_{INDEX}")
_OWN = np.array([label.split("_")[0] in ("FX", "UST", "EQ", "CAP") for label in FACTORS.labels])
"""Factors whose response always comes from the chain."""


@dataclass(frozen=True, slots=True)
class PricePaths:
    """One scenario's path from orders to prices; arrays (D, T) unless said, the draws of a step together.

    t : (T + ahead,) years.  paths : recursion over T + ahead steps.  pattern : (D, 21) currencies per unit of
    s.
    s, flow_10y, equity_orders : prices of the broad dollar, the 10-year's flow channel and equity,
    announcement included.  path_2y : policy path of the 2-year through the dollar.  yield_betas : (D, 10).
    imposed_yields : curve (10, D) and progress (T + ahead,) of every imposed policy path.
    """

    scenario: Scenario
    draws: ParameterDraws
    steps: int
    t: np.ndarray
    numbers: Numbers
    regimes: dict[int, np.ndarray]
    orders: HolderOrders
    clearing: Clearing
    pinned: PinnedDollar
    paths: FlowPaths
    pattern: np.ndarray
    s: np.ndarray
    flow_10y: np.ndarray
    equity_orders: np.ndarray
    path_2y: np.ndarray
    yield_betas: np.ndarray
    imposed_yields: tuple[tuple[np.ndarray, np.ndarray], ...]

    def treasury_path(self, tenor: int, keep: np.ndarray | slice = slice(None)) -> np.ndarray:
        """(D, S) policy-path change of one tenor at the steps *keep*."""
        path = self.path_2y.T[keep] * self.yield_betas[:, tenor]
        for curve, progress in self.imposed_yields:
            path += np.multiply.outer(progress[: self.steps][keep], curve[tenor])
        return path.T


def price_paths(
    scenario: Scenario, accounts: ExternalAccounts, draws: ParameterDraws, model: FactorModel,
    horizon: Horizon, scratch: Scratch | None = None, run: Map | None = None, flows: bool = True,
) -> PricePaths:
    """Orders, clearing, the dollar and the flow channels; see :class:`PricePaths`.

    scratch : kept between calls with the same accounts and draws; ``paths`` are then valid until the next
    call.
    run : ``Executor.map``, to run the recursion on its threads.  flows : False when no ledger is asked
    for."""
    dt, steps = horizon.dt, horizon.steps
    ahead = _steps_ahead(scenario, draws, horizon)
    t = np.arange(1, steps + ahead + 1) * dt
    numbers = realise(scenario, draws)
    regimes = decide_regimes(scenario, draws, numbers)
    orders = respond(scenario, accounts, draws, numbers, regimes, t)
    clearing = clear(orders, accounts, draws, None if scratch is None else scratch.clearings)
    betas = currency_betas(draws, model)
    pinned, accord = _pin_dollar(scenario, accounts, draws, numbers, regimes, betas, t)
    yield_betas = path_betas(draws, model)
    imposed = imposed_paths(scenario, draws, numbers, yield_betas, t)
    per_dollar = two_year_per_dollar(draws)
    prices = flow_prices(accounts, draws, dt, scenario.flow_channel, scenario.risk_off)
    differential = draws.nothing(t.size)
    for curve, progress in imposed:
        differential = differential + over_time(curve[TWO], progress)
    if orders.foreign_2y is not None:
        differential = differential - orders.foreign_2y
    paths = run_recursion(orders, clearing, pinned, prices, accounts, draws, differential, per_dollar, dt,
                          scratch, run, steps, flows)
    outflow, by_currency = dollars_out(paths, clearing)
    pattern = _spread_over_currencies(accord, pinned.kind == PIN_FLOW, betas, by_currency, outflow, draws)
    share = draws["announcement_share"] * scenario.probability if ahead else np.zeros(draws.count)
    announce = Announcement(share, ahead, _regime_labels(regimes, draws.count), steps)
    # A target by hand is the user's own path of the price; an accord is a plan.
    by_hand = (pinned.kind != PIN_NONE) & (accord is None)
    s = announce.price(paths.s, by_hand)
    return PricePaths(
        scenario, draws, steps, t, numbers, regimes, orders, clearing, pinned, paths, pattern, s,
        announce.price(paths.yield_10y), announce.price(paths.equity),
        per_dollar[:, None] * s, yield_betas, imposed,
    )


def factor_moves(
    priced: PricePaths, accounts: ExternalAccounts, model: FactorModel, snapshot: MarketSnapshot, dt: float,
    keep: np.ndarray | slice = slice(None),
) -> tuple[Moves, np.ndarray]:
    """Moves of every factor by channel at the steps *keep*, and the core (K,) bool."""
    draws, steps = priced.draws, priced.steps
    # Property remembers the whole path of the 10-year.
    ten = priced.flow_10y * tenor_weights(draws)[TEN] + priced.treasury_path(TEN)
    drivers = {
        "dollar": priced.s.T[keep], "flow_10y": priced.flow_10y.T[keep],
        "equity_orders": priced.equity_orders.T[keep], "dollar_2y": priced.path_2y.T[keep],
        "path_2y": priced.treasury_path(TWO, keep).T, "path_10y": priced.treasury_path(TEN, keep).T,
        "slow_10y": phased(ten, draws["cap_rate_phase_years"], dt, keep).T,
    }
    terms = [Term(c, "exchange_rate", "dollar", priced.pattern[:, c]) for c in range(len(CURRENCIES))]
    terms += draws.derive("yields", lambda: _yield_terms(draws, priced.yield_betas), model)
    for n, (curve, progress) in enumerate(priced.imposed_yields):
        drivers[f"policy {n}"] = np.repeat(progress[:steps][keep][:, None], draws.count, axis=1)
        terms += [Term(_UST_ROW + j, "policy_path", f"policy {n}", curve[j]) for j in range(len(TENORS))]
    terms += equity_terms(draws, snapshot, model)
    residential, commercial = (
        None if x is None or not x[:, :steps].any() else x.T[:steps].T
        for x in (priced.orders.residential, priced.orders.commercial))
    of_property, buyers = property_terms(
        *(None if x is None else x.T[keep].T for x in (residential, commercial)),
        accounts.real_estate.exposure, draws, snapshot)
    core = _OWN | model.core
    for name in METROS if residential is not None else ():
        exposure = market_input(snapshot, f"metro_exposure.{name}")
        core[FACTORS.index(f"HOME_{name}")] |= homes_move(residential, exposure, draws)
    return Moves(drivers | buyers, [*terms, *of_property]), core


def _yield_terms(draws: ParameterDraws, betas: np.ndarray) -> list[Term]:
    """Both channels of every tenor, without imposed paths."""
    one, profile = np.ones(draws.count), tenor_weights(draws)
    return [term for j in range(len(TENORS)) for term in (
        Term(_UST_ROW + j, "flow", "flow_10y", profile[j] * one),
        Term(_UST_ROW + j, "policy_path", "dollar_2y", betas[:, j]))]


def equity_index(moves: Moves) -> np.ndarray:
    """(D, S) log move of the index that the chain itself brings."""
    return moves.of(_INDEX_ROW).T


def impose_moves(
    priced: PricePaths, moves: Moves, core: np.ndarray, model: FactorModel, horizon: Horizon,
    history: Mapping[str, tuple[np.ndarray, np.ndarray]] | None, keep: np.ndarray | slice = slice(None),
) -> tuple[np.ndarray, np.ndarray]:
    """Prices the scenario sets itself enter *moves* in place of the chain's: (core, pinned (K,) bool)."""
    count, steps = priced.draws.count, priced.steps
    imposed = impose(priced.scenario, priced.numbers, model, horizon, priced.t[:steps], count, history)
    pinned = _pinned_targets(priced.scenario, priced.regimes, priced.t[steps - 1])
    core = core.copy()
    for k, move in imposed.given.items():
        moves.given[k] = "imposed", move.T[keep]
        pinned[k] = core[k] = True
    for k, move in imposed.followers.items():
        moves.given[k] = "co_movement", move[keep][:, None]
        core[k] = True
    return core, pinned


# ---------------------------------------------------------------- parts
def _steps_ahead(scenario: Scenario, draws: ParameterDraws, horizon: Horizon) -> int:
    """Steps the recursion runs past the horizon so that prices can look a year ahead; 0 without
    announcement."""
    if not (scenario.announcement and draws.settings.announcement and scenario.probability > 0):
        return 0
    if not draws["announcement_share"].any():
        return 0
    years = draws.median("announcement_years")
    return round(years * BUSINESS_DAYS_PER_YEAR / horizon.step_days)


def _pin_dollar(
    scenario: Scenario, accounts: ExternalAccounts, draws: ParameterDraws, numbers: Numbers,
    regimes: dict[int, np.ndarray], betas: np.ndarray, t: np.ndarray,
) -> tuple[PinnedDollar, AccordPattern | None]:
    """The broad dollar's target path, if the scenario has one."""
    targets = [(i, x) for i, x in enumerate(scenario.shocks) if isinstance(x,
        CurrencyAccord | DollarDepreciation)]
    none = PinnedDollar(draws.nothing(t.size), np.full(draws.count, PIN_NONE), no_sellers(accounts, draws))
    if not targets:
        return none, None
    if len(targets) > 1:
        raise InputError(Problem(f"scenario {scenario.name}: the dollar can have one target",
                                 got=f"{len(targets)} accords or depreciations"))
    i, shock = targets[0]
    progress = phase(shock.schedule, t)
    if isinstance(shock, CurrencyAccord):
        accord = accord_pattern(shock, i, numbers, draws, betas)
        holds = regimes[i]
        kind = np.where(holds, PIN_FLOW, PIN_NONE)
        sellers = accord_sellers(accounts, draws, accord.share)
        return PinnedDollar(over_time(accord.s, progress), kind, sellers), accord
    s = over_time(np.log1p(numbers[i, "percent"]), progress)
    if shock.cause == "flow":
        return PinnedDollar(s, np.full(draws.count, PIN_FLOW), all_foreigners(accounts, draws)), None
    if shock.cause == "sentiment":
        return PinnedDollar(s, np.full(draws.count, PIN_SENTIMENT), none.sellers), None
    raise InputError(Problem("cause of a depreciation", got=shock.cause, accepted="flow, sentiment"))


def _spread_over_currencies(
    accord: AccordPattern | None, holds: np.ndarray, betas: np.ndarray, by_currency: np.ndarray,
    outflow: np.ndarray, draws: ParameterDraws
) -> np.ndarray:
    """(D, 21) s_c/s; where an accord holds its own pattern, else betas, tilt and clip.

    Targets other than an accord are reached by all foreigners, so only dollars of identified sellers tilt.
    """
    fixed = np.array([c in draws.settings.pegs or c in draws.settings.managed for c in CURRENCIES])
    pattern = currency_pattern(betas, index_weights(draws), draws["currency_tilt"], draws["currency_clip"],
                               by_currency, outflow, fixed)
    if accord is None:
        return pattern
    usable = np.abs(accord.s) > 1e-15
    of_accord = accord.moves.T / np.where(usable, accord.s, 1.0)
    return np.where(usable & holds, of_accord, pattern.T).T


def _regime_labels(regimes: dict[int, np.ndarray], count: int) -> np.ndarray:
    label = np.zeros(count, dtype=np.int64)
    for regime in regimes.values():
        label = 2 * label + regime
    return label


def _pinned_targets(scenario: Scenario, regimes: dict[int, np.ndarray], years: float) -> np.ndarray:
    """(K,) currencies whose noise is off: targets of an accord that holds in every draw and is in force at
    the end."""
    pinned = np.zeros(len(FACTORS), dtype=bool)
    for i, shock in enumerate(scenario.shocks):
        if isinstance(shock, CurrencyAccord) and regimes[i].all() and phase(shock.schedule,
                                                                            np.array([years]))[0] > 0:
            for currency, _ in shock.targets:
                pinned[FACTORS.index(f"FX_{currency}")] = True
    return pinned
