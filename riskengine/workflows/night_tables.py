"""Tables of the report that come from several rooms: accounts, saving, parameters, series, positions, inputs."""

from __future__ import annotations

import numpy as np

from riskengine.data.panels import load_panel
from riskengine.data.quality import series_status
from riskengine.engine.paths import World
from riskengine.instruments.portfolio import Portfolio
from riskengine.result import NightResult
from riskengine.workflows.backtest import cached_coverage
from riskengine.workflows.build_world import MODEL_ROWS
from riskengine.workflows.claims import claim_rows


def night_tables(night: NightResult, world: World, positions: Portfolio) -> dict[str, object]:
    """Plain lists of dicts for ``NightResult.tables``; see result.NightResult."""
    return {
        "accounts": accounts_table(world),
        "identities": [dict(row) for row in world.accounts.identity_rows()],
        "saving_quarterly": saving_table(world.as_of),
        "parameters": parameter_table(world),
        "series": series_status(world.as_of),
        "factor_diagnostics": [
            {"model": name, **row}
            for name, model in (("daily", world.daily), ("weekly", world.weekly))
            for row in model.diagnostics
        ],
        "coverage": coverage_table(world),
        "positions": position_table(positions),
        "claims": claim_rows(night.as_of),
        "market_inputs": [
            {"id": x.id, "value": x.value, "se": x.se, "unit": x.unit, "date": x.date, "source": x.source,
             "assumed": x.assumed}
            for x in world.snapshot.inputs.values()
            if not x.id.startswith(MODEL_ROWS)
        ],
    }


def accounts_table(world: World) -> list[dict]:
    """Holdings of US securities by area and class, USD bn, largest first."""
    accounts = world.accounts
    rows = [
        {"holder": holder, **{c: float(v) for c, v in zip(accounts.classes, values, strict=True)},
         "total": float(values.sum())}
        for holder, values in zip(accounts.holders, accounts.holdings, strict=True)
    ]
    return sorted(rows, key=lambda row: -row["total"])


def saving_table(as_of: str, first: str = "2000") -> list[dict]:
    """Quarterly saving and investment, USD bn at annual rates (BEA); business = private less personal saving."""
    panel = load_panel("external_saving_quarterly", as_of)
    names = ("GDP", "NETFI", "GSAVE", "GPDI", "PSAVE", "GPSAVE", "GGSAVE")
    column = {name: panel.values[:, panel.axis.index(name)] for name in names}
    rows = []
    for t, date in enumerate(panel.dates.astype("datetime64[M]").astype(str)):
        if date < first or not all(np.isfinite(column[n][t]) for n in names):
            continue
        rows.append({
            "quarter": f"{date[:4]}Q{(int(date[5:7]) - 1) // 3 + 1}",
            "gdp": float(column["GDP"][t]),
            "net_foreign_lending": float(column["NETFI"][t]),
            "gross_saving": float(column["GSAVE"][t]),
            "investment": float(column["GPDI"][t]),
            "household_saving": float(column["PSAVE"][t]),
            "business_saving": float(column["GPSAVE"][t] - column["PSAVE"][t]),
            "government_saving": float(column["GGSAVE"][t]),
        })
    return rows


def parameter_table(world: World) -> list[dict]:
    """Every default with its band, distribution, unit and source."""
    return [
        {"name": name, "default": d.default, "lo": d.lo, "hi": d.hi, "unit": d.unit, "dist": d.kind,
         "source": d.source, "tag": world.parameters.tag(name)}
        for name, d in world.parameters.items()
    ]


def coverage_table(world: World) -> list[dict]:
    """One-day 99% coverage of the default model on currencies, a sanity test of its volatility and tails."""
    return [
        {"series": r.series, "model": r.model, "level": r.level, "observations": r.observations,
         "exceptions": r.exceptions, "kupiec_lr": r.kupiec_lr, "kupiec_p": r.kupiec_p,
         "traffic_light": r.traffic_light, **r.extra}
        for r in cached_coverage(world.as_of)
    ]


def position_table(positions: Portfolio) -> list[dict]:
    """The book as it was read: one row per position with its grouping."""
    return [
        {"position_id": p.position_id, "type": p.type, "desk": p.desk, "book": p.book, "strategy": p.strategy}
        for p in positions.positions
    ]
