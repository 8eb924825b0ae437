"""The laboratory's second door: every sensitivity as of a date, on what was known then."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from factors.sensitivities.currencies import currency_rows
from factors.sensitivities.equities import equity_rows
from factors.sensitivities.flows import flow_rows
from factors.sensitivities.observations import Observations
from factors.sensitivities.prior import Findings
from factors.sensitivities.property_prices import property_rows
from factors.sensitivities.rates import rate_rows
from riskengine.base.sensitivity import GROUPS, Exclusion, Prior, Sensitivities
from riskengine.data.selection import active_store, use_store


def estimate_sensitivities(as_of: str, priors: Mapping[str, Prior], store: Any = None) -> Sensitivities:
    """Sensitivities, projections, quantile slopes and exclusions as of *as_of* (ISO date).

    priors : by key of ``configs/estimation.toml`` ('currency_beta.KRW') or 'parameter.<name>' (data.priors).
    store : imported series; default the active one.  Same data and date, same bits.
    """
    source = active_store() if store is None else store
    with use_store(source.folder, source.version):  # panels and single series from one version
        found = Findings(Observations(as_of, source), priors)
        for rows in (currency_rows, rate_rows, equity_rows, property_rows, flow_rows):
            rows(found)
    order = {g: i for i, g in enumerate(GROUPS)}
    return Sensitivities(
        as_of, found.observations.data_version, tuple(sorted(found.rows, key=lambda r: order[r.group])),
        tuple(found.projections), tuple(found.quantiles), tuple(_once(found.exclusions)))


def _once(exclusions: list[Exclusion]) -> list[Exclusion]:
    """In the order of the page, each id once."""
    return list({e.id: e for e in exclusions}.values())
