"""A tested claim before the multiple-testing correction: its words, its numbers, and the numbers' neighbours.

``from_regression`` and ``from_statistic`` measure the main number, find the observation it hangs on, measure
again without it and in named sub-samples, and draw the chart; ``assess`` turns drafts into verdicts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from factors.claims.regressions import (
    Measured, Regression, TooShort, bootstrap_statistic, influential_row,
)
from factors.claims.series import Evidence, SeriesMissing, period_label, period_number
from factors.claims.verdicts import Region
from riskengine.result import ClaimEstimate

PANDEMIC = ("2020", "2021")
VARIANT_DRAWS = 499
"""Draws for numbers beside the main one."""


@dataclass(frozen=True, slots=True)
class Wording:
    """What a claim says and how it is tested, in words that do not depend on the data."""

    id: str
    family: str
    title: str
    claim: str
    said_by: str
    equation: str
    expected_seed: str
    expected_literature: str
    caveats: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Draft:
    """A claim with its measurements; exactly one of measured, identity, untestable, missing decides the
    verdict.

    identity : (holds, words).  short : the sample does not suffice yet.  words : a sentence about the numbers
    for the reason.  without : (what, number).
    """

    wording: Wording
    series: tuple[str, ...] = ()
    region: Region | None = None
    measured: Measured | None = None
    unit: str = ""
    sample: str = ""
    words: str = ""
    identity: tuple[bool, str] | None = None
    untestable: str = ""
    missing: tuple[str, ...] = ()
    short: bool = False
    others: tuple[ClaimEstimate, ...] = ()
    influential: str = ""
    without: tuple[tuple[str, Measured], ...] = ()
    caveats: tuple[str, ...] = ()
    chart: dict | None = field(default=None)

    def plus(self, **changes: object) -> Draft:
        """The same draft with fields replaced."""
        return replace(self, **changes)


def estimate_of(label: str, measured: Measured, unit: str, sample: str = "", note: str = "") -> ClaimEstimate:
    """A measured number as the plain record of the result."""
    finite = np.isfinite(measured.low) and np.isfinite(measured.high)
    return ClaimEstimate(label, float(measured.value), unit, float(measured.se) if measured.se else None,
                         float(measured.low) if finite else None, float(measured.high) if finite else None,
                         int(measured.n), sample, note)


def attempt(wording: Wording, test: Callable[[Evidence], Draft], evidence: Evidence) -> Draft:
    """The draft of *test*; series that are not there, or too short a sample at this date, are its outcome
    too."""
    try:
        return test(evidence)
    except SeriesMissing as missing:
        return Draft(wording, missing=missing.ids)
    except TooShort as why:
        return Draft(wording, words=f"Too short a sample at this date: {why}.", short=True)


def from_regression(wording: Wording, regression: Regression, region: Region, unit: str,
                    axis: tuple[str, str],
                    time: str = "M", pandemic: bool = False, **fields: object) -> Draft:
    """The tested coefficient, its most influential observation, the number without it, and the chart.

    axis : (what x is, what y is) with units.  time : 'M', 'Q' or 'Y' for period labels.  pandemic : measure
    also without 2020–21.  TooShort passes through.
    """
    measured = regression.fit()
    at, _ = regression.most_influential()
    keep = np.ones(len(regression.y), bool)
    keep[at] = False
    label = label_of(regression.periods[at], time)
    without = []
    try:
        without.append((f"without {label}", regression.fit(keep)))
    except TooShort:
        pass
    if pandemic:
        outside = ~_within(regression.periods, *PANDEMIC, time)
        if (regression.rows & ~outside).any():
            try:
                without.append(("without 2020–21", regression.fit(outside)))
            except TooShort:
                pass
    return Draft(wording, region=region, measured=measured, unit=unit, sample=sample_of(regression, time),
                 influential=label, without=tuple(without),
                 chart=scatter_of(regression, axis, time, at, measured.value), **fields)


def from_statistic(wording: Wording, statistic: Callable[[np.ndarray], float], labels: Sequence[str],
                   block: int,
                   region: Region, unit: str, **fields: object) -> Draft:
    """A statistic of rows (one label each) with its block bootstrap and the row it hangs on."""
    n = len(labels)
    measured = bootstrap_statistic(statistic, n, block, wording.id)
    at, _ = influential_row(statistic, n)
    rest = np.delete(np.arange(n), at)
    again = bootstrap_statistic(lambda rows: statistic(rest[rows]), n - 1, block, wording.id, VARIANT_DRAWS)
    return Draft(wording, region=region, measured=measured, unit=unit, sample=f"{labels[0]} to {labels[-1]}",
                 influential=labels[at], without=((f"without {labels[at]}", again),), **fields)


def variant(label: str, regression: Regression, unit: str, time: str = "M", note: str = "",
            of: int | None = None, keep: np.ndarray | None = None) -> tuple[ClaimEstimate, ...]:
    """One number beside the main one; nothing when its sample is too short."""
    try:
        measured = regression.fit(keep, of=of, draws=VARIANT_DRAWS)
    except TooShort:
        return ()
    return (estimate_of(label, measured, unit, sample_of(regression, time, keep), note),)


def exact(label: str, value: float, unit: str, sample: str = "", note: str = "",
          n: int | None = None) -> ClaimEstimate:
    """A computed number without sampling error."""
    return ClaimEstimate(label, float(value), unit, n=n, sample=sample, note=note)


def sample_of(regression: Regression, time: str, keep: np.ndarray | None = None) -> str:
    """'1985-02 to 2024-12' of the rows used."""
    rows = np.flatnonzero(regression.rows if keep is None else regression.rows & keep)
    if not len(rows):
        return ""
    return f"{label_of(regression.periods[rows[0]], time)} to {label_of(regression.periods[rows[-1]], time)}"


def signed(value: float, decimals: int = 0, plus: bool = True) -> str:
    """'+1,234' or '−5', with the minus sign U+2212."""
    value = round(float(value), decimals) + 0.0  # no negative zero
    text = f"{value:+,.{decimals}f}" if plus else f"{value:,.{decimals}f}"
    return text.replace("-", "\u2212")


def label_of(period: object, time: str) -> str:
    """A period number as people write it; days are datetime64."""
    if time == "Y":
        return str(int(period))
    if time == "D":
        return str(period)
    return period_label(int(period), time)


def scatter_of(regression: Regression, axis: tuple[str, str], time: str, at: int, slope: float,
               most: int = 420) -> dict:
    """Chart data of the tested coefficient: partial residuals, the fitted line, the influential point."""
    rows, x, y = regression.partial()
    mark = int(np.flatnonzero(rows == at)[0])
    shown = np.arange(len(rows))
    if len(rows) > most:  # every k-th point and the extremes, so that the page stays small
        shown = np.union1d(np.linspace(0, len(rows) - 1, most).astype(int),
                           np.r_[np.argsort(x)[[0, 1, -2, -1]], np.argsort(y)[[0, 1, -2, -1]], mark])
    return {"kind": "scatter", "x": np.round(x[shown], 6).tolist(), "y": np.round(y[shown], 6).tolist(),
            "labels": [label_of(regression.periods[rows[i]], time) for i in shown],
            "mark": int(np.flatnonzero(shown == mark)[0]), "slope": float(slope),
            "intercept": float(y.mean() - slope * x.mean()), "x_label": axis[0], "y_label": axis[1],
            "others": sum(name != "constant" for name in regression.names) - 1}


def _within(periods: np.ndarray, first: str, last: str, time: str) -> np.ndarray:
    if time == "Y":
        return (periods >= int(first)) & (periods <= int(last))
    low = period_number(first, time)
    return (periods >= low) & (periods < period_number(str(int(last[:4]) + 1), time))
