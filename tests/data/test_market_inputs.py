"""The table of market inputs: complete for the book, dated, sourced, in units; all faults reported."""

from __future__ import annotations

from pathlib import Path

import pytest

from riskengine.base.axes import CURRENCIES, EQUITIES, FACTORS, METROS, PROPERTY_TYPES
from riskengine.base.errors import InputError
from riskengine.data.market_inputs import load_market_inputs

SHIPPED = Path(__file__).resolve().parents[2] / "configs" / "market_inputs.csv"
HEADER = "id,value,se,unit,date,source,assumed\n"


@pytest.fixture(scope="module")
def inputs():
    return load_market_inputs(SHIPPED)


def test_every_figure_the_engine_asks_for_is_there(inputs):
    wanted = (
        [f"short_rate.{c}" for c in CURRENCIES] + [f"dividend_yield.{e}" for e in EQUITIES]
        + [f"foreign_revenue_share.{e}" for e in EQUITIES] + [f"imported_cost_share.{e}" for e in EQUITIES]
        + [f"cap_rate.{p}" for p in PROPERTY_TYPES] + [f"metro_exposure.{m}" for m in METROS]
        + [f"{kind}.FX_{c}" for kind in ("half_spread", "adv_usd") for c in CURRENCIES]
        + ["level.SP500", "level.NASDAQ", "vol_premium.fx", "vol_premium.equity", "loading.LISTED_REAL_ESTATE.UST_10Y"]
    )
    assert [i for i in wanted if i not in inputs] == []


def test_figures_carry_band_unit_date_source_and_assumptions_say_so(inputs):
    for row in inputs.values():
        assert row.se is not None and row.se >= 0, row.id
        assert row.unit and row.source and len(row.date) == 10, row.id
        assert row.assumed == row.source.startswith("assumption"), row.id
        if row.assumed and row.value:
            assert row.se > 0, row.id


def test_published_values(inputs):
    assert (inputs["level.SP500"].value, inputs["level.NASDAQ"].value) == (5732.93, 18074.52)
    reit = inputs["loading.LISTED_REAL_ESTATE.SP500"], inputs["loading.LISTED_REAL_ESTATE.UST_10Y"]
    assert [(r.value, r.se) for r in reit] == [(0.97, 0.11), (-4.7, 1.2)]
    assert 0.033 < inputs["short_rate.EUR"].value < 0.035
    assert 0.002 < inputs["short_rate.JPY"].value < 0.003
    assert all(f.split(".", 1)[1] in FACTORS.labels for f in inputs if f.startswith("residual_vol."))


def test_the_newest_row_known_at_the_as_of_date_is_taken(tmp_path):
    path = tmp_path / "inputs.csv"
    path.write_text(HEADER + "".join(f"short_rate.EUR,{v},0.001,decimal,{d},ECB,false\n"
                                     for v, d in ((0.04, "2023-09-20"), (0.035, "2024-09-18"), (0.02, "2025-06-11"))))
    at = {d: load_market_inputs(path, d)["short_rate.EUR"] for d in ("2023-09-19", "2023-09-20", "2024-09-24", None)}
    assert [x.value for x in at.values()] == [0.04, 0.04, 0.035, 0.02]
    assert [x.assumed for x in at.values()] == [True, False, False, False]
    assert "dated after the as-of date" in at["2023-09-19"].source


BAD = {
    "unknown family": ("yield.EUR,0.1,,u,2024-01-01,s,false", "unknown family"),
    "unknown currency": ("short_rate.XXX,0.1,,u,2024-01-01,s,false", "unknown name"),
    "no name": ("adv_usd,5,,u,2024-01-01,s,false", "family.name"),
    "per cent": ("short_rate.EUR,3.4,,u,2024-01-01,s,false", "out of range"),
    "nan": ("short_rate.EUR,nan,,u,2024-01-01,s,false", "finite"),
    "negative error": ("short_rate.EUR,0.03,-1,u,2024-01-01,s,false", "se"),
    "date": ("short_rate.EUR,0.03,,u,24.9.2024,s,false", "ISO date"),
    "no source": ("short_rate.EUR,0.03,,u,2024-01-01,,false", "source"),
    "assumed": ("short_rate.EUR,0.03,,u,2024-01-01,s,maybe", "true or false"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_row_is_refused(tmp_path, name):
    line, rule = BAD[name]
    path = tmp_path / "inputs.csv"
    path.write_text(HEADER + line + "\n")
    with pytest.raises(InputError, match=rule) as caught:
        load_market_inputs(path)
    assert {p.row for p in caught.value.problems} == {2}


def test_all_faults_at_once_duplicates_missing_columns_and_empty(tmp_path):
    path = tmp_path / "inputs.csv"
    path.write_text(HEADER + "\n".join(line for line, _ in BAD.values()))
    with pytest.raises(InputError) as caught:
        load_market_inputs(path)
    assert {p.row for p in caught.value.problems} >= set(range(2, 2 + len(BAD)))
    path.write_text(HEADER + 2 * "short_rate.EUR,0.03,,u,2024-01-01,s,false\n")
    with pytest.raises(InputError, match="one row per date"):
        load_market_inputs(path)
    path.write_text("id,value\nshort_rate.EUR,0.03\n")
    with pytest.raises(InputError, match="missing columns"):
        load_market_inputs(path)
    path.write_text(HEADER)
    with pytest.raises(InputError, match="no rows"):
        load_market_inputs(path)
    with pytest.raises(InputError, match="does not exist"):
        load_market_inputs(tmp_path / "none.csv")
