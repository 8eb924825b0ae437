"""Results: plain frozen data, what the engine returns and every report reads. Losses positive in VaR and ES, P&L gains positive."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

SCHEMA_VERSION = "1.0"


@dataclass(frozen=True, slots=True)
class Tail:
    """VaR and ES of one P&L distribution at several levels, USD, losses positive.

    levels : e.g. (0.95, 0.975, 0.99).  se_var, se_es : clustered by parameter draw (METHOD 9);
    se_var_given_draws, se_es_given_draws : i.i.d. formula given the draws.
    mean, sd : of P&L (gain positive).
    """

    levels: tuple[float, ...]
    var: tuple[float, ...]
    es: tuple[float, ...]
    se_var: tuple[float, ...]
    se_es: tuple[float, ...]
    se_var_given_draws: tuple[float, ...]
    se_es_given_draws: tuple[float, ...]
    mean: float
    se_mean: float
    sd: float


@dataclass(frozen=True, slots=True)
class GroupRisk:
    """Risk of one group (desk, book, asset class …).

    dimension : 'desk', 'book', 'asset_class', 'strategy', a tag name or 'total'.  component_es : Euler contribution to the
    total's ES per level; the components of one dimension sum to the total's ES.
    """

    dimension: str
    name: str
    tail: Tail
    component_es: tuple[float, ...]
    nav_usd: float


@dataclass(frozen=True, slots=True)
class PositionRisk:
    """Risk of one position: value, sensitivities and tail contributions (USD)."""

    position_id: str
    type: str
    desk: str
    book: str
    asset_class: str
    description: str
    value_usd: float
    notional_usd: float
    standalone_es: float
    component_es: float
    se_component_es: float
    assumed_inputs: tuple[str, ...] = ()
    sensitivities: dict[str, float] = field(default_factory=dict)
    """factor label → USD per +1% (log factors) or per +1 bp (absolute factors)."""


@dataclass(frozen=True, slots=True)
class FarTail:
    """VaR and ES of the ordinary night far out by importance sampling, beside as many plain paths; USD, losses
    positive, one entry per level.

    effective_paths : (Σw)²/Σw² over the tail.  variance_reduction_… : squared ratio of standard errors, plain over
    twisted (1 where one of them is 0).  mean_weight : 1 within its error.  historical_days : rows that filtered
    historical noise draws from, else None.
    """

    horizon_days: int
    paths: int
    noise: str
    levels: tuple[float, ...]
    var: tuple[float, ...]
    es: tuple[float, ...]
    se_var: tuple[float, ...]
    se_es: tuple[float, ...]
    plain_var: tuple[float, ...]
    plain_es: tuple[float, ...]
    plain_se_var: tuple[float, ...]
    plain_se_es: tuple[float, ...]
    effective_paths: tuple[float, ...]
    plain_effective_paths: tuple[float, ...]
    variance_reduction_var: tuple[float, ...]
    variance_reduction_es: tuple[float, ...]
    mean_weight: float
    se_mean_weight: float
    historical_days: int | None = None


@dataclass(frozen=True, slots=True)
class RiskResult:
    """The ordinary night at one horizon: no scenario, zero-mean factor moves, ageing and carry on."""

    horizon_days: int
    total: Tail
    groups: tuple[GroupRisk, ...]
    positions: tuple[PositionRisk, ...]
    position_level: float
    """ES level at which positions are allocated."""
    pnl_quantiles: np.ndarray
    """(201,) quantiles of total P&L at 0, 0.5, …, 100%."""
    noise: str
    far_tail: FarTail | None = None
    """None when the night did not ask for it."""


@dataclass(frozen=True, slots=True)
class ChainSummary:
    """Medians with 16th and 84th percentile (3,) at the horizon, and paths for the charts (T,3)."""

    gross_orders_usd_bn: tuple[float, float, float]
    net_outflow_usd_bn: tuple[float, float, float]
    dollars_out_usd_bn: tuple[float, float, float]
    broad_dollar: tuple[float, float, float]
    treasury_10y_flow_bp: tuple[float, float, float]
    treasury_10y_path_bp: tuple[float, float, float]
    current_account_change_usd_bn_per_year: tuple[float, float, float]
    paths: dict[str, np.ndarray]
    """name → (T, 3) p16, median, p84: broad_dollar, treasury_10y_flow_bp, treasury_10y_path_bp,
    current_account_change, saving_change, investment_change, dollars_out, equity_index."""
    yields_by_channel: tuple[tuple[str, float, float], ...]
    """(tenor, flow bp, path bp), medians at the horizon."""
    holder_orders: tuple[tuple[str, dict[str, float]], ...]
    """(holder, {class: USD bn median}) sorted by size; sales negative."""
    absorbers: tuple[tuple[str, float], ...]
    saving: dict[str, float]
    """household, business, government, investment: change at the horizon, USD bn per year, median."""


@dataclass(frozen=True, slots=True)
class LedgerTable:
    """The ledger cumulated to the horizon: (line, identity, median, p16, p84), USD bn."""

    rows: tuple[tuple[str, str, float, float, float], ...]
    max_imbalance_usd_bn: float


@dataclass(frozen=True, slots=True)
class FeedbackSummary:
    """What holders' selling after losses does to a scenario (METHOD 9); the base run carries it too.

    orders_usd_bn, base_orders_usd_bn : (median, p16, p84) over paths of cumulative orders at the horizon, sales
    negative, with the policy and in the base run.  expected_pnl_usd : what it adds to the scenario's expected P&L.
    expected_pnl_without_usd, var_without, es_without : the same scenario on the same paths without it.
    by_cell : (holder group, asset class, mean orders USD bn, of which in the base run), largest sales first.
    loop_gain : share × multiplier × W/Cap, below 0.5.  sources : one sentence per assumption.
    """

    case: str
    orders_usd_bn: tuple[float, float, float]
    base_orders_usd_bn: tuple[float, float, float]
    expected_pnl_usd: float
    expected_pnl_without_usd: float
    var_without: tuple[float, ...]
    es_without: tuple[float, ...]
    by_cell: tuple[tuple[str, str, float, float], ...]
    loop_gain: float
    standing_gain: float
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ScenarioResult:
    """One scenario at its horizon. expected_pnl is the difference to the baseline at the same horizon."""

    name: str
    title: str
    narrative: str
    source: str
    probability: float
    horizon_days: int
    expected_pnl_usd: float
    se_expected_pnl_usd: float
    interval_usd: tuple[float, float]
    """p10, p90 of the expected P&L over parameter draws: response without market noise, plus the mean convexity."""
    pnl_interval_usd: tuple[float, float]
    """p10, p90 of P&L including markets."""
    tail: Tail
    by_asset_class: dict[str, float]
    by_desk: dict[str, float]
    by_book: dict[str, float]
    channels: dict[str, float]
    """channel → USD of expected P&L; includes 'convexity'; sums to expected_pnl_usd."""
    by_position: dict[str, float]
    moves: dict[str, float]
    """factor → mean move at the horizon (factor's unit)."""
    chain: ChainSummary | None
    ledger: LedgerTable | None
    variance_share: dict[str, float]
    """parameters, markets: shares of the P&L variance (ANOVA, METHOD 9)."""
    mahalanobis: float
    plausibility: float
    """chi-square probability of a core move at least as far out, baseline covariance at the horizon."""
    flags: tuple[str, ...]
    flow_channel_off_10y_bp: float | None = None
    """Median 10-year move with the flow channel switched off (METHOD 6: the report prints both)."""
    feedback: FeedbackSummary | None = None
    """Holders' selling after losses, when the scenario carries it; the other numbers then include it."""


@dataclass(frozen=True, slots=True)
class LimitStatus:
    """One limit of configs/limits.toml: metric, where, value, warning and hard levels, 'ok' | 'warning' | 'breach'."""

    name: str
    metric: str
    scope: str
    value: float
    warning: float
    hard: float
    unit: str
    status: str


@dataclass(frozen=True, slots=True)
class DataQualityItem:
    """One remark on the data: 'info' | 'warning' | 'red'."""

    severity: str
    series: str
    message: str


@dataclass(frozen=True, slots=True)
class Exposures:
    """Sensitivities of the book, USD: key-rate DV01 (per −1 bp gains positive when yields fall: value change for +1 bp),
    FX delta by currency (USD value of a +1% move × 100), equity delta, vega, property."""

    key_rate_dv01: dict[str, float]
    """tenor → USD for +1 bp."""
    fx_delta: dict[str, float]
    """currency → USD equivalent exposure (delta × spot)."""
    equity_delta: dict[str, float]
    """index or basket → USD equivalent exposure."""
    vega: dict[str, float]
    """VOL factor → USD per +1 vol point relative 1% log move."""
    property_value: dict[str, float]
    """property type or metro → USD value."""
    cap_rate_dv01: dict[str, float]
    by_desk: dict[str, dict[str, float]]
    """desk → {'rates_dv01', 'fx_delta', 'equity_delta', 'property_value', 'vega'}."""


@dataclass(frozen=True, slots=True)
class NightResult:
    """A whole night: what the report, summary.json and the tables are written from."""

    as_of: str
    accounts_as_of: str
    run_id: str
    seed: int
    paths: int
    draws: int
    nav_usd: float
    baseline: tuple[RiskResult, ...]
    """Horizons 1 and 10 days, in that order."""
    scenarios: tuple[ScenarioResult, ...]
    exposures: Exposures
    limits: tuple[LimitStatus, ...]
    data_quality: tuple[DataQualityItem, ...]
    tables: dict[str, object] = field(default_factory=dict)
    """Plain lists of dicts for the report: 'accounts', 'identities', 'saving_quarterly', 'parameters', 'series',
    'factor_diagnostics', 'coverage', 'positions', 'market_inputs', 'comparison' (or None)."""


@dataclass(frozen=True, slots=True)
class EstimationResult:
    """A table of coefficients: name, estimate, se, unit, sample, r2, method."""

    rows: tuple[dict, ...]


@dataclass(frozen=True, slots=True)
class BacktestResult:
    """Coverage of one model on one series."""

    series: str
    model: str
    level: float
    observations: int
    exceptions: int
    kupiec_lr: float
    kupiec_p: float
    traffic_light: str
    extra: dict = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ClaimEstimate:
    """One number of a test: value with standard error, 95% interval and observations, in ``unit``.

    sample : '1985-02 to 2024-12' or words.  note : which variant this is, or how it was obtained.
    """

    label: str
    value: float
    unit: str
    se: float | None = None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    sample: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim of a source, put to the test.

    verdict : 'supported' | 'contradicted' | 'undecided' | 'identity holds' | 'identity fails' | 'untestable' |
    'data missing'.  reason : that verdict in words with the numbers.  estimate : the number the verdict is taken
    from; others : variants, never voted on.  p, p_holm, q : of that decision alone, after Holm over all claims, and
    after Benjamini and Hochberg.  influential : the most influential observation; without : the estimate and the
    verdict without it and in named sub-samples, as (what, estimate, verdict).  missing : series to import.
    chart : plain data for the page (see reports/claims.py), or None.
    """

    id: str
    family: str
    title: str
    claim: str
    said_by: str
    equation: str
    series: tuple[str, ...]
    expected_seed: str
    expected_literature: str
    verdict: str
    reason: str
    estimate: ClaimEstimate | None = None
    others: tuple[ClaimEstimate, ...] = ()
    p: float | None = None
    p_holm: float | None = None
    q: float | None = None
    influential: str = ""
    without: tuple[tuple[str, ClaimEstimate, str], ...] = ()
    caveats: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    chart: dict | None = None


@dataclass(frozen=True, slots=True)
class ClaimsResult:
    """All claims at an as-of date on one state of the data; rule : how a verdict follows from the numbers."""

    as_of: str
    data_version: str
    rule: str
    claims: tuple[Claim, ...]
