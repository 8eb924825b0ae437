"""The dollar, the current account and the ledger (METHOD 5).

    s(t) = Γ (X$(t) − C(t) − θ P(t)) − ρ (Δ2y_US − Δ2y_foreign)
    CA(t) − CA(0) = η GDP Σ_u j(t−u) s(u),  u < t;   C = Σ (CA − CA(0)) dt
    Γ = γ/GDP,  θ = max(0, 1 − k*/k),  k = Γ η GDP,  P = η GDP Σ_{u<t} s dt − C_s

Intermediaries hold what the current account has not absorbed, at a price (Kouri 1976; Blanchard, Giavazzi and
Sa 2005; Gabaix and Maggiori 2015).  There is no automatic quantity mechanism: the ledger shows which matching
entry it was. Saving and investment: dCA = dS − dI (Klitgaard 2025).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from riskengine.base.axes import ASSET_CLASSES
from riskengine.flows.draws import ParameterDraws, over_time

if TYPE_CHECKING:
    from riskengine.flows.capital_flows import CapitalFlows


@dataclass(frozen=True, slots=True)
class Ledger:
    """Signed lines per step; four sub-identities, each zero for every draw and step.

    lines : (D, T, L) USD bn per step.  names : L line names.  identity : L names of the sub-identity each
    line belongs to ('securities.treasury', 'proceeds', 'dollars', 'income', 'memo').  Lines of one identity
    sum to zero; 'memo' lines are outside.
    """

    names: tuple[str, ...]
    identity: tuple[str, ...]
    lines: np.ndarray

    def max_imbalance(self) -> float:
        """Largest |sum of an identity's lines| over identities, draws and steps, USD bn."""
        worst = [0.0]
        rows = self.lines.transpose(2, 1, 0)
        for name in sorted(set(self.identity) - {"memo"}):
            first, *others = (rows[i] for i, n in enumerate(self.identity) if n == name)
            total = first.copy()
            for row in others:
                total += row
            worst += [total.max(), -total.min()]
        return float(np.max(worst))  # NaN stays NaN


def jcurve_response(
    t: np.ndarray, trough: float = -0.15, trough_years: float = 0.5, zero_years: float = 1.0,
    full_years: float = 3.0
) -> np.ndarray:
    """Step response of the current account to a lasting depreciation, share of the long run, at *t* years."""
    return np.interp(t, [0.0, trough_years, zero_years, full_years], [0.0, trough, 0.0, 1.0])


def jcurve_weights(dt: float, draws: ParameterDraws | None = None) -> np.ndarray:
    """(L,) impulse weights j by lag, first lag first; they sum to 1."""
    names = ("jcurve_trough", "jcurve_trough_years", "jcurve_zero_years", "jcurve_full_years")
    shape = () if draws is None else tuple(float(np.median(draws[n])) for n in names)
    full = shape[3] if shape else 3.0
    lags = int(np.ceil(full / dt - 1e-9))
    return np.diff(jcurve_response(np.arange(lags + 1) * dt, *shape))


def look_through(gamma: np.ndarray, eta_gdp: np.ndarray, threshold: np.ndarray | float = 0.19) -> np.ndarray:
    """θ = max(0, 1 − k*/k): share of the improvement in the pipeline that intermediaries look through."""
    k = gamma * eta_gdp
    return np.maximum(0.0, 1.0 - threshold / np.maximum(k, 1e-300))


