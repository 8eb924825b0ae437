"""The nightly report: one HTML file that opens offline, sorts, prints and is read in a minute.

``render_night`` fills ``templates/nightly.html`` with the views of ``reports/sections``.

The optional tables of ``NightResult.tables`` are lists of plain records; when one is missing the page says
so: 'accounts' (holder, treasury_usd_bn, agency_usd_bn, corporate_usd_bn, equity_usd_bn, …), 'identities' (any
keys, 'ok' a bool), 'saving_quarterly' (quarter, gdp, net_foreign_lending, gross_saving, investment,
household_saving, business_saving, government_saving; USD bn, annual rates), 'parameters' (name, default, lo,
hi, unit, dist, source, tag), 'series', 'factor_diagnostics', 'market_inputs' (any keys), 'coverage' (fields
of BacktestResult), 'comparison' (metric, scope, before, after, change, positions, market_state, parameters,
data, sampling; USD) or None without a previous run,
'claims' (id, family, title, verdict, reason, said_by, as_of).
"""

from __future__ import annotations

from riskengine.reports.page import render_page
from riskengine.reports.sections import (
    accounts, claims, exposures, front, heat_map, hierarchy, method, quality, scenario,
)
from riskengine.reports.shown import cut_positions
from riskengine.result import SCHEMA_VERSION, NightResult

SECTIONS = (
    ("summary", "Summary", front), ("risk", "Risk by hierarchy", hierarchy),
    ("scenarios", "Scenarios", heat_map),
    ("chains", "From policy to P&L", scenario), ("exposures", "Exposures", exposures),
    ("accounts", "External accounts", accounts), ("quality", "Data quality", quality),
    ("claims", "Claims", claims), ("method", "Method", method),
)
"""(anchor and template name, heading, view module), in the order of the page."""


def render_night(night: NightResult) -> str:
    """The report of one night as a self-contained HTML page; of a large book the positions that matter
    (``shown``)."""
    night = cut_positions(night)
    return render_page(
        "nightly.html", night=night, schema_version=SCHEMA_VERSION,
        contents=[(anchor, heading) for anchor, heading, _ in SECTIONS],
        views={anchor: module.view(night) for anchor, _, module in SECTIONS})
