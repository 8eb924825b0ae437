"""Sectors imported: baskets with a history of their own, equity volatility of today, and nothing from
tomorrow."""

from __future__ import annotations

import numpy as np
import pytest

from factors.assembly import build_models
from factors.definitions import SECTOR_BASKETS
from factors.history import factor_levels, hash_panels, read_imported, read_panels, sector_baskets
from imported_data import business_days, made_up, poisoned, series, write
from riskengine.base.axes import FACTORS
from riskengine.data.selection import use_store

AS_OF = "2024-12-16"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return write(tmp_path_factory.mktemp("store"), made_up())


@pytest.fixture(scope="module")
def imported_models(store, market_inputs):
    with use_store(store.folder):
        return build_models(read_panels(AS_OF), AS_OF, market_inputs)


def rows_of(model, kind):
    return {r.get("factor", r.get("name")): r for r in model.diagnostics if r["kind"] == kind}


def test_baskets_are_estimated_on_their_members(imported_models, models):
    daily, i = imported_models["daily"], FACTORS.index
    told = rows_of(daily, "model")
    for factor, sets in SECTOR_BASKETS.items():
        assert all(member in told[f"{factor} estimated on imported sectors"]["method"] for member in sets[0])
        assert daily.history[i(factor)] > 6000 and models["daily"].history[i(factor)] == 0
        assert rows_of(daily, "factor")[factor]["note"] == "estimated on imported sectors"
        assert 0.4 < daily.correlation[i(factor), i("EQ_SP500")] < 0.99
        assert not daily.residual_synthetic[i(factor)] and models["daily"].residual_synthetic[i(factor)]
    betas = {f: daily.correlation[i(f), i("EQ_SP500")] * daily.vol_long_run[i(f)]
             / daily.vol_long_run[i("EQ_SP500")] for f in SECTOR_BASKETS}
    made = {"EQ_EXPORTERS": 1.1, "EQ_IMPORTERS": 1.1, "EQ_DOMESTIC": 0.8, "EQ_LISTED_REAL_ESTATE": 0.9}
    for factor, beta in made.items():
        assert 0.5 * beta < betas[factor] < beta  # they move with the made-up index, which begins in 2019


def test_equity_volatility_is_of_today_where_the_history_is(imported_models, models):
    for name in ("daily", "weekly"):
        now, embedded = imported_models[name], models[name]
        i = FACTORS.index
        ratio = now.vol_now / now.vol_long_run
        assert abs(ratio[i("EQ_SP500")] - 1) > 1e-4 and now.persistence[i("EQ_SP500")] > 0.1
        assert ratio[i("EQ_NASDAQ")] == pytest.approx(ratio[i("EQ_SP500")], rel=1e-9)
        assert embedded.vol_now[i("EQ_SP500")] == embedded.vol_long_run[i("EQ_SP500")]
        for r in (now.correlation, now.stress_correlation):
            assert np.linalg.eigvalsh(r)[0] > 1e-4
    assert "has ended" in rows_of(imported_models["daily"], "factor")["EQ_NASDAQ"]["note"]


def test_nothing_after_the_as_of_date_reaches_the_laboratory(store, tmp_path, as_of="2012-06-29"):
    """Panels are all that the models are built from; built worlds are compared in
    workflows/test_world_point_in_time."""
    spoilt = write(tmp_path, poisoned(made_up(), as_of))
    read = []
    for folder in (store.folder, spoilt.folder):
        with use_store(folder):
            read.append((read_panels(as_of), read_panels("2012-07-31")))
    (honest, later), (leaking, later_leaking) = read
    assert hash_panels(honest) == hash_panels(leaking)
    assert hash_panels(later) != hash_panels(later_leaking), "the poison was on the table"
    levels = factor_levels(honest)
    known = np.isfinite(levels.values[:, levels.labels.index("EQ_EXPORTERS")])
    assert known.sum() > 3000 and levels.dates[known][-1] == np.datetime64(as_of)


def test_the_level_is_the_running_mean_return(store):
    with use_store(store.folder):
        panel = read_imported(AS_OF)
        days, level, members = sector_baskets({panel.name: panel})["EQ_DOMESTIC"]
    closes = np.column_stack([store.read_as_of(m, AS_OF)[1] for m in members])
    np.testing.assert_allclose(level, np.log(closes / closes[0]).mean(axis=1), atol=1e-12)
    assert level[0] == 0.0 and str(days[-1]) == AS_OF and members == ("etf.XLU", "etf.XLF")


def test_industries_stand_in_for_funds_and_short_sets_for_none(tmp_path):
    days = business_days("2010-01-01", AS_OF)
    simple = np.full(len(days), 0.1)
    given = [series(f"ff10.{n}", days, simple) for n in ("HiTec", "Manuf", "Shops")]
    given += [series("etf.XLU", days[-100:], simple[-100:] + 30),
              series("etf.XLF", days[-100:], simple[-100:] + 30)]
    write(tmp_path, given)
    with use_store(tmp_path):
        panels = read_panels("2024-09-24")
        found = sector_baskets(panels)
        levels = factor_levels(panels)
    assert set(found) == {"EQ_EXPORTERS", "EQ_IMPORTERS"}
    assert np.diff(found["EQ_EXPORTERS"][1])[0] == pytest.approx(np.log1p(0.001))
    assert not levels.live  # published 45 days later: says nothing about today
    assert levels.labels[-2:] == ("EQ_EXPORTERS", "EQ_IMPORTERS")


def test_without_imports_the_laboratory_sees_no_other_panel(panels):
    assert "imported_daily" not in panels and sector_baskets(panels) == {} and read_imported(AS_OF) is None
