"""What an order is: groups of holders that move in proportion, and where the proceeds go (METHOD 3).

    cumulative order[h, t] = amount[h] · f[t],   f < 0 a sale, f ≥ −1

Holder × time stays factored: the recursion sees groups, holders come back in reports.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from riskengine.base.axes import ASSET_CLASSES
from riskengine.base.errors import InputError, Problem
from riskengine.flows.draws import ParameterDraws
from riskengine.flows.external_accounts import OFFICIAL, PRIVATE, ExternalAccounts

SECTORS = ("private", "official")


@dataclass(frozen=True, slots=True)
class Proceeds:
    """Shares of what a seller receives: other_us (D,) bought in classes he keeps; abroad (D,) of the rest,
    the remainder staying in dollar deposits.  defend: the dollars of official sellers go to their own
    residents."""

    other_us: np.ndarray
    abroad: np.ndarray
    defend: bool = False


@dataclass(frozen=True, slots=True)
class OrderGroup:
    """Holders that move in proportion: cumulative order[h, t] = amounts[h]·f[t].

    shock : position in the scenario.  amounts : (P, H) USD bn, P = 1 or D.  given : path (T,) is f itself;
    otherwise f adjusts at *speed* (D,) (per year) to the target of wedge (D,), phase (T,) and elasticity
    (D,).
    migration : multiple of the response where untaxed substitutes exist (1 = none).
    revenue : (D,) USD bn a year of tax per USD bn held while the phase is 1; revenue_phase (T,).
    """

    shock: int
    asset_class: int
    sector: int
    amounts: np.ndarray
    proceeds: Proceeds
    given: bool
    path: np.ndarray | None = None
    wedge: np.ndarray | None = None
    phase: np.ndarray | None = None
    speed: np.ndarray | None = None
    elasticity: np.ndarray | None = None
    migration: np.ndarray | None = None
    revenue: np.ndarray | None = None
    revenue_phase: np.ndarray | None = None
    absent: bool = False
    """True: purchases that do not come; no holding is touched, so what a holder keeps is unaffected."""


@dataclass(slots=True)
class HolderOrders:
    """All orders of a scenario.

    groups : orders of securities.  outside : (name, (D, T) cumulative dollars that leave without a sale).
    extra_account : (name, (D, T) current account from outside the dollar, USD bn a year).
    foreign_2y : (D, T) change of foreign 2-year yields.  residential, commercial : (D, T) log change of
    foreign capital in US property.  None: no change.  flags : plain sentences.
    """

    groups: list[OrderGroup] = field(default_factory=list)
    outside: list[tuple[str, np.ndarray]] = field(default_factory=list)
    extra_account: list[tuple[str, np.ndarray]] = field(default_factory=list)
    foreign_2y: np.ndarray | None = None
    residential: np.ndarray | None = None
    commercial: np.ndarray | None = None
    flags: list[str] = field(default_factory=list)


def select_holders(orders: HolderOrders, accounts: ExternalAccounts, names: tuple[str, ...]) -> np.ndarray:
    """(H,) mask of the named holders; names that this survey does not list apart become a flag."""
    mask, missing = accounts.select(names)
    if missing:
        text = (f"not listed apart in the holdings of {accounts.accounts_as_of}, so not selected "
                "(inside Rest): "
                + ", ".join(missing))
        if text not in orders.flags:
            orders.flags.append(text)
    return mask


def class_indices(names: tuple[str, ...]) -> tuple[int, ...]:
    """Positions of asset classes; InputError for unknown names."""
    unknown = [n for n in names if n not in ASSET_CLASSES]
    if unknown:
        raise InputError([Problem("unknown asset class", got=n,
                                  accepted=", ".join(ASSET_CLASSES)) for n in unknown])
    return tuple(ASSET_CLASSES.index(n) for n in names)


def sector_indices(name: str) -> tuple[int, ...]:
    """Positions in SECTORS: all, private, official."""
    if name == "all":
        return (PRIVATE, OFFICIAL)
    if name in SECTORS:
        return (SECTORS.index(name),)
    raise InputError(Problem("unknown sector", got=name, accepted="all, private, official"))


def select_cells(
    holdings: np.ndarray, mask: np.ndarray, sectors: tuple[int, ...], classes: tuple[int, ...]
) -> np.ndarray:
    """(P, 2, H, A) holdings with everything outside the selection zero."""
    keep = np.zeros(holdings.shape[1:], dtype=bool)
    for k in sectors:
        for a in classes:
            keep[k, :, a] = mask
    return np.where(keep[None], holdings, 0.0)


def compress(values: np.ndarray) -> tuple[np.ndarray, bool]:
    """First axis to one row when all rows are equal."""
    constant = bool(np.all(values == values[:1]))
    return (values[:1] if constant else values), constant


def use_proceeds(draws: ParameterDraws, sector: int, use: str) -> Proceeds:
    """Proceeds of a seller; default and defend take the shares of the sector from the parameters."""
    return draws.derive(("proceeds", sector, use), lambda: _proceeds(draws, sector, use))


def _proceeds(draws: ParameterDraws, sector: int, use: str) -> Proceeds:
    zero, one = np.zeros(draws.count), np.ones(draws.count)
    if use in ("default", "defend"):
        name = f"proceeds_{SECTORS[sector]}"
        other, abroad, deposits = (draws[f"{name}_{part}"] for part in ("other_us", "abroad", "deposits"))
        return Proceeds(other, abroad / (abroad + deposits), use == "defend")
    if use == "abroad":
        return Proceeds(zero, one)
    if use == "other_us":
        return Proceeds(one, zero)
    if use == "deposits":
        return Proceeds(zero, zero)
    raise InputError(Problem("use of proceeds", got=use,
                             accepted="default, abroad, other_us, deposits, defend"))
