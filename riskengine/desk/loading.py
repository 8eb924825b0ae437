"""A policy that reverse stress found, as a state of the page: its knobs, its sellers, its horizon.

Policies come by name and size (``reverse_stress.policies.policy_knobs``); what is loaded is the same
shocks, so that the page asks what the search ran: loss by the response alone there, with the convexity of
market noise here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from riskengine.base.units import BUSINESS_DAYS_PER_YEAR
from riskengine.desk.knobs import KNOBS_BY_ID
from riskengine.reverse_stress.policies import ACCORD, OVERRIDES

SELLERS = {
    "official_treasuries": ("treasury", "official"), "private_treasuries": ("treasury", "private"),
    "private_equity": ("equity", "private"), "all_securities": ("all", "all"),
}
"""Policy → asset class, sector of who sells."""
SIZED = {
    "inflow_slowdown": (("slowdown",), 1.0), "inflow_surge": (("slowdown",), -1.0),
    "withholding_tax": (("wht_rate",), 1.0), "user_fee": (("fee_rate",), 1.0),
    "currency_accord": (tuple(f"accord_{c}" for c in ACCORD), 1.0),
    "tariff": (("tariff_rate",), 1.0), "fed_hikes": (("fed_2Y",), 1.0), "fed_cuts": (("fed_2Y",), -1.0),
}
"""Policy → knobs that carry its size, sign."""
DIGITS = 9
"""Decimals of a size, below what the search's own tolerance resolves."""


def load_policy(parts: Sequence[Mapping[str, Any]], days: int) -> dict[str, Any] | None:
    """knobs, sellers and horizon of the page; None where a part has no knob, or needs more than its knob
    takes.

    parts : knob and size of each part.  days : horizon, business days; sales of less than a year are
    spread over their horizon by the search and over a year by the page, so such a horizon is not loaded.
    """
    if days < BUSINESS_DAYS_PER_YEAR or days % 5:
        return None
    knobs: dict[str, Any] = {}
    sellers: list[dict[str, Any]] = []
    for part in parts:
        name, size = part["knob"], round(float(part["size"]), DIGITS)
        if name in SELLERS:
            asset_class, sector = SELLERS[name]
            sellers.append({"holder": "all", "asset_class": asset_class, "usd_bn": size, "use": "default",
                            "sector": sector})
            continue
        if name not in SIZED:
            return None
        ids, sign = SIZED[name]
        for knob in ids:
            low, high = KNOBS_BY_ID[knob].bounds
            if knob in knobs or not low <= sign * size <= high:
                return None
            knobs[knob] = sign * size
        if name == "withholding_tax":
            knobs["wht_overrides"] = list(OVERRIDES)
    return {"scenario": None, "knobs": knobs, "sellers": sellers, "horizon": f"{days // 5}w"}
