"""What would the engine have said the evening before, and how does it compare with what happened?

For one episode, at 1 day and 4, 13, 52 weeks, three predictive distributions of every judged variable:

    engine        μ_{d(p)}(t) + noise         the scenario's response by parameter draw plus the model's noise
    no scenario   noise                       the same model without a view on the policy
    covariance    N(0, n Σ)                   scaled historical covariance: daily moves of the last ten years,
                                              equally weighted, times the number of days n

and of each: median, 80% and 50% bands, probability integral transform, and the two proper scores

    CRPS  = E|X − y| − ½ E|X − X'|        (Gneiting and Raftery 2007), the variable's unit, lower is better
    log score = −ln f(y)                  Gaussian kernel density of the paths, Silverman's bandwidth

Targets of an accord move the mean; their noise stays on (what a target promises is not what it delivers).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from backtests.outcomes import (HORIZON_WEEKS, ONE_DAY, Levels, horizon_day, load_levels, realised_moves,
                                variables)
from backtests.point_in_time import PastWorld
from backtests.distribution_scores import crps_of_sample, log_score_of_sample
from riskengine.base.axes import FACTORS
from riskengine.base.sampling import Chunk, RunSpec
from riskengine.base.units import Horizon
from riskengine.engine.paths import prepare
from riskengine.engine.results import summarize_chain
from riskengine.policy.episode import Episode
from riskengine.simulation import draw_of_path, simulate_noise

PATHS = 16_384
DRAWS = 512
SEED = 19850922
COVARIANCE_YEARS = 10
LOW, HIGH = 0.10, 0.90
ENGINE, NO_SCENARIO, COVARIANCE = "engine", "no_scenario", "covariance"
MODELS = (ENGINE, NO_SCENARIO, COVARIANCE)
CHAIN_FIGURES = ("gross_orders_usd_bn", "net_outflow_usd_bn", "dollars_out_usd_bn", "broad_dollar",
                 "treasury_10y_flow_bp", "treasury_10y_path_bp")
QUANTILES = (0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95)


@dataclass(frozen=True, slots=True)
class Forecast:
    """One variable at one horizon by one model, and the outcome.

    weeks : 0 is one business day.  quantiles : at QUANTILES.  realised : NaN when it has not happened yet or
    was not quoted.  pit : share of the paths at or below the outcome.  crps, log_score : lower is better.
    """

    episode: str
    variable: str
    weeks: int
    model: str
    mean: float
    quantiles: tuple[float, ...]
    realised: float
    inside: bool
    pit: float
    crps: float
    log_score: float


@dataclass(frozen=True, slots=True)
class Replay:
    """One episode replayed.

    forecasts : every variable, horizon and model.  response : variable → horizon → (p10, median, p90) of the
    scenario's own response over parameter draws (no noise).  channels : factor → channel → median move at a
    year.  outcome_path : variable → (days after base, realised move), weekly to a year.  chain : medians of
    the chain at the horizon.  controls : (factor, limit, largest median response, realised at 4 weeks,
    small).
    """

    episode: Episode
    available: tuple[str, ...]
    remarks: tuple[str, ...]
    forecasts: tuple[Forecast, ...]
    response: dict[str, dict[int, tuple[float, float, float]]]
    channels: dict[str, dict[str, float]]
    outcome_path: dict[str, tuple[np.ndarray, np.ndarray]]
    chain: dict[str, float]
    controls: tuple[dict, ...] = ()
    flags: tuple[str, ...] = field(default=())


def replay_episode(episode: Episode, past: PastWorld, outcomes: Levels | None = None) -> Replay:
    """Predict from *past* (built at ``episode.base``) and compare with *outcomes* (default: all data)."""
    seen = outcomes or load_levels()
    base = np.datetime64(episode.base, "D")
    spec = RunSpec(paths=PATHS, draws=DRAWS, seed=SEED)
    world = past.world
    daily = prepare(replace(episode.scenario, horizon=Horizon(1, 1)), world, spec)
    weekly = prepare(replace(episode.scenario, horizon=Horizon(max(HORIZON_WEEKS), 5)), world, spec)
    draw = draw_of_path(spec, 0, PATHS)
    covariance = _covariance(episode.base, past.available)
    forecasts: list[Forecast] = []
    response: dict[str, dict[int, tuple[float, float, float]]] = {}
    for weeks in (ONE_DAY, *HORIZON_WEEKS):
        prepared, model = (daily, world.daily) if weeks == ONE_DAY else (weekly, world.weekly)
        step = 0 if weeks == ONE_DAY else weeks - 1
        horizon = Horizon(step + 1, model.step_days)
        mean = np.ascontiguousarray(prepared.shocks.path[:, step, :])
        noise, _ = simulate_noise(model, horizon, spec, Chunk(0, PATHS))
        with_scenario = noise + mean[draw].T
        days = max(1, 5 * weeks)
        samples = {
            ENGINE: _judged(with_scenario, past), NO_SCENARIO: _judged(noise, past),
            COVARIANCE: _judged(_normal_paths(covariance, past.available, days), past),
        }
        own = _judged(mean.T, past)
        for name, values in own.items():
            low, median, high = np.quantile(values, (LOW, 0.5, HIGH))
            response.setdefault(name, {})[weeks] = (float(low), float(median), float(high))
        day = horizon_day(seen, base, weeks)
        last = max(d[-1] for d, _ in seen.series.values())
        happened = day is not None and day <= last
        moves = realised_moves(seen, past.available, base, day) if happened else np.full(len(FACTORS), np.nan)
        outcome = {k: float(v[0]) for k, v in _judged(moves[:, None], past).items()}
        for model_name, judged in samples.items():
            forecasts += [_forecast(episode.name, name, weeks, model_name, values, outcome[name])
                          for name, values in judged.items()]
    return Replay(
        episode, past.available, past.remarks, tuple(forecasts), response, _channels(weekly, past),
        _outcome_path(seen, past, base), _chain(weekly), _controls(episode, response, forecasts),
        tuple(weekly.policy.flags))


def _judged(x: np.ndarray, past: PastWorld) -> dict[str, np.ndarray]:
    return variables(x, past.available, past.weights, past.world.weekly.path_beta)


def _forecast(episode: str, variable: str, weeks: int, model: str, sample: np.ndarray, outcome: float
              ) -> Forecast:
    q = np.quantile(sample, QUANTILES)
    known = np.isfinite(outcome)
    return Forecast(
        episode, variable, weeks, model, float(sample.mean()), tuple(float(v) for v in q), outcome,
        bool(known and q[1] <= outcome <= q[5]), float((sample <= outcome).mean()) if known else float("nan"),
        crps_of_sample(sample, outcome) if known else float("nan"),
        log_score_of_sample(sample, outcome) if known else float("nan"))


def _covariance(base: str, available: tuple[str, ...]) -> np.ndarray:
    """(A, A) covariance of daily moves of the available factors over COVARIANCE_YEARS to *base*, pairwise
    complete, made positive semi-definite."""
    known = load_levels(base)
    start = np.datetime64(base, "D") - np.timedelta64(round(365.25 * COVARIANCE_YEARS), "D")
    calendar = known.series["UST_10Y"][0]
    calendar = calendar[calendar >= start]
    moves = np.full((len(calendar) - 1, len(available)), np.nan)
    for j, label in enumerate(available):
        if label in known.series:
            days, values = known.series[label]
            at = np.searchsorted(days, calendar)
            safe = np.minimum(at, len(days) - 1)
            level = np.where(days[safe] == calendar, values[safe], np.nan)
            moves[:, j] = np.diff(level)
    present = np.isfinite(moves)
    filled = np.where(present, moves, 0.0)
    count = present.T.astype(np.float64) @ present
    covariance = filled.T @ filled / np.maximum(count, 1.0)
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.maximum(values, 0.0)) @ vectors.T


def _normal_paths(covariance: np.ndarray, available: tuple[str, ...], days: int) -> np.ndarray:
    """(K, P) draws of N(0, days · Σ), absent factors zero; the same normals for every episode and horizon."""
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    z = np.random.Generator(np.random.Philox(SEED)).standard_normal((len(available), PATHS))
    x = np.zeros((len(FACTORS), PATHS))
    x[FACTORS.indices(available)] = np.sqrt(days) * (root @ z)
    return x


def _channels(prepared, past: PastWorld) -> dict[str, dict[str, float]]:
    """Median move at a year by channel, of the ten-year, the S&P 500 and the currencies of the dollar."""
    shocks = prepared.shocks
    out: dict[str, dict[str, float]] = {}
    for label in ("UST_2Y", "UST_10Y", "EQ_SP500"):
        if label in past.available:
            k = FACTORS.index(label)
            out[label] = {c: float(np.median(shocks.by_channel[i, :, k]))
                          for i, c in enumerate(shocks.channels)
                          if np.any(shocks.by_channel[i, :, k])}
    return out


def _chain(prepared) -> dict[str, float]:
    chain = summarize_chain(prepared.policy.chain)
    return {name: float(getattr(chain, name)[0]) for name in CHAIN_FIGURES}


def _outcome_path(seen: Levels, past: PastWorld, base: np.datetime64
                  ) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """variable → (weeks, realised move) at every week of the year after *base* that has been quoted."""
    weeks = np.arange(1, max(HORIZON_WEEKS) + 1)
    x = np.column_stack([
        realised_moves(seen, past.available, base, base + np.timedelta64(7 * int(w), "D")) for w in weeks])
    judged = _judged(x, past)
    return {name: (weeks[np.isfinite(v)], v[np.isfinite(v)]) for name, v in judged.items()
            if np.isfinite(v).any()}


def _controls(episode: Episode, response: dict, forecasts: list[Forecast]) -> tuple[dict, ...]:
    rows = []
    for control in episode.controls:
        own = response.get(control.factor)
        if own is None:
            rows.append({"factor": control.factor, "most": control.most, "response": None, "realised": None,
                         "small": None, "reason": f"{control.factor} is absent at this date"})
            continue
        largest = max(abs(median) for _, median, _ in own.values())
        happened = [f.realised for f in forecasts
                    if f.variable == control.factor and f.weeks == 4 and f.model == ENGINE]
        rows.append({"factor": control.factor, "most": control.most, "response": largest,
                     "realised": happened[0] if happened else None, "small": largest <= control.most,
                     "reason": control.reason})
    return tuple(rows)


