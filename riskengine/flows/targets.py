"""Who sells the dollars that a pinned exchange rate needs: the accord's central banks, or all foreigners.

An accord's members sell in proportion to w_c s_c, each in his official mix and at most his official holdings;
what lies beyond is dollars without securities (swap lines, forwards) and is flagged.  A broad dollar target
reached by flows is a sale by all foreigners in proportion to their holdings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from riskengine.base.axes import ASSET_CLASSES
from riskengine.flows.clearing import USD_DOMICILED, currency_columns, hedge_ratios, us_share
from riskengine.flows.draws import ParameterDraws
from riskengine.flows.external_accounts import PRIVATE, ExternalAccounts
from riskengine.flows.orders import SECTORS


@dataclass(frozen=True, slots=True)
class TargetSellers:
    """M sellers; everything per dollar sold, (M, D) unless said.

    names : M.  holder : (M, H) how a seller's orders spread over holders.  share : of the dollars needed.
    capacity : USD bn of dollars.  to_class : (M, A, D) executed sales.  net : (M, A, D) the part US residents
    take.
    treasury : effect-weighted Treasury sales.  deposits, hedges, retained : proceeds that do not leave.
    """

    names: tuple[str, ...]
    holder: np.ndarray
    share: np.ndarray
    capacity: np.ndarray
    to_class: np.ndarray
    net: np.ndarray
    treasury: np.ndarray
    deposits: np.ndarray
    hedges: np.ndarray
    retained: np.ndarray


def no_sellers(accounts: ExternalAccounts, draws: ParameterDraws) -> TargetSellers:
    """No target: an empty set of sellers."""
    return draws.derive("no sellers", lambda: _no_sellers(accounts, draws), accounts)


def _no_sellers(accounts: ExternalAccounts, draws: ParameterDraws) -> TargetSellers:
    d, a = draws.count, len(ASSET_CLASSES)
    flat, deep = np.zeros((0, d)), np.zeros((0, a, d))
    return TargetSellers((), np.zeros((0, len(accounts.areas))), flat, flat, deep, deep, flat, flat, flat,
                         flat)


def accord_sellers(
    accounts: ExternalAccounts, draws: ParameterDraws, share_by_currency: dict[str, np.ndarray]
) -> TargetSellers:
    """Official holders of the accord's currencies; share_by_currency : currency → (D,) share of the
    dollars."""
    official = accounts.official
    members = [h for h, area in enumerate(accounts.areas)
               if area.currency in share_by_currency and official[h].sum() > 0]
    if not members:
        return no_sellers(accounts, draws)
    excluded = np.zeros(official.shape, dtype=bool)
    excluded[members] = True
    share_us, _ = us_share(accounts, draws, excluded)
    held_by_currency: dict[str, float] = {}
    for h in members:
        currency = accounts.areas[h].currency
        held_by_currency[currency] = held_by_currency.get(currency, 0.0) + official[h].sum()
    mix = official[members] / official[members].sum(axis=1, keepdims=True)  # (M, A)
    most = official[members].sum(axis=1)  # USD bn of securities each can sell in this mix
    chosen = draws.settings.accord_sale_mix
    if chosen is not None:
        mix = np.repeat(np.array([[chosen.get(name, 0.0) for name in ASSET_CLASSES]]), len(members), axis=0)
        ratio = np.divide(official[members], mix, out=np.full(mix.shape, np.inf), where=mix > 0)
        most = ratio.min(axis=1)
    taken = mix[:, :, None] * share_us.T[None]  # (M, A, D) per USD sold
    per_dollar = 1.0 / taken.sum(axis=1)
    to_class = mix[:, :, None] * per_dollar[:, None]
    share = np.stack([
        share_by_currency[accounts.areas[h].currency]
        * official[h].sum() / held_by_currency[accounts.areas[h].currency] for h in members
    ])
    zero = np.zeros_like(share)
    return TargetSellers(
        names=tuple(accounts.areas[h].name for h in members),
        holder=np.eye(len(accounts.areas))[members],
        share=share,
        capacity=most[:, None] / per_dollar,
        to_class=to_class,
        net=taken * per_dollar[:, None],
        treasury=to_class[:, 0],
        deposits=zero, hedges=zero, retained=zero,
    )


def all_foreigners(accounts: ExternalAccounts, draws: ParameterDraws) -> TargetSellers:
    """All foreigners sell in proportion to what they hold; only US residents can buy."""
    return draws.derive("all foreigners", lambda: _all_foreigners(accounts, draws), accounts)


def _all_foreigners(accounts: ExternalAccounts, draws: ParameterDraws) -> TargetSellers:
    total = accounts.holdings.sum()
    columns = currency_columns(accounts)
    converted = draws["conversion_usd_domiciled"]
    dollars = np.zeros(draws.count)
    deposits, hedges, retained = np.zeros_like(dollars), np.zeros_like(dollars), np.zeros_like(dollars)
    for k, name in enumerate(SECTORS):
        away, stay = draws[f"proceeds_{name}_abroad"], draws[f"proceeds_{name}_deposits"]
        abroad = away / (away + stay)
        sold = accounts.by_sector[k] / total  # (H, A)
        hedge = hedge_ratios(draws, k)
        unhedged = abroad * ((1 - hedge) @ sold.sum(axis=0))
        domiciled = abroad * ((1 - hedge) @ (columns[:, USD_DOMICILED] @ sold))
        deposits += (1 - abroad) * sold.sum()
        hedges += abroad * (hedge @ sold.sum(axis=0))
        kept = (1 - converted) * domiciled if k == PRIVATE else 0.0
        retained += kept
        dollars += unhedged - kept
    per_dollar = 1.0 / dollars
    mix = accounts.holdings.sum(axis=0) / total
    to_class = (mix[:, None] * per_dollar)[None]
    private = accounts.by_sector[PRIVATE][:, 0].sum() / accounts.holdings[:, 0].sum()
    weight = (1 - private) + private * draws["private_flow_weight_in_yields"]
    return TargetSellers(
        names=("all foreigners",),
        holder=(accounts.holdings.sum(axis=1) / total)[None],
        share=np.ones((1, draws.count)),
        capacity=(total * dollars)[None],
        to_class=to_class,
        net=to_class,
        treasury=to_class[:, 0] * weight,
        deposits=(deposits * per_dollar)[None],
        hedges=(hedges * per_dollar)[None],
        retained=(retained * per_dollar)[None],
    )
