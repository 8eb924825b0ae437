"""What every instrument becomes: a few kinds of legs whose value depends on the path's moves.

    P&L_i(x) = constant_i + Σ legs of i,        x the stacked rows (factor moves, then fixing moves)

    exponential  a · exp(c₁ x₁ + c₂ x₂ + c₃ x₃)              cash flows, currencies, indices, futures, homes
    option       w (A e^x N(w d₁) − B e^y N(w d₂))           Garman–Kohlhagen, Black–Scholes; y: discount
    payoff       q · max(w (S e^x − K), 0)                    an option that expires inside the horizon
    property     q · max(n / max(c + x, c_min) − d, 0)        net operating income over cap rate, less debt

Legs are gathered position by position, then laid out as arrays for the kernel.  Exponential legs of one
group with the same rows and coefficients are merged: the book's thousand cash flows fall on a few hundred
dates.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from riskengine.base.axes import Axis

CAP_RATE_FLOOR = 0.01
"""No property is valued below a cap rate of 1%, whatever the move."""


@dataclass(slots=True)
class Legs:
    """Legs of all positions, gathered while ``position`` is the current one."""

    axis: Axis
    position: int = 0
    constant: dict[int, float] = field(default_factory=dict)
    exponential: list[tuple] = field(default_factory=list)
    option: list[tuple] = field(default_factory=list)
    payoff: list[tuple] = field(default_factory=list)
    property: list[tuple] = field(default_factory=list)

    def add_constant(self, amount: float) -> None:
        """Cash received inside the horizon less the value today, USD."""
        self.constant[self.position] = self.constant.get(self.position, 0.0) + amount

    def add_exponential(self, amount: float, *terms: tuple[int, float]) -> None:
        """amount · exp(Σ coefficient · x[row]); at most three (row, coefficient) terms."""
        terms = tuple((r, c) for r, c in terms if c != 0.0)
        if not terms:
            self.add_constant(amount)
            return
        padded = terms + ((terms[0][0], 0.0),) * (3 - len(terms))
        rows, coefficients = zip(*padded, strict=True)
        self.exponential.append((self.position, rows, coefficients, amount))

    def add_option(self, sign: float, quantity: float, asset: float, cash: float, sigma_root_t: float,
                   row: int, curve: tuple[int, int, float, float], volatility_row: int) -> None:
        """asset, cash : S e^{−qT} and K e^{−zT} per unit; curve : rows and −T times the weights."""
        self.option.append(
            (self.position, sign, quantity, asset, cash, sigma_root_t, row, curve, volatility_row)
        )

    def add_payoff(self, sign: float, quantity: float, spot: float, strike: float, row: int) -> None:
        self.payoff.append((self.position, sign, quantity, spot, strike, row))

    def add_property(self, quantity: float, noi: float, cap_rate: float, debt: float, row: int) -> None:
        self.property.append((self.position, quantity, noi, cap_rate, debt, row))

    # ---- layout -----------------------------------------------------------------------------------------

    def arrays(self, group_of: np.ndarray, groups: int) -> dict[str, np.ndarray]:
        """Structure of arrays, ordered by group; keys are the fields of ``kernels.reprice.LegArrays``."""
        constant = np.zeros(groups)
        for i, amount in sorted(self.constant.items()):
            constant[group_of[i]] += amount
        merged: dict[tuple, float] = {}
        for i, rows, coefficients, amount in self.exponential:
            key = (int(group_of[i]), rows, coefficients)
            merged[key] = merged.get(key, 0.0) + amount
        pairs = sorted((k, a) for k, a in merged.items() if k[2][2] == 0.0)
        triples = sorted((k, a) for k, a in merged.items() if k[2][2] != 0.0)
        option = sorted(self.option, key=lambda leg: int(group_of[leg[0]]))
        payoff = sorted(self.payoff, key=lambda leg: int(group_of[leg[0]]))
        real = sorted(self.property, key=lambda leg: int(group_of[leg[0]]))

        def floats(rows: list, width: int) -> np.ndarray:
            return np.array(rows, dtype=np.float64).reshape(len(rows), width)

        def integers(rows: list, width: int) -> np.ndarray:
            return np.array(rows, dtype=np.int64).reshape(len(rows), width)

        return {
            "constant": constant,
            "pair_index": integers([(k[0], k[1][0], k[1][1]) for k, _ in pairs], 3),
            "pair_terms": floats([(a, k[2][0], k[2][1]) for k, a in pairs], 3),
            "triple_index": integers([(k[0], *k[1]) for k, _ in triples], 4),
            "triple_terms": floats([(a, *k[2]) for k, a in triples], 4),
            "option_index": integers([(group_of[o[0]], o[6], o[7][0], o[7][1], o[8]) for o in option], 5),
            "option_terms": floats([(o[1], o[2], o[3], o[4], o[5], o[7][2], o[7][3]) for o in option], 7),
            "payoff_index": integers([(group_of[p[0]], p[5]) for p in payoff], 2),
            "payoff_terms": floats([p[1:5] for p in payoff], 4),
            "property_index": integers([(group_of[p[0]], p[5]) for p in real], 2),
            "property_terms": floats([(*p[1:5], CAP_RATE_FLOOR) for p in real], 5),
        }
