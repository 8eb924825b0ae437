"""Holder groups of the external accounts as cells of the feedback: who loses what, and what his sales move.

    group   home-currency bloc × sector (private, official);  cell = group × asset class
    loss    asset return (duration × zero rate at that maturity; the index) and the unhedged part of the home
            currency's move, weighted by the holdings of the bloc's members
    limit   multiple × 95% loss of one step under the factor model at long-run volatility
    prices  METHOD 4: Treasury propagator by tenor (private orders weighted), equity multiplier;
            METHOD 5: Γ × dollars that leave, US share × share abroad × (1 − hedge ratio) × conversion

Agency and corporate sales reach the dollar and the flow line; their own prices are no factors of the axis.
Thresholds, shares and memory are assumptions of configs/impact/feedback.toml.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from scipy.special import stdtrit

from riskengine.base.axes import ASSET_CLASSES, CURRENCIES, EQUITIES, FACTORS, KEY_RATES
from riskengine.base.errors import InputError, Problem, suggest
from riskengine.base.estimate import Distribution
from riskengine.base.units import Horizon
from riskengine.factor_model import FactorModel
from riskengine.flows.clearing import hedge_ratios, us_share
from riskengine.flows.draws import ParameterDraws
from riskengine.flows.external_accounts import OFFICIAL, ExternalAccounts, Holder
from riskengine.impact.asset_prices import flow_prices
from riskengine.impact.currencies import currency_betas, currency_pattern, index_weights
from riskengine.impact.parameters import ImpactParameters, draw_parameters
from riskengine.impact.treasury_yields import tenor_weights
from riskengine.simulation.feedback import Feedback

BLOCS: dict[str, tuple[str, ...]] = {
    "Europe": ("EUR", "GBP", "CHF", "SEK", "NOK", "DKK"),
    "Japan": ("JPY",),
    "Asia": ("CNY", "HKD", "TWD", "KRW", "SGD", "INR", "THB", "MYR"),
    "Americas and Oceania": ("CAD", "MXN", "BRL", "AUD", "NZD", "ZAR"),
    "dollar area": ("USD", "SAR", "AED"),
}
"""Home currencies of each bloc; holders of other or unknown currencies form the bloc 'other'."""
OTHER = "other"
SECTORS = ("private", "official")
MARKETS = ("treasury", "equity", "dollar")
CASES = ("default", "lo", "hi")
_TAIL = 0.95
_PREFIX = "feedback_"
_INDEX = "EQ_SP500"


def feedback_from_accounts(
    accounts: ExternalAccounts, parameters: ImpactParameters, model: FactorModel, horizon: Horizon,
    case: str = "default", overrides: Mapping[str, Distribution] | None = None,
) -> Feedback:
    """Feedback selling of all foreign holders of US securities, at default parameters of the chain.

    Parameters
    ----------
    model : over FACTORS; its step is the horizon's.
    case : 'default', 'lo' or 'hi': which end of the bands of feedback.toml (hi: larger shares, longer memory,
        *lower* thresholds: more selling).
    overrides : name without 'feedback_' → Distribution, in place of the parameter of that name.

    Raises
    ------
    InputError : another axis or step, an unknown case.
    """
    problems = []
    if model.axis != FACTORS:
        problems.append(Problem("holders' feedback needs the factors of the engine", got=model.axis.name))
    if model.step_days != horizon.step_days:
        problems.append(Problem("the horizon's step must be the model's", got=f"{horizon.step_days} days",
                                accepted=f"{model.step_days} days"))
    if case not in CASES:
        problems.append(Problem("case", got=case, accepted=", ".join(CASES)))
    if problems:
        raise InputError(problems)
    draws = draw_parameters(parameters, np.zeros((1, len(parameters))), uncertain=False)
    known = {name: parameters[name] for name in parameters if name.startswith(_PREFIX)}
    for name, given in (overrides or {}).items():
        if _PREFIX + name not in known:
            accepted = suggest(name, tuple(n.removeprefix(_PREFIX) for n in known))
            raise InputError(Problem("unknown number of holders' feedback", got=name, accepted=accepted))
        known[_PREFIX + name] = given
    share = [_number(known, f"{_PREFIX}share_{sector}", case) for sector in SECTORS]
    opposite = {"default": "default", "lo": "hi", "hi": "lo"}[case]
    multiple = _number(known, f"{_PREFIX}threshold_multiple", opposite)
    half_life = _number(known, f"{_PREFIX}memory_half_life", case)
    memory = 2.0 ** (-horizon.dt / half_life) if half_life > 0 else 0.0

    leaving = _dollars_leaving(accounts, draws)
    held = np.maximum(accounts.by_sector, 0.0)
    asset_return = _asset_returns(draws)
    pegs = draws.settings.pegs
    cells, loading, holdings, sold = [], [], [], []
    for bloc in (*BLOCS, OTHER):
        members = [h for h, holder in enumerate(accounts.areas) if _bloc(holder) == bloc]
        for s, sector in enumerate(SECTORS):
            hedged = hedge_ratios(draws, s)[0]
            for a, name in enumerate(ASSET_CLASSES):
                amounts = held[s, members, a]
                if not amounts.sum() > 0:
                    continue
                home = np.zeros(len(FACTORS))
                for h, amount in zip(members, amounts, strict=True):
                    home += amount / amounts.sum() * _home_currency(accounts.areas[h], draws, pegs)
                cells.append((f"{sector} {bloc}", name))
                loading.append(asset_return[a] - (1.0 - hedged[a]) * home)
                holdings.append(amounts.sum())
                weight = 1.0 if s == OFFICIAL else draws["private_flow_weight_in_yields"][0]
                sold.append((
                    weight * amounts.sum() if name == "treasury" else 0.0,
                    amounts.sum() if name == "equity" else 0.0,
                    float(amounts @ leaving[s, members, a]),
                ))
    loading = np.array(loading)
    official = np.array([group.startswith(SECTORS[OFFICIAL]) for group, _ in cells])
    lasting, decay, impact = _impact(accounts, draws, model, horizon)
    return Feedback(
        cells=tuple(cells), loading=loading, memory=np.full(len(cells), memory),
        threshold=multiple * _tail_losses(loading, model) / math.sqrt(1.0 - memory**2),
        share=np.where(official, share[OFFICIAL], share[1 - OFFICIAL]), holdings=np.array(holdings),
        markets=MARKETS, amount=np.array(sold).T, lasting=lasting, decay=decay, impact=impact,
        sources=tuple(f"{name} = {_number(known, name, opposite if 'threshold' in name else case):g} "
                      f"({number.unit}): {number.source}" for name, number in known.items()),
    )


def _number(known: Mapping[str, Distribution], name: str, case: str) -> float:
    value = getattr(known[name], case)
    return float(known[name].default if value is None else value)


def _bloc(holder: Holder) -> str:
    return next((bloc for bloc, currencies in BLOCS.items() if holder.currency in currencies), OTHER)


def _home_currency(holder: Holder, draws: ParameterDraws, pegs: tuple[str, ...]) -> np.ndarray:
    """(K,) move of the holder's home currency: its own factor, none in the dollar area, else the index."""
    move = np.zeros(len(FACTORS))
    if holder.currency in CURRENCIES:
        move[FACTORS.index(f"FX_{holder.currency}")] = 1.0
    elif holder.currency not in (*BLOCS["dollar area"], *pegs) and not holder.usd_domiciled:
        for currency, weight in zip(CURRENCIES, index_weights(draws), strict=True):
            move[FACTORS.index(f"FX_{currency}")] = weight
    return move


