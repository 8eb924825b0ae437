"""Which standardised days can the night be drawn from? Rows for filtered historical simulation.

Barone-Adesi, Giannopoulos and Vosper (1999): a row is one day's (week's) standardised moves of all factors,
kept together, so that the rows carry the historical co-movement and joint tails.  A factor not observed on
a row (equities after 2018, property always) is drawn from its Student-t distribution conditional on what
was observed:

    z_m | z_o ~ t_{ν+d}( R_mo R_oo⁻¹ z_o,  (ν + δ)/(ν + d) · (R_mm − R_mo R_oo⁻¹ R_om) ),   δ = z_o' R_oo⁻¹
    z_o

scaled to the model's unit-variance t; fixed seed.  That keeps the unconditional correlation and lets filled
factors jump on the days on which the observed ones did.
"""

from __future__ import annotations

import numpy as np

from factors.definitions import MIN_RESIDUAL_YEARS, RESIDUAL_SEED, RESIDUAL_START, SYNTHETIC_SHARE


def fill_rows(z: np.ndarray, dates: np.ndarray, correlation: np.ndarray, dof: float
              ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Complete rows (R, K) of unit variance and zero mean, the share drawn (K,) and the flags (K,) bool.

    z : (T, K) standardised moves with NaN, columns in FACTORS order; dates (T,).  Rows from RESIDUAL_START
    on, or from the first one where that leaves less than MIN_RESIDUAL_YEARS (early as-of dates).
    """
    start = np.datetime64(RESIDUAL_START)
    if dates[-1] - start < np.timedelta64(round(365.25 * MIN_RESIDUAL_YEARS), "D"):
        start = dates[0]
    rows = z[dates >= start].copy()
    rows = rows[np.isfinite(rows).any(axis=1)]
    seen = np.isfinite(rows)
    drawn = 1.0 - seen.mean(axis=0)
    rng = np.random.Generator(np.random.Philox(RESIDUAL_SEED))
    kinds, which = np.unique(seen, axis=0, return_inverse=True)
    which = which.reshape(-1)
    for i, kind in enumerate(kinds):
        if kind.all():
            continue
        at = np.flatnonzero(which == i)
        gap = ~kind
        observed = rows[np.ix_(at, kind)]
        b = np.linalg.solve(correlation[np.ix_(kind, kind)], correlation[np.ix_(kind, gap)])
        rest = correlation[np.ix_(gap, gap)] - correlation[np.ix_(gap, kind)] @ b
        root = np.linalg.cholesky(0.5 * (rest + rest.T))
        d = int(kind.sum())
        delta = np.einsum("ti,it->t", observed, np.linalg.solve(correlation[np.ix_(kind, kind)], observed.T))
        # scatter of the unit-variance t is R (ν − 2)/ν; its conditional scale, then a t with ν + d degrees
        scale = ((dof - 2.0) + delta) / (dof + d)
        mixing = (dof + d) / rng.chisquare(dof + d, size=len(at))
        normal = rng.standard_normal((len(at), int(gap.sum())))
        rows[np.ix_(at, gap)] = observed @ b + (normal @ root.T) * np.sqrt(scale * mixing)[:, None]
    rows -= rows.mean(axis=0)
    rows /= rows.std(axis=0)
    return np.ascontiguousarray(rows), drawn, drawn > SYNTHETIC_SHARE
