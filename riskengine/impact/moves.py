"""Moves of factors as sums over a few drivers, for every parameter draw.

    move of factor k through channel c  =  Σ weight[d] × driver[d, t]

The broad dollar, the two channels of the 10-year, equity orders and a few more drive everything else, so a
term costs one weight per draw, and only the sums exist as paths.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from riskengine.base.axes import CHANNELS, FACTORS
from riskengine.kernels.moves import combine


class Term(NamedTuple):
    """weight : (D,) of one driver in the move of one factor through one of axes.CHANNELS."""

    factor: int
    channel: str
    driver: str
    weight: np.ndarray


@dataclass(slots=True)
class Moves:
    """drivers : name → (S, D) at S steps.  terms : in the order in which they are added.
    given : factor → (channel, (S, D) or (S, 1) move), in place of the factor's terms."""

    drivers: dict[str, np.ndarray]
    terms: list[Term] = field(default_factory=list)
    given: dict[int, tuple[str, np.ndarray]] = field(default_factory=dict)

    def path(self) -> np.ndarray:
        """(K, S, D) sum over channels."""
        out = self._sum([term.factor for term in self._used()], len(FACTORS), slice(None))
        for k, (_, move) in self.given.items():
            out[k] += move
        return out

    def at_end(self) -> dict[str, np.ndarray]:
        """channel → (K, D) at the last step, channels that move something, in the order of axes.CHANNELS."""
        used, count = self._used(), len(FACTORS)
        rows = [CHANNELS.index(term.channel) * count + term.factor for term in used]
        out = self._sum(rows, len(CHANNELS) * count, slice(-1, None)).reshape(len(CHANNELS), count, -1)
        for k, (channel, move) in self.given.items():
            out[CHANNELS.index(channel), k] += move[-1]
        return {name: part for name, part in zip(CHANNELS, out, strict=True) if part.any()}

    def of(self, factor: int) -> np.ndarray:
        """(S, D) sum of the terms of one factor, before anything given."""
        terms = [term for term in self.terms if term.factor == factor]
        return sum((term.weight * self.drivers[term.driver] for term in terms), np.zeros(self._shape()))

    def _used(self) -> list[Term]:
        return [term for term in self.terms if term.factor not in self.given]

    def _shape(self) -> tuple[int, int]:
        return next(iter(self.drivers.values())).shape

    def _sum(self, rows: Sequence[int], count: int, steps: slice) -> np.ndarray:
        used, place = self._used(), {name: j for j, name in enumerate(self.drivers)}
        drivers = np.stack([driver[steps] for driver in self.drivers.values()])
        out = np.zeros((count, *drivers.shape[1:]))
        if used:
            combine(np.array(rows, dtype=np.int64), np.array([place[term.driver] for term in used]),
                    np.stack([term.weight for term in used]), drivers, out)
        return out
