"""A scenario: shocks, a horizon, and the words and probability that go with them."""

from __future__ import annotations

from dataclasses import dataclass

from riskengine.base.estimate import Distribution
from riskengine.base.units import Horizon
from riskengine.policy.shocks import Shock


@dataclass(frozen=True, slots=True)
class HolderFeedback:
    """Holders who sell after losses on a path (METHOD 9), with the assumptions of configs/impact/feedback.toml.

    case : 'default', 'lo' or 'hi' end of the bands.  overrides : (name without 'feedback_', Distribution) in
    place of the file's numbers.
    """

    case: str = "default"
    overrides: tuple[tuple[str, Distribution], ...] = ()


@dataclass(frozen=True, slots=True)
class Scenario:
    """name is snake_case and equals the file's stem.

    probability : of enactment; the announcement part of METHOD 5 is multiplied by it, and it is the
    probability the report prints.  announcement : True prices the announcement effect (share a of
    METHOD 5), False follows the path as flows arrive (a = 0).
    flow_channel : False switches the price impact of flows on yields off (the seed's claim, METHOD 6).
    """

    name: str
    title: str
    narrative: str
    source: str
    horizon: Horizon
    shocks: tuple[Shock, ...] = ()
    probability: float = 1.0
    announcement: bool = True
    flow_channel: bool = True
    risk_off: bool = False
    """Dealers impaired: the impact part of the yield propagator × dealer_impaired_multiplier."""
    tags: tuple[str, ...] = ()
    feedback: HolderFeedback | None = None
    """Not None: paths are simulated with holders' feedback selling, in the base run too."""
