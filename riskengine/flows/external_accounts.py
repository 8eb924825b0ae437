"""Who holds US assets, how large the markets are, and the income side: the external accounts of METHOD 1.

    foreign holdings    W[h, a], official part O[h, a],   Σ_h W = Grand Total (Rest closes the gap)
    US residents        Cap − Fed − foreign (long term) − foreign bills
    current account     CA = S − I + residual
    investment position net = assets − liabilities

Official shares are logit priors by area, shifted per class so that they add up to TIC's official total
("raking"; Deming and Stephan 1940 in logits).  Types and identities only; files are read in
``riskengine.data.accounts``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from riskengine.base.axes import ASSET_CLASSES
from riskengine.base.errors import InputError, ModelError, Problem, suggest
from riskengine.base.frozen import own_arrays

ROUNDING_USD_BN = 1.0
"""Published tables are rounded to 0.1 per cell; a sum over 40 areas may be off by this much."""
PRIVATE, OFFICIAL = 0, 1


@dataclass(frozen=True, slots=True)
class Holder:
    """One area of the holders' table.

    currency : home currency (ISO).  official_share : prior.  treaty_interest, treaty_dividends : highest rate
    the treaty allows (0.30 without one).  usd_domiciled : fund domicile whose owners think in dollars
    (conversion 0.25).
    mandated_funds : regulated funds with mandates (half-life 0.25 years).
    """

    name: str
    currency: str
    official_share: float
    treaty_interest: float
    treaty_dividends: float
    usd_domiciled: bool = False
    mandated_funds: bool = False
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class IncomeAccount:
    """USD bn at annual rates, one quarter.

    current_account is the NIPA balance (NETFI), not that of the international transactions accounts.
    residual = government investment, statistical discrepancy and capital transfers: CA − (S − I).
    """

    quarter: str
    gdp: float
    current_account: float
    household_saving: float
    business_saving: float
    government_saving: float
    private_investment: float
    source: str

    @property
    def saving(self) -> float:
        return self.household_saving + self.business_saving + self.government_saving

    @property
    def residual(self) -> float:
        return self.current_account - (self.saving - self.private_investment)


@dataclass(frozen=True, slots=True)
class RealEstate:
    """Foreign-owned US property, USD bn: stocks and usual purchases a year; exposure of commercial types to
    foreign buyers as a ratio to the exposed areas of the study (Gorback and Keys)."""

    residential: float
    commercial: float
    residential_purchases: float
    commercial_purchases: float
    exposure: dict[str, float]
    source: str


@dataclass(frozen=True, slots=True)
class ExternalAccounts:
    """External accounts at one date; all amounts USD bn, arrays over A = ASSET_CLASSES.

    as_of : date asked for.  accounts_as_of : date of the holdings.  holdings : (H, A) long-term securities.
    official : (H, A) official part.  capitalisation, central_bank, bills : (A,) market size, Federal Reserve,
    foreign bills (Treasury only).  purchases : (A,) usual foreign net purchases a year.
    published_official : (A,) TIC's official totals, or None (then the 2026 shifts are used, an assumption).
    checks : rows of the identities.  notes : sentences for the data page.
    """

    as_of: str
    accounts_as_of: str
    areas: tuple[Holder, ...]
    holdings: np.ndarray
    official: np.ndarray
    capitalisation: np.ndarray
    central_bank: np.ndarray
    bills: np.ndarray
    purchases: np.ndarray
    income: IncomeAccount
    position_assets: float
    position_liabilities: float
    position_date: str
    real_estate: RealEstate
    checks: tuple[dict, ...]
    notes: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    published_official: np.ndarray | None = None
    known_names: tuple[str, ...] = ()
    """Every name of the holders' file, listed in this survey or not."""

    def __post_init__(self) -> None:
        own_arrays(self)

    @property
    def classes(self) -> tuple[str, ...]:
        return ASSET_CLASSES

    @property
    def holders(self) -> tuple[str, ...]:
        return tuple(h.name for h in self.areas)

    @property
    def gdp(self) -> float:
        return self.income.gdp

    @property
    def by_sector(self) -> np.ndarray:
        """(2, H, A) private, official."""
        return np.stack([self.holdings - self.official, self.official])

    @property
    def residents(self) -> np.ndarray:
        """(A,) held by US residents other than the Federal Reserve."""
        return self.capitalisation - self.central_bank - self.bills - self.holdings.sum(axis=0)

    def identity_rows(self) -> tuple[dict, ...]:
        """Rows (identity, left, right, difference, tolerance, unit) of the checks made when loading."""
        return self.checks

    def select(self, names: Sequence[str]) -> tuple[np.ndarray, tuple[str, ...]]:
        """(H,) mask of the named holders, and the names this survey does not list apart (they are in Rest).

        InputError for unknown names, or when no named holder is listed.
        """
        if "all" in names:
            return np.ones(len(self.areas), dtype=bool), ()
        position = {name: i for i, h in enumerate(self.areas) for name in (h.name, *h.aliases)}
        mask = np.zeros(len(self.areas), dtype=bool)
        missing, unknown = [], []
        for name in names:
            if name in position:
                mask[position[name]] = True
            elif name in self.known_names:
                missing.append(name)
            else:
                unknown.append(name)
        accepted = tuple(position)
        problems = [Problem("unknown holder", got=n, accepted=suggest(n, accepted)) for n in unknown]
        if not unknown and not mask.any():
            problems.append(Problem("none of these holders is listed in the holdings of "
                                    f"{self.accounts_as_of}",
                                    got=", ".join(names),
                                    accepted=suggest(names[0] if names else "", accepted)))
        if problems:
            raise InputError(problems)
        return mask, tuple(missing)


