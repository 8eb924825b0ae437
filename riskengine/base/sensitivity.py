"""What did the laboratory find? One sensitivity with prior, data and posterior; projections, quantiles, gaps.

Plain frozen data that the laboratory writes, the store keeps as JSON and the report reads.  Months are ISO
texts ('2024-08'), arrays are tuples of floats.  Nothing here is NaN: what could not be estimated is an
:class:`Exclusion` with its reason.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any

GROUPS = ("currencies", "rates", "equity", "real_estate", "flows")
"""Groups of sensitivities, in the order of the page."""
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Prior:
    """A published value ± se with its source and mark (C, R, O, D, A).

    overlaps : the value was itself computed on (part of) the same data; then the posterior's error is too
    small.
    parameter : name in ``configs/impact`` where the prior is a parameter of the engine, else ''.
    """

    value: float
    se: float
    source: str
    tag: str
    overlaps: bool = False
    parameter: str = ""


@dataclass(frozen=True, slots=True)
class Stability:
    """Does the coefficient hold over the sample?

    sup_f : largest HAC Wald statistic of a break in the slopes (Andrews 1993, 15% trimming), at break_date;
    critical_5 : its 5% critical value.  cusum_p : p-value of the OLS CUSUM test (Ploberger and Krämer 1992).
    without_influential : estimate without the observation of the largest DFBETA, at influential_date.
    rolling_dates, rolling, rolling_se : estimates over moving windows of *window* observations.
    """

    sup_f: float | None = None
    critical_5: float | None = None
    break_date: str = ""
    cusum_p: float | None = None
    without_influential: float | None = None
    influential_date: str = ""
    window: int = 0
    rolling_dates: tuple[str, ...] = ()
    rolling: tuple[float, ...] = ()
    rolling_se: tuple[float, ...] = ()

    @property
    def breaks(self) -> bool:
        """The sup-F statistic exceeds its 5% critical value."""
        return self.sup_f is not None and self.critical_5 is not None and self.sup_f > self.critical_5


@dataclass(frozen=True, slots=True)
class Fitted:
    """Realised and fitted values of one regression, for the page: dates, realised, fitted, in *unit*."""

    dates: tuple[str, ...]
    realised: tuple[float, ...]
    fitted: tuple[float, ...]
    unit: str


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """One coefficient: what the data say, what was published, what remains of both.

    dollar : the dollar that is meant, 'broad' (Federal Reserve broad index), 'H.10 broad' (built from the
    H.10 currencies with fixed weights), 'DXY', 'major' (Federal Reserve major currencies), or ''.
    estimate, se : least squares with Newey–West errors of *lag* lags, in *unit*.  posterior, posterior_se :
    normal–normal rule; without a prior they equal the data's.  engine : what the engine uses, 'data',
    'prior', or 'diagnostic' (nothing uses it).  used_as : the parameter or model field that holds it.
    identified : False where cause and answer are mixed (flows and prices of one month, without an
    instrument): the rule still gives a posterior, but its error leaves the bias of the data out.
    """

    id: str
    group: str
    dependent: str
    regressor: str
    dollar: str
    unit: str
    estimate: float
    se: float
    lag: int
    first: str
    last: str
    n: int
    r2: float
    method: str
    posterior: float
    posterior_se: float
    prior: Prior | None = None
    conflict: float | None = None
    engine: str = "diagnostic"
    used_as: str = ""
    stability: Stability | None = None
    fitted: Fitted | None = None
    note: str = ""
    identified: bool = True


@dataclass(frozen=True, slots=True)
class LocalProjection:
    """Response of *response* to *impulse* at horizons 0 … H months (Jordà 2005), with Newey–West errors.

    beta, se, n : (H + 1,); lags : Newey–West lags at each horizon (at least the horizon).
    """

    id: str
    response: str
    impulse: str
    holders: str
    unit: str
    horizons: tuple[int, ...]
    beta: tuple[float, ...]
    se: tuple[float, ...]
    lags: tuple[int, ...]
    n: tuple[int, ...]
    first: str
    last: str
    controls: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class QuantileFit:
    """Slope of the conditional quantile *tau* (Koenker and Bassett 1978), robust kernel errors; least squares
    beside."""

    id: str
    dependent: str
    regressor: str
    dollar: str
    unit: str
    taus: tuple[float, ...]
    beta: tuple[float, ...]
    se: tuple[float, ...]
    ols: float
    ols_se: float
    first: str
    last: str
    n: int
    frequency: str


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Something asked for that could not be estimated, and why; needs: the series that would mend it."""

    id: str
    group: str
    reason: str
    needs: str = ""


@dataclass(frozen=True, slots=True)
class Sensitivities:
    """Everything estimated as of one day on one version of the data."""

    as_of: str
    data_version: str
    rows: tuple[Sensitivity, ...]
    projections: tuple[LocalProjection, ...] = ()
    quantiles: tuple[QuantileFit, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()
    _by_id: dict[str, Sensitivity] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_id", {r.id: r for r in self.rows})

    def __contains__(self, row_id: object) -> bool:
        return row_id in self._by_id

    def __getitem__(self, row_id: str) -> Sensitivity:
        return self._by_id[row_id]


def to_plain(found: Sensitivities) -> dict[str, Any]:
    """*found* as JSON-able dicts and lists; :func:`from_plain` is its inverse."""
    return {"format": FORMAT, "as_of": found.as_of, "data_version": found.data_version,
            **{name: [asdict(x) for x in getattr(found, name)]
               for name in ("rows", "projections", "quantiles", "exclusions")}}


def from_plain(plain: dict[str, Any]) -> Sensitivities:
    """What :func:`to_plain` wrote; KeyError, TypeError or ValueError when it is something else."""
    if plain["format"] != FORMAT:
        raise ValueError(f"format {plain['format']}, this version reads {FORMAT}")
    rows = tuple(
        _build(Sensitivity, row | {
            "prior": _build(Prior, row["prior"]), "stability": _build(Stability, row["stability"]),
            "fitted": _build(Fitted, row["fitted"])})
        for row in plain["rows"])
    rest = {name: tuple(_build(kind, x) for x in plain[name])
            for name, kind in (("projections", LocalProjection), ("quantiles", QuantileFit),
                               ("exclusions", Exclusion))}
    return Sensitivities(plain["as_of"], plain["data_version"], rows, **rest)


def _build(kind: type, row: dict[str, Any] | None) -> Any:
    """A frozen record of *kind*; JSON's lists become tuples, unknown keys a TypeError."""
    if row is None:
        return None
    known = {f.name for f in fields(kind)}
    if set(row) - known:
        raise TypeError(f"unknown keys: {', '.join(sorted(set(row) - known))}")
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in row.items()})
