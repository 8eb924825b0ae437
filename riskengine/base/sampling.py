"""How many paths, which seed, which noise: the specification of one run, and the layout of its streams.

Stream layout (frozen; a change of it is a change of every number ever printed):
Philox4x32-10, counter = (path low 32, path high 32, block, step), key = (seed low 32, seed high 32).
Noise dimension k of a step is word k % 4 of block k // 4.  Blocks from 2**31 on are reserved:
"""

from __future__ import annotations

from dataclasses import dataclass

from riskengine.base.errors import InputError, Problem

BLOCK_MIXING = 0x8000_0000
"""Word 0: the uniform behind the chi-square of the Student-t."""
BLOCK_BOOTSTRAP = 0x8000_0001
"""Word 0: the row of a filtered historical residual."""
BLOCK_PERMUTATION = 0x8000_0002
"""Permutation of parameter draws; the 'path' counter is the block number b, the step is the draw."""
BLOCK_IMPORTANCE_MIXING = 0x8000_0003
"""Word 0: the uniform behind the chi-square of twisted paths (simulation.importance); at step T, the step
that jumps."""
BLOCK_SAMPLE = 0x8000_0004
"""Word 0, step 0: is the path in the random sample that a night at size revalues in full?"""
BLOCK_LOADINGS = 0x8001_0000
"""And on: normal q of the loadings is word q % 4 of block + q // 4; the 'path' is the draw d, step 0."""
BLOCK_PARAMETERS = 0x8002_0000
"""And on: Owen scrambling of Sobol dimension j, this block + j; the 'path' is a node of its tree, step 0."""
BLOCK_IMPORTANCE = 0x8003_0000
"""And on: normal k of a step of a twisted path is word k % 4 of block + k // 4 (simulation.importance)."""
REDUCTION_QUANTUM = 1024
"""Paths per leaf of the fixed reduction tree."""

PRECISIONS = ("float32", "float64")
NOISE_MODELS = ("filtered_historical", "student_t", "gaussian")


@dataclass(frozen=True, slots=True)
class RunSpec:
    """Sampling of one run.

    paths : number of paths P, a multiple of ``draws``.  draws : parameter draws D (a power of two).
    seed : 0 … 2**63 - 1.  noise : one of NOISE_MODELS; the default is the winner of ``riskengine
    backtest coverage`` and needs a factor model with residual rows.  parameter_uncertainty : False uses the
    default parameters in every draw (then D responses are equal; nothing else changes).
    precision : of draws and products, one of PRECISIONS; moves are accumulated in float64 either way.
    """

    paths: int = 100_352
    draws: int = 512
    seed: int = 20240924
    noise: str = "filtered_historical"
    levels: tuple[float, ...] = (0.95, 0.975, 0.99)
    parameter_uncertainty: bool = True
    precision: str = "float32"

    def __post_init__(self) -> None:
        problems = []
        if self.draws < 2 or self.draws & (self.draws - 1):
            problems.append(Problem("draws must be a power of two", got=str(self.draws)))
        elif self.paths < self.draws or self.paths % self.draws:
            nearest = max(1, round(self.paths / self.draws)) * self.draws
            problems.append(
                Problem(f"paths must be a positive multiple of the {self.draws} parameter draws",
                        got=str(self.paths), accepted=f"e.g. {nearest}")
            )
        if not 0 <= self.seed < 2**63:
            problems.append(Problem("seed must be in 0 … 2**63 - 1", got=str(self.seed)))
        if self.noise not in NOISE_MODELS:
            problems.append(Problem("noise", got=self.noise, accepted=", ".join(NOISE_MODELS)))
        if self.precision not in PRECISIONS:
            problems.append(Problem("precision", got=self.precision, accepted=", ".join(PRECISIONS)))
        if not self.levels or any(not 0.5 < a < 1 for a in self.levels):
            problems.append(Problem("levels must lie in (0.5, 1)", got=str(self.levels)))
        if problems:
            raise InputError(problems)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Paths lo ≤ p < hi: the unit of scheduling."""

    lo: int
    hi: int
