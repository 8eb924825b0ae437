"""The chain of one scenario: the diagram from orders to P&L and the paths over time with their bands."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from riskengine.base.axes import REPORT_CLASSES
from riskengine.base.units import BUSINESS_DAYS_PER_YEAR
from riskengine.reports import formats
from riskengine.reports.charts import Line, chain_diagram, figure, line_chart
from riskengine.reports.charts.flow import Box
from riskengine.result import ChainSummary, ScenarioResult

MONTH = BUSINESS_DAYS_PER_YEAR / 12


def diagram(s: ScenarioResult) -> Markup:
    """Orders → net outflow → dollars out → dollar, → 10-year yield, → P&L, each median with [p16, p84]."""
    c = s.chain
    assert c is not None
    s_percent = tuple(100 * math.expm1(v) if formats.is_number(v) else math.nan for v in c.broad_dollar)
    lines = [(formats.name(k), formats.money(s.by_asset_class.get(k))) for k in
             dict.fromkeys([*REPORT_CLASSES, *s.by_asset_class])]
    low, high = s.interval_usd
    drawing = chain_diagram(
        orders=_box("Orders of foreign holders", c.gross_orders_usd_bn, "USD bn", "sales negative"),
        outflow=_box("Net outflow, securities", c.net_outflow_usd_bn, "USD bn", "bought by US residents"),
        dollars=_box("Dollars sold for currency", c.dollars_out_usd_bn, "USD bn",
                     "after hedges, other US assets"),
        dollar=_box("Dollar depreciation", s_percent, "%", "broad; + = the dollar falls", 2),
        current_account=_box("Current account", c.current_account_change_usd_bn_per_year, "bn a year", ""),
        flow_yield=_box("10-year, term premium", c.treasury_10y_flow_bp, "bp", "flow channel"),
        path_yield=_box("10-year, policy path", c.treasury_10y_path_bp, "bp", "path channel"),
        pnl=Box("Our P&L", formats.money(s.expected_pnl_usd), "", f"[{_bare(low)}, {_bare(high)}]",
                "expected [p10, p90]",
                "bad" if formats.is_number(s.expected_pnl_usd) and s.expected_pnl_usd < 0 else "good"),
        pnl_lines=lines, title=f"{s.title}: from policy to P&L",
    )
    return figure("From policy to P&L",
                  f"medians [p16, p84] over parameter draws at {formats.horizon(s.horizon_days)}",
                  drawing, css="wide")


def paths(chain: ChainSummary, horizon_days: int) -> list[Markup]:
    """Charts over time: the dollar, the 10-year yield by channel, current account with saving and investment,
    dollars."""
    charts = [
        _fan(chain, horizon_days, "The dollar's path",
             "% depreciation, broad; up = the dollar falls; band p16–p84",
             (("broad_dollar", "Dollar falls", "c1"),), _log_percent, 2),
        _fan(chain, horizon_days, "10-year yield by channel", "bp; bands p16–p84",
             (("treasury_10y_flow_bp", "Flow", "c3"), ("treasury_10y_path_bp", "Path", "c1")), None, 1),
        _fan(chain, horizon_days, "Current account = saving − investment",
             "change, USD bn per year; band p16–p84",
             (("current_account_change", "Current acc.", "c1"), ("saving_change", "Saving", "c4"),
              ("investment_change", "Investment", "c3")), None, 0, bands=("current_account_change",)),
        _fan(chain, horizon_days, "Dollars sold for foreign currency", "USD bn, cumulated; band p16–p84",
             (("dollars_out", "Dollars", "c1"),), None, 0),
        _fan(chain, horizon_days, "Equity index", "%; band p16–p84", (("equity_index", "Equity", "c4"),),
             _log_percent, 2),
    ]
    return [c for c in charts if c is not None]


def _fan(
    chain: ChainSummary, horizon_days: int, title: str, unit: str, wanted: Sequence[tuple[str, str, str]],
    transform,
    decimals: int, bands: Sequence[str] | None = None,
) -> Markup | None:
    lines, steps = [], 0
    for key, label, css in wanted:
        path = chain.paths.get(key)
        if path is None or not np.isfinite(path).any():
            continue
        values = np.vstack([np.zeros((1, 3)), np.asarray(path, float)])
        values = transform(values) if transform else values
        steps = len(values) - 1
        band = bands is None or key in bands
        if not np.nanmax(np.abs(values)) > 0:
            continue
        lines.append(Line(label, values[:, 1], values[:, 0] if band else None, values[:, 2] if band else None,
                          css))
    if not lines:
        return None
    x = np.arange(steps + 1) * (horizon_days / steps)
    ticks, label = _time_ticks(horizon_days)
    return figure(title, unit,
                  line_chart(x, lines, title, unit.split(",")[0].split(";")[0], ticks, label, decimals))


def _time_ticks(horizon_days: int) -> tuple[list[tuple[float, str]], str]:
    if horizon_days <= 20:
        step = max(1, horizon_days // 5)
        return [(d, str(d)) for d in range(0, horizon_days + 1, step)], "business days after the announcement"
    months = horizon_days / MONTH
    step = next(s for s in (1, 2, 3, 6, 12, 24, 60, 120, 1000) if months / s <= 7)
    return [(m * MONTH, str(m)) for m in range(0, int(months) + 1, step)], "months after the announcement"


def _box(heading: str, values: tuple[float, float, float], unit: str, caption: str,
         decimals: int | None = None) -> Box:
    """values: median, p16, p84."""
    finite = [abs(v) for v in values if formats.is_number(v)]
    if decimals is None:
        decimals = 0 if max(finite, default=0) >= 100 else 1
    median, low, high = (formats.number(v, decimals) for v in values)
    if not finite:
        return Box(heading, formats.MISSING, caption=caption)
    return Box(heading, median, unit, f"[{low}, {high}]", caption)


def _log_percent(path: np.ndarray) -> np.ndarray:
    return 100 * np.expm1(path)


def _bare(value: float) -> str:
    return formats.money(value).removeprefix("USD ")
