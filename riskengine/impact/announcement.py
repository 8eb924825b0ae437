"""Prices move before flows arrive (METHOD 5, announcement).

    price(t) = path(t) + a·p·(E[path(t + 1 year)] − path(t))

a is the announcement share, p the probability of enactment, E the mean over the parameter draws of the same
regime (markets learn whether an accord holds, not the parameters).  With p = 1 this is (1 − a) path(t) + a
E[path(t + 1)].  An accord is announced too: its currencies move ahead of the official sales and reach their
targets on the day the schedule says (found by the Plaza episode of ``backtests/episodes``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from riskengine.kernels.moves import look_ahead


@dataclass(frozen=True, slots=True)
class Announcement:
    """weight : (D,) a·p, zero: prices follow flows.  ahead : steps looked ahead.  regime : (D,) label.
    steps : T of the scenario; paths come T + ahead long."""

    weight: np.ndarray
    ahead: int
    regime: np.ndarray
    steps: int

    def price(self, path: np.ndarray, exempt: np.ndarray | None = None) -> np.ndarray:
        """(D, T) price path of a flow-driven path (D, T + ahead); exempt : (D,) draws whose path
        the scenario draws by hand."""
        now = path.T[: self.steps]
        if self.ahead == 0 or not self.weight.any():
            return now.T
        weight = self.weight if exempt is None else np.where(exempt, 0.0, self.weight)
        price = np.empty(now.shape)
        look_ahead(path.T, self.ahead, weight, self.regime, price)
        return price.T
