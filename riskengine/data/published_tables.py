"""Facts that are tables, not series: market sizes, the investment position, holdings by area. Point in time.

``read_tables(as_of)`` returns plain lists of dicts, only rows that were known at the close of *as_of*:

    market_sizes      year, treasury, agency, corporate, fed_treasury … (USD bn, end of year), oldest first
    positions         date, assets, liabilities, net (USD bn), mark, oldest first
    survey_holdings   survey ('2023-06'), area, treasury_usd_bn, … (None where not published apart), oldest first
    area_holdings     area, treasury_usd_bn, agency_usd_bn, corporate_usd_bn, equity_usd_bn, total_usd_bn

Sources and publication lags stand in ``configs/markets.toml``; files as in ``data.accounts``.
"""

from __future__ import annotations

import csv
import tomllib
from datetime import timedelta
from pathlib import Path

from riskengine.base.dates import add_months, parse_date
from riskengine.data.accounts import SURVEYS, TABLE_2026
from riskengine.data.configs import config_root


def read_tables(as_of: str, root: Path | None = None) -> dict[str, list[dict]]:
    """The four tables as known at the close of *as_of* (ISO date); InputError for a malformed date."""
    parse_date(as_of)
    root = root or config_root()
    markets = tomllib.loads((root / "markets.toml").read_text(encoding="utf-8"))
    rules = markets["rules"]
    lag = int(rules["survey_lag_months"])
    return {
        "market_sizes": sorted((r for r in markets["market"] if r["known"] <= as_of),
                               key=lambda r: r["year"]),
        "positions": sorted((r for r in markets["position"] if r["known"] <= as_of), key=lambda r: r["date"]),
        "survey_holdings": [_numbers(r) for r in _rows(root / SURVEYS)
                            if _survey_known(r["survey"], lag) <= as_of],
        "area_holdings": [_numbers(r) for r in _rows(root / TABLE_2026)]
        if rules["table_2026"]["known"] <= as_of else [],
    }


def _survey_known(survey: str, lag_months: int) -> str:
    """'2023-06' → the day its survey was out: end of month + lag, as in ``data.accounts``."""
    end = add_months(parse_date(f"{survey}-01"), 1) - timedelta(days=1)
    return add_months(end, lag_months, end_of_month=True).isoformat()


def _rows(path: Path) -> list[dict]:
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return list(csv.DictReader(lines))


def _numbers(row: dict) -> dict:
    """The row with its figures as floats, None where blank; text stays."""
    return {key: (float(value) if value else None) if key.endswith("_usd_bn") else value
            for key, value in row.items()}
