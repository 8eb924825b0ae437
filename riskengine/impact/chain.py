"""The chain of one scenario: policy shock → orders → clearing → dollar and current account → prices of every
factor.

    respond (flows) → clear (flows) → recursion over draws (kernels) → treasury, currencies, equity, property
    (impact)

One pass per scenario; everything is by parameter draw, a difference to the baseline (s = X = C = 0).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from riskengine.base.axes import CHANNELS, CURRENCIES, FACTORS
from riskengine.base.errors import InputError, Problem
from riskengine.base.units import BUSINESS_DAYS_PER_YEAR, Horizon
from riskengine.factor_model import FactorModel
from riskengine.flows.balance_of_payments import build_ledger
from riskengine.flows.clearing import clear
from riskengine.flows.draws import ParameterDraws
from riskengine.flows.external_accounts import ExternalAccounts
from riskengine.flows.propagation import (
    PIN_FLOW,
    PIN_NONE,
    PIN_SENTIMENT,
    CapitalFlows,
    PinnedDollar,
    collect_flows,
    run_recursion,
)
from riskengine.flows.response import respond
from riskengine.flows.shock_numbers import Numbers, decide_regimes, phase, realise
from riskengine.flows.targets import accord_sellers, all_foreigners, no_sellers
from riskengine.impact.announcement import Announcement
from riskengine.impact.asset_prices import flow_prices
from riskengine.impact.currencies import (
    AccordPattern,
    accord_pattern,
    currency_betas,
    currency_pattern,
    index_weights,
    managed_reserve_share,
)
from riskengine.impact.equity import equity_index, equity_responses
from riskengine.impact.imposed import impose
from riskengine.impact.real_estate import property_responses
from riskengine.impact.response import PolicyResponse, ResponseDraws
from riskengine.impact.summary import find_flags, summarise_chain
from riskengine.impact.treasury_yields import (
    TEN,
    TENORS,
    TWO,
    imposed_path,
    path_betas,
    tenor_weights,
    two_year_per_dollar,
)
from riskengine.market import MarketSnapshot
from riskengine.policy.scenario import Scenario
from riskengine.policy.shocks import CurrencyAccord, DollarDepreciation

_FX = slice(0, len(CURRENCIES))
_UST = slice(FACTORS.index(f"UST_{TENORS[0]}"), FACTORS.index(f"UST_{TENORS[-1]}") + 1)


def respond_to_policy(
    scenario: Scenario,
    accounts: ExternalAccounts,
    parameters: ParameterDraws,
    model: FactorModel,
    snapshot: MarketSnapshot,
    horizon: Horizon,
    history: Mapping[str, tuple[np.ndarray, np.ndarray]] | None = None,
) -> PolicyResponse:
    """Everything the chain says about one scenario.

    Parameters
    ----------
    parameters : draws of every parameter, D draws.  model : loadings, betas and covariances at the horizon's
    step.
    snapshot : market inputs (revenue shares, loadings, cap rates, exposures).
    history : factor label → (dates, levels), needed by HistoricalReplay only; levels are logs for log factors
    and
        decimals for rates.

    Raises
    ------
    InputError : a scenario that contradicts itself, unknown names, missing inputs or history.
    ModelError : a promise of the method is violated (currencies cannot add up).
    """
    draws, dt, steps = parameters, horizon.dt, horizon.steps
    ahead = _steps_ahead(scenario, draws, horizon)
    t = np.arange(1, steps + ahead + 1) * dt
    numbers = realise(scenario, draws)
    regimes = decide_regimes(scenario, draws, numbers)
    orders = respond(scenario, accounts, draws, numbers, regimes, t)
    clearing = clear(orders, accounts, draws)
    betas = currency_betas(draws, model)
    pinned, accord = _pin_dollar(scenario, accounts, draws, numbers, regimes, betas, t)
    yield_betas = path_betas(draws, model)
    imposed_yields = imposed_path(scenario, draws, numbers, yield_betas, t)
    per_dollar = two_year_per_dollar(draws)
    prices = flow_prices(accounts, draws, dt, scenario.flow_channel, scenario.risk_off)
    paths = run_recursion(orders, clearing, pinned, prices, accounts, draws,
                          imposed_yields[:, :, TWO] - orders.foreign_2y, per_dollar, dt)
    flows = collect_flows(paths, orders, clearing, pinned, steps, dt)
    pattern = _spread_over_currencies(accord, pinned.kind == PIN_FLOW, betas, flows, draws)
    flows = replace(flows, managed_share=managed_reserve_share(pattern, draws))

    share = draws["announcement_share"] * scenario.probability if ahead else np.zeros(draws.count)
    announce = Announcement(share, ahead, _regime_labels(regimes, draws.count), steps)
    held = pinned.kind != PIN_NONE
    s = announce.price(paths.s, held)
    flow_10y = announce.price(paths.yield_10y)
    equity_orders = announce.price(prices.per_order[:, 3, None] * paths.orders[:, :, 3])
    path_2y = per_dollar[:, None] * s
    treasury_flow = flow_10y[:, :, None] * tenor_weights(draws)[None, None]
    treasury_path = path_2y[:, :, None] * yield_betas[:, None, :] + imposed_yields[:, :steps]

    path = np.zeros((draws.count, steps, len(FACTORS)))
    at_end = {name: np.zeros((draws.count, len(FACTORS))) for name in CHANNELS}

    np.multiply(s[:, :, None], pattern[:, None, :], out=path[:, :, _FX])
    np.add(treasury_flow, treasury_path, out=path[:, :, _UST])
    at_end["exchange_rate"][:, _FX] = path[:, -1, _FX]
    at_end["flow"][:, _UST] = treasury_flow[:, -1]
    at_end["policy_path"][:, _UST] = treasury_path[:, -1]
    index = equity_index(equity_orders, s, flow_10y, treasury_path[:, :, TWO], draws, snapshot, model)
    responses = equity_responses(index, s, flow_10y, treasury_path[:, :, TEN], draws, snapshot, model)
    estate = accounts.real_estate
    responses |= property_responses(
        treasury_flow[:, :, TEN] + treasury_path[:, :, TEN], orders.residential[:, :steps],
        orders.commercial[:, :steps], estate.exposure, draws, snapshot, dt)
    own = {"FX", "UST", "EQ", "CAP"}
    core = np.array([label.split("_")[0] in own for label in FACTORS.labels]) | model.core
    for label, moves in responses.items():
        k = FACTORS.index(label)
        for channel, move in moves.items():
            path[:, :, k] += move
            at_end[channel][:, k] += move[:, -1]
            core[k] |= bool(move.any())
    imposed = impose(scenario, numbers, model, horizon, t[:steps], draws.count, history)
    pinned_factors = _pinned_targets(scenario, regimes, t[steps - 1])
    for k, move in imposed.given.items():
        _set(path, at_end, k, "imposed", move)
        pinned_factors[k] = core[k] = True
    for k, move in imposed.followers.items():
        _set(path, at_end, k, "co_movement", move[None])
        core[k] = True
    used = tuple(c for c in CHANNELS if at_end[c].any())
    by_channel = np.stack([at_end[c] for c in used]) if used else np.zeros((1, draws.count, len(FACTORS)))
    response = ResponseDraws(FACTORS, horizon, path, used or ("flow",), by_channel + 0.0, core,
                             pinned_factors)
    index_path = sum(index.values())
    chain = summarise_chain(accounts, orders, clearing, flows, pinned.sellers, draws, s, treasury_flow,
                            treasury_path,
                            index_path, t[:steps])
    flags = find_flags(scenario, accounts, orders, flows, s, pinned, draws)
    return PolicyResponse(response, chain, build_ledger(flows, draws), flags)


# ---------------------------------------------------------------- parts
def _steps_ahead(scenario: Scenario, draws: ParameterDraws, horizon: Horizon) -> int:
    """Steps the recursion runs past the horizon so that prices can look a year ahead; 0 without
    announcement."""
    if not (scenario.announcement and draws.settings.announcement and scenario.probability > 0):
        return 0
    if not draws["announcement_share"].any():
        return 0
    years = float(np.median(draws["announcement_years"]))
    return round(years * BUSINESS_DAYS_PER_YEAR / horizon.step_days)


def _pin_dollar(
    scenario: Scenario, accounts: ExternalAccounts, draws: ParameterDraws, numbers: Numbers,
    regimes: dict[int, np.ndarray], betas: np.ndarray, t: np.ndarray,
) -> tuple[PinnedDollar, AccordPattern | None]:
    """The broad dollar's target path, if the scenario has one."""
    targets = [(i, x) for i, x in enumerate(scenario.shocks) if isinstance(x,
        CurrencyAccord | DollarDepreciation)]
    none = PinnedDollar(np.zeros((draws.count, t.size)), np.full(draws.count, PIN_NONE),
                        no_sellers(accounts, draws))
    if not targets:
        return none, None
    if len(targets) > 1:
        raise InputError(Problem(f"scenario {scenario.name}: the dollar can have one target",
                                 got=f"{len(targets)} accords or depreciations"))
    i, shock = targets[0]
    progress = phase(shock.schedule, t)[None]
    if isinstance(shock, CurrencyAccord):
        accord = accord_pattern(shock, i, numbers, draws, betas)
        holds = regimes[i]
        kind = np.where(holds, PIN_FLOW, PIN_NONE)
        sellers = accord_sellers(accounts, draws, accord.share)
        return PinnedDollar(accord.s[:, None] * progress, kind, sellers), accord
    s = np.log1p(numbers[i, "percent"])[:, None] * progress
    if shock.cause == "flow":
        return PinnedDollar(s, np.full(draws.count, PIN_FLOW), all_foreigners(accounts, draws)), None
    if shock.cause == "sentiment":
        return PinnedDollar(s, np.full(draws.count, PIN_SENTIMENT), none.sellers), None
    raise InputError(Problem("cause of a depreciation", got=shock.cause, accepted="flow, sentiment"))


