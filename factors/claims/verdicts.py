"""From numbers to a verdict, by one stated rule.

Every testable claim says where a number θ must lie if it is right: a **region** (a half-line, or an
interval).

    p_for      p-value of 'θ lies outside the region' (the larger of the two bounds': intersection–union)
    p_against  p-value of 'θ lies inside the region' (of the nearer bound)
    p          = min(1, 2 · min(p_for, p_against)): either decision could have been taken
    Holm       p adjusted over all claims tested (Holm 1979); q: Benjamini, Hochberg (1995), for information

    supported      p_for < p_against and Holm p ≤ 5%
    contradicted   p_against < p_for and Holm p ≤ 5%
    undecided      otherwise (the words say which way it leans, and whether it would pass alone)

An identity holds when its largest discrepancy stays within the rounding of the published figures.  A claim
without a number that could refute it is untestable, and says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from factors.claims.regressions import Measured

LEVEL = 0.05
RULE = ("A claim names the region its number must lie in. Supported: 'outside the region' is rejected; "
        "contradicted: 'inside the region' is rejected; both at 5% after Holm's correction over all claims "
        "tested; otherwise undecided. Intervals are 95%, by a block wild bootstrap of the HAC t-statistic. "
        "Variants beside the main number are shown, never voted on.")


@dataclass(frozen=True, slots=True)
class Region:
    """Where the number lies if the claim is right: low < θ < high."""

    low: float = -np.inf
    high: float = np.inf

    def holds(self, value: float) -> bool:
        """Whether *value* lies inside."""
        return self.low < value < self.high

    def text(self, unit: str = "") -> str:
        """'above 0', 'below −0.5', 'between −2 and 2', with the unit."""
        tail = f" {unit}" if unit else ""
        if np.isfinite(self.low) and np.isfinite(self.high):
            return f"between {_plain(self.low)} and {_plain(self.high)}{tail}"
        return f"above {_plain(self.low)}{tail}" if np.isfinite(
            self.low) else f"below {_plain(self.high)}{tail}"


def _plain(value: float) -> str:
    return f"{value:g}".replace("-", "\u2212")


def p_values(measured: Measured, region: Region) -> tuple[float, float]:
    """(p_for, p_against) of one number and one region."""
    p_for = max(measured.p_above(region.low), measured.p_below(region.high))
    below = measured.p_below(region.low) if np.isfinite(region.low) else 1.0
    above = measured.p_above(region.high) if np.isfinite(region.high) else 1.0
    return p_for, min(below, above)


def decision_p(p_for: float, p_against: float) -> float:
    """p of the decision, whichever way it goes."""
    return min(1.0, 2.0 * min(p_for, p_against))


def holm(p: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p-values, in the order given."""
    p = np.asarray(p, float)
    order = np.argsort(p, kind="stable")
    m, out, running = len(p), np.empty(len(p)), 0.0
    for rank, i in enumerate(order):
        running = max(running, min(1.0, (m - rank) * p[i]))
        out[i] = running
    return out.tolist()


def benjamini_hochberg(p: Sequence[float]) -> list[float]:
    """Benjamini–Hochberg q-values, in the order given."""
    p = np.asarray(p, float)
    order = np.argsort(p, kind="stable")[::-1]
    m, out, running = len(p), np.empty(len(p)), 1.0
    for back, i in enumerate(order):
        running = min(running, p[i] * m / (m - back))
        out[i] = running
    return out.tolist()


def decide(p_for: float, p_against: float, adjusted: float) -> str:
    """'supported', 'contradicted' or 'undecided' from the two p-values and the adjusted p of the decision."""
    if adjusted > LEVEL:
        return "undecided"
    return "supported" if p_for < p_against else "contradicted"


def lean(p_for: float, p_against: float) -> str:
    """Which way an undecided claim leans: 'for', 'against' or 'neither'."""
    if min(p_for, p_against) > 0.16:
        return "neither"
    return "for" if p_for < p_against else "against"
