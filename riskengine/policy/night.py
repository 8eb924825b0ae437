"""What a night is asked to do (:class:`NightlyConfig`) and where its limits lie (:class:`Limit`). Data only.

The files behind them are ``configs/nightly.toml`` and ``configs/limits.toml``; ``riskengine.data.configs``
reads them.  Paths are resolved when the file is read, so nothing here depends on the working directory.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from riskengine.base.sampling import RunSpec

LIMIT_METRICS: dict[str, tuple[str, str]] = {
    "var": ("USD", "value at risk of the ordinary night, loss positive; needs level and horizon_days"),
    "es": ("USD", "expected shortfall of the ordinary night, loss positive; needs level and horizon_days"),
    "scenario_loss": ("USD", "largest expected loss over all scenarios, loss positive"),
    "dv01": ("USD per bp", "absolute value change of the book for +1 bp on the whole Treasury curve"),
    "key_rate_dv01": ("USD per bp", "largest absolute value change for +1 bp at one key rate"),
    "fx_net": ("USD", "absolute sum of the currency deltas (net long or short of the dollar)"),
    "fx_single": ("USD", "largest absolute delta in one currency"),
    "equity_delta": ("USD", "absolute equity delta"),
    "property_value": ("USD", "value of property, direct and residential"),
    "vega": ("USD per 1%", "largest absolute vega: value change for +1% relative implied volatility"),
}
"""Metric → (unit, what it measures)."""

DESK_METRICS = ("var", "es", "dv01", "fx_net", "equity_delta", "property_value")
"""Metrics that may be limited by desk; the others exist for the total only."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit: reaching *warning* marks it, reaching *hard* breaches it (exit code 2 of the night).

    metric : a key of LIMIT_METRICS.  warning, hard : positive, in *unit*, warning ≤ hard.
    scope : 'total', 'desk' (each desk by itself) or 'desk:<name>' (that desk only).
    level, horizon_days : for 'var' and 'es' only, e.g. 0.99 and 1.
    """

    name: str
    metric: str
    warning: float
    hard: float
    unit: str
    scope: str = "total"
    level: float | None = None
    horizon_days: int | None = None


@dataclass(frozen=True, slots=True)
class NightlyConfig:
    """Everything ``riskengine nightly`` needs besides the data.

    scenarios : scenario files in the order of the report.  horizons_days : of the ordinary night, ascending,
    daily steps.  position_level : ES level at which positions are allocated.  as_of : ISO date or None for
    the last day common to the embedded series.  accounts : 'as_of' (latest survey published by then),
    'latest', or an ISO date.  out : folder that receives the run folders.  keep : run folders to keep per
    as-of date, None for all.  full_reval : distinct curved instruments revalued on every path, the others by
    delta-gamma and corrected; None: all of them while the night is small, a default number beyond.
    far_levels, far_paths : levels of VaR and ES by importance sampling and its paths, a multiple of the run's draws;
    no levels: none.
    """

    portfolio: Path
    limits: Path
    scenarios: tuple[Path, ...]
    run: RunSpec = RunSpec()
    horizons_days: tuple[int, ...] = (1, 10)
    position_level: float = 0.975
    as_of: str | None = None
    accounts: str = "as_of"
    out: Path = Path("runs")
    threads: int | None = None
    memory_gb: float | None = None
    keep: int | None = None
    full_reval: int | None = None
    far_levels: tuple[float, ...] = ()
    far_paths: int = 32_768
    source: Path | None = None
    """The file this came from, None when built in code."""
