"""The verdict on daily VaR and ES: plain frozen data, what the court of coverage returns and a report reads.

p-values near 0 refute a model; scores are FZ0 (VaR and ES jointly), lower is better, and differences are to the
default model on the same days: positive = worse than the default.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CoverageCell:
    """One model on one book at one level, judged on every day forecast (METHOD 12).

    FZ0 is the joint score of VaR and ES, lower is better; differences are to the default model, positive = worse
    than it.  p-values near 0 refute the model.
    """

    book: str
    asset_class: str
    model: str
    level: float
    first: str
    last: str
    observations: int
    exceptions: int
    expected: float
    other_tail_exceptions: int
    kupiec_lr: float
    kupiec_p: float
    christoffersen_lr: float
    christoffersen_p: float
    conditional_coverage_p: float
    duration_shape: float
    duration_p: float
    dynamic_quantile_p: float
    traffic_light: str
    """Basel's zone of all days taken together; windows of 250 days are below."""
    cumulative_probability: float
    days_green: float
    days_yellow: float
    days_red: float
    most_in_250_days: int
    z1: float
    z1_p: float
    z1_critical: float
    z2: float
    z2_p: float
    z2_critical: float
    mean_var: float
    mean_es: float
    fz0: float
    fz0_difference: float
    dm_t: float
    dm_p: float
    pit_counts: tuple[int, ...]
    pit_uniform_p: float
    pit_kolmogorov_p: float
    berkowitz_p: float
    by_year: dict[int, tuple[int, int]]
    """year → (days, exceptions)."""
    by_regime: dict[str, dict[str, float]]
    """'1980s', 'crisis', 'calm', 'turbulent' … → observations, exceptions, expected, kupiec_p, fz0_difference."""
    rolling: tuple[tuple[str, int], ...]
    """(last day, exceptions in the 250 days to it), every 21st day."""


@dataclass(frozen=True, slots=True)
class CoverageWinner:
    """Mean FZ0 difference to the default by model over the books of one asset class at one level: lowest wins.

    significant_wins, significant_losses: books on which a model beats, or loses to, the default at 5%
    (Diebold–Mariano); calibrated : books on which Kupiec does not refute it at 5%.
    """

    asset_class: str
    level: float
    winner: str
    books: int
    fz0_difference: dict[str, float]
    significant_wins: dict[str, int]
    significant_losses: dict[str, int]
    calibrated: dict[str, int]
    exceptions: dict[str, int]
    expected: float


@dataclass(frozen=True, slots=True)
class CoverageReport:
    """The court's verdict on one-day VaR and ES: cells by book, model and level; winners by asset class."""

    as_of: str
    data_version: str
    levels: tuple[float, ...]
    default_model: str
    models: dict[str, str]
    """name → how it is estimated."""
    books: dict[str, str]
    """name → what is held."""
    cells: tuple[CoverageCell, ...]
    winners: tuple[CoverageWinner, ...]
    conclusion: tuple[str, ...]
    """Sentences with the measured figures: where the default wins and where it does not."""
    seconds: float