def rake_official(
    holdings: np.ndarray, priors: np.ndarray, totals: np.ndarray | None, shifts: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Official holdings (H, A) from prior shares and the shifts (A,) used, logit share = logit prior +
    shift[a].

    totals : (A,) published official totals; shifts are solved by bisection.  None: *shifts* are taken as
    given.
    """
    logit = np.log(priors / (1 - priors))[:, None]

    def split(shift: np.ndarray) -> np.ndarray:
        return holdings / (1 + np.exp(-(logit + shift)))

    if totals is None:
        if shifts is None:
            raise InputError("official totals or shifts are needed")
        return split(shifts), shifts
    if np.any(totals < 0) or np.any(totals > holdings.sum(axis=0)):
        raise InputError(Problem("official totals must lie between 0 and all foreign holdings",
                                 got=str(totals)))
    low, high = np.full(holdings.shape[1], -40.0), np.full(holdings.shape[1], 40.0)
    for _ in range(200):
        middle = (low + high) / 2
        short = split(middle).sum(axis=0) < totals
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    return split((low + high) / 2), (low + high) / 2


def check_row(identity: str, left: float, right: float, tolerance: float, unit: str = "USD bn") -> dict:
    """One identity as a row; holds when |left − right| ≤ tolerance."""
    return {"identity": identity, "left": float(left), "right": float(right),
            "difference": float(left - right),
            "tolerance": tolerance, "unit": unit, "holds": bool(abs(left - right) <= tolerance)}


def check_identities(
    accounts: ExternalAccounts, grand_total: np.ndarray, published_net: float | None
) -> tuple[dict, ...]:
    """The identities of METHOD 1; ModelError naming every one that fails.

    grand_total : (A,) published foreign holdings.  published_net : net investment position, None when
    unknown.
    """
    foreign = accounts.holdings.sum(axis=0)
    rows = []
    for a, name in enumerate(ASSET_CLASSES):
        rows.append(check_row(f"{name}: areas + Rest = Grand Total", foreign[a], grand_total[a],
                              ROUNDING_USD_BN))
        if accounts.published_official is not None:
            rows.append(check_row(f"{name}: official shares add up to the published official total",
                                  accounts.official[:, a].sum(), accounts.published_official[a], 1e-6))
        parts = accounts.residents[a] + accounts.central_bank[a] + accounts.bills[a] + foreign[a]
        rows.append(check_row(f"{name}: US residents + Federal Reserve + foreigners = outstanding", parts,
                              accounts.capitalisation[a], 1e-6))
    income = accounts.income
    rows.append(check_row("current account = saving − investment + residual", income.current_account,
                          income.saving - income.private_investment + income.residual, 1e-6, "USD bn a year"))
    if published_net is not None:
        rows.append(check_row(f"net international investment position {accounts.position_date} = assets − "
                              "liabilities",
                              published_net, accounts.position_assets - accounts.position_liabilities, 60.0))
    broken = [f"{r['identity']}: off by {r['difference']:.3g} {r['unit']}" for r in rows if not r["holds"]]
    broken += [f"US residents' {name} would be negative ({x:.0f} USD bn)"
               for name, x in zip(ASSET_CLASSES, accounts.residents, strict=True) if x <= 0]
    broken += [f"negative holdings of {name}" for name,
               x in zip(ASSET_CLASSES, accounts.holdings.T, strict=True)
               if (x < 0).any()]
    if abs(income.residual) > 0.1 * income.gdp:
        broken.append(f"residual of the income account is {100 * income.residual / income.gdp:.1f}% of GDP")
    if broken:
        raise ModelError("external accounts: " + "; ".join(broken))
    return tuple(rows)