def split_current_account(
    change: np.ndarray, t: np.ndarray, draws: ParameterDraws
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Saving change (D, T), investment change (D, T) and saving by sector (3, D, T) behind a change of the
    current account (D, T), USD bn a year; dCA = dS − dI."""
    early, late = draws["investment_share_early"], draws["investment_share_late"]
    share = early[:, None] + over_time(late - early, np.clip((t - 1.0) / 2.0, 0.0, 1.0))
    investment = -share * change
    saving = change + investment
    sectors = np.stack([draws[f"saving_share_{s}"] for s in ("household", "business", "government")])
    return saving, investment, (sectors[:, None] * saving.T[None]).transpose(0, 2, 1)


def build_ledger(flows: CapitalFlows, draws: ParameterDraws) -> Ledger:
    """Every flow of the scenario as a signed line; see :class:`Ledger`.

    Signs inside an identity: securities, + buys and − sells; proceeds, + what was received and − what it was
    used for; dollars, + leaves the dollar and − who takes it; income, + paid to the United States and − paid
    by non-residents.
    """
    names: list[str] = []
    identity: list[str] = []
    lines: list[tuple[np.ndarray, int]] = []

    def put(kind: str, name: str, cumulative: np.ndarray, sign: int = 1, needed: bool = False) -> None:
        if needed or cumulative.any():
            names.append(name)
            identity.append(kind)
            lines.append((cumulative.T, sign))

    for a, name in enumerate(ASSET_CLASSES):
        kind = f"securities.{name}"
        put(kind, f"{name}: sellers", flows.own_orders[a], needed=True)
        put(kind, f"{name}: bought by sellers of other classes", flows.reallocated[a])
        put(kind, f"{name}: official targets", flows.target_sold[a], -1)
        put(kind, f"{name}: holders that migrate", flows.migration[a], -1)
        put(kind, f"{name}: untaxed paper of the same borrowers", flows.migration[a])
        put(kind, f"{name}: other foreigners", flows.foreign_absorbed[a], -1, needed=True)
        put(kind, f"{name}: US residents", flows.net[a], -1, needed=True)

    uses = flows.proceeds
    migrated = flows.migration.sum(axis=0)
    put("proceeds", "sale to US residents", uses["sold"], needed=True)
    put("proceeds", "sale of migrating holders", migrated)
    put("proceeds", "migration to untaxed paper", migrated, -1)
    put("proceeds", "other US classes", uses["other_us"], -1)
    put("proceeds", "dollar deposits", uses["deposits"], -1)
    put("proceeds", "hedges unwound (no dollar leaves)", uses["hedges"], -1)
    put("proceeds", "kept in dollars by USD-domiciled funds", uses["retained"], -1)
    put("proceeds", "sold to own residents (defence of the currency)", uses["defended"], -1)
    put("proceeds", "abroad: out of the dollar", uses["dollars"], -1, needed=True)

    put("dollars", "abroad: out of the dollar", uses["dollars"], needed=True)
    for name, outside in flows.outside:
        put("dollars", name, outside)
    put("dollars", "official targets beyond holdings (swap lines, forwards)", flows.beyond)
    put("dollars", "intermediaries", flows.position, -1, needed=True)
    put("dollars", "current account", _accumulate(flows.current_account * flows.dt), -1, needed=True)
    for name, extra in flows.extra_account:
        put("dollars", f"current account: {name}", _accumulate(extra * flows.dt), -1)

    revenue = _accumulate(flows.revenue)
    put("income", "tax and fee revenue, a current transfer", revenue, needed=True)
    put("income", "paid out of dollar balances by non-residents", revenue, -1, needed=True)

    put("memo", "US purchases abroad fall", draws["us_purchases_abroad"][:, None] * uses["dollars"])
    put("memo", "of the intermediaries: managed and pegged currencies' reserves",
        flows.managed_share[:, None] * flows.position)
    steps = np.empty((len(lines), *flows.position.T.shape))
    for step, (cumulative, sign) in zip(steps, lines, strict=True):
        np.multiply(cumulative[0], sign, out=step[0])
        before, after = cumulative[:-1], cumulative[1:]
        np.subtract(*((after, before) if sign > 0 else (before, after)), out=step[1:])
    return Ledger(tuple(names), tuple(identity), steps.T)


def _accumulate(per_step: np.ndarray) -> np.ndarray:
    """Σ over the steps so far, (D, T)."""
    total = per_step.T.copy()
    for before, now in zip(total[:-1], total[1:], strict=True):
        now += before
    return total.T
