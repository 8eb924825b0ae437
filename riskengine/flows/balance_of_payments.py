"""The dollar, the current account and the ledger (METHOD 5)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Ledger:
    """Signed lines per step; four sub-identities, each zero for every draw and step.

    lines : (D, T, L) USD bn per step.  names : L line names.  identity : L names of the sub-identity each line
    belongs to ('securities.treasury', 'proceeds', 'dollars', 'income', 'memo').  Lines of one identity sum to zero;
    'memo' lines are outside.
    """

    names: tuple[str, ...]
    identity: tuple[str, ...]
    lines: np.ndarray

    def max_imbalance(self) -> float:
        """Largest |sum of an identity's lines| over identities, draws and steps, USD bn."""
        worst = 0.0
        for name in sorted(set(self.identity) - {"memo"}):
            pick = [i for i, n in enumerate(self.identity) if n == name]
            worst = max(worst, float(np.abs(self.lines[:, :, pick].sum(axis=2)).max()))
        return worst