def _asset_returns(draws: ParameterDraws) -> np.ndarray:
    """(A, K) return in USD: −duration × zero rate at that maturity (linear between key rates); the index."""
    years = np.array(list(KEY_RATES.values()))
    returns = np.zeros((len(ASSET_CLASSES), len(FACTORS)))
    rates = FACTORS.indices(f"UST_{tenor}" for tenor in KEY_RATES)
    for a, name in enumerate(ASSET_CLASSES):
        if name == "equity":
            returns[a, FACTORS.index(_INDEX)] = 1.0
        else:
            duration = draws[f"duration_{name}"][0]
            returns[a, rates] = [-duration * np.interp(duration, years, unit) for unit in np.eye(len(years))]
    return returns


def _dollars_leaving(accounts: ExternalAccounts, draws: ParameterDraws) -> np.ndarray:
    """(2, H, A) USD that leave the dollar per USD sold."""
    nobody = np.zeros(accounts.holdings.shape, dtype=bool)
    net = us_share(accounts, draws, nobody)[0][0]
    kept = draws["conversion_usd_domiciled"][0]
    conversion = np.array([kept if h.usd_domiciled else 1.0 for h in accounts.areas])
    out = np.empty((2, *accounts.holdings.shape))
    for s, sector in enumerate(SECTORS):
        abroad = draws[f"proceeds_{sector}_abroad"][0]
        out[s] = conversion[:, None] * (net * abroad * (1.0 - hedge_ratios(draws, s)[0]))[None]
    return out


def _tail_losses(loading: np.ndarray, model: FactorModel) -> np.ndarray:
    """(C,) 95% loss of one step at long-run volatility, Student-t with unit variance."""
    quantile = stdtrit(model.dof, _TAIL) * math.sqrt((model.dof - 2.0) / model.dof)
    scaled = loading * model.vol_long_run
    return quantile * np.sqrt(np.einsum("ck,kl,cl->c", scaled, model.correlation, scaled))


def _impact(
    accounts: ExternalAccounts, draws: ParameterDraws, model: FactorModel, horizon: Horizon
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """lasting (M,), decay (M,) per step, impact (K, M) per USD bn; non-core factors follow by loadings."""
    prices = flow_prices(accounts, draws, horizon.dt)
    impact = np.zeros((len(FACTORS), len(MARKETS)))
    impact[FACTORS.indices(f"UST_{t}" for t in KEY_RATES), 0] = tenor_weights(draws) * prices.impact[0]
    index = FACTORS.index(_INDEX)
    for name in EQUITIES:
        k = FACTORS.index(f"EQ_{name}")
        beta = model.correlation[k, index] * model.vol_long_run[k] / model.vol_long_run[index]
        impact[k, 1] = -beta * prices.per_order[0, ASSET_CLASSES.index("equity")]
    names = draws.settings.pegs + draws.settings.managed
    pattern = currency_pattern(
        currency_betas(draws, model), index_weights(draws), np.zeros(1), draws["currency_clip"],
        np.zeros((1, len(CURRENCIES))), np.zeros(1), np.isin(CURRENCIES, names),
    )[0]
    gamma = draws["gamma_broad_per_gdp"][0] / accounts.gdp
    impact[FACTORS.indices(f"FX_{c}" for c in CURRENCIES), 2] = gamma * pattern
    core = model.core
    impact[~core] = model.loadings[np.ix_(~core, core)] @ impact[core]
    lasting = np.array([prices.long_run[0] / prices.impact[0], 1.0, 1.0])
    return lasting, np.array([prices.decay[0], 1.0, 1.0]), impact