def _spread_over_currencies(
    accord: AccordPattern | None, holds: np.ndarray, betas: np.ndarray, flows: CapitalFlows,
    draws: ParameterDraws
) -> np.ndarray:
    """(D, 21) s_c/s; where an accord holds its own pattern, else betas, tilt and clip.

    Targets other than an accord are reached by all foreigners, so only dollars of identified sellers tilt.
    """
    outflow = flows.proceeds["dollars"][:, -1] - flows.target_dollars[:, -1].sum(axis=1)
    fixed = np.array([c in draws.settings.pegs or c in draws.settings.managed for c in CURRENCIES])
    pattern = currency_pattern(betas, index_weights(draws), draws["currency_tilt"], draws["currency_clip"],
                               flows.by_currency, outflow, fixed)
    if accord is None:
        return pattern
    usable = np.abs(accord.s) > 1e-15
    of_accord = accord.moves / np.where(usable, accord.s, 1.0)[:, None]
    return np.where((usable & holds)[:, None], of_accord, pattern)


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


def _set(path: np.ndarray, at_end: dict[str, np.ndarray], k: int, channel: str, move: np.ndarray) -> None:
    """Replace the response of factor *k* by an imposed one."""
    path[:, :, k] = move
    for values in at_end.values():
        values[:, k] = 0.0
    at_end[channel][:, k] = path[:, -1, k]
