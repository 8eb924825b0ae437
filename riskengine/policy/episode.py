"""An episode of the past: what was announced, what a policy-aware user would have entered that evening."""

from __future__ import annotations

from dataclasses import dataclass

from riskengine.policy.scenario import Scenario

EPISODE_CLASSES = ("capital_tax", "accord", "official_flows", "crisis", "policy_rate", "tariff", "politics",
                   "peg_break", "control")
"""Kinds of episode; the scorecard is read by kind."""


@dataclass(frozen=True, slots=True)
class NegativeControl:
    """A factor that must hardly move by the scenario's own response.

    factor : label of the axis.  most : largest absolute median response at any horizon, in the factor's unit.
    reason : why it should be small.
    """

    factor: str
    most: float
    reason: str


@dataclass(frozen=True, slots=True)
class Episode:
    """One entry of the court's calendar.

    name : the file's stem.  announced : ISO date of the news.  base : ISO date of the last close before it;
    everything the engine uses is known at that close.  kind : one of EPISODE_CLASSES.
    announcement : what became known, in words.  source : where that stands.
    scenario : what is entered at *base* (its narrative says why).  unknowable : what nobody could enter.
    revised : inputs that are today's vintage, not the first release.  controls : factors that must stay small.
    not_applicable : why the engine does not claim this episode, or '' when it does.
    """

    name: str
    announced: str
    base: str
    kind: str
    announcement: str
    source: str
    scenario: Scenario
    unknowable: str
    revised: tuple[str, ...] = ()
    controls: tuple[NegativeControl, ...] = ()
    not_applicable: str = ""
