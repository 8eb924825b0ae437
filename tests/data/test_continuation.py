"""Embedded panels carried on by the data store: what is added, what stands, what no later figure can
change."""

from __future__ import annotations

import numpy as np
import pytest

from imported_data import business_days, made_up, poisoned, series, write
from riskengine.base.axes import CURRENCIES
from riskengine.data import panels
from riskengine.data.bridging import LONGEST_GAP_DAYS, bridge_currency
from riskengine.data.catalog import DEFAULT_AS_OF, PANELS, default_as_of, panel_info, panels_in_use, series_info
from riskengine.data.panels import embedded_history, known_dates, load_panel, series_used
from riskengine.data.quality import data_quality, series_status, vintage_policies
from riskengine.data.selection import active_store, use_store
from riskengine.data.snapshot import covered_range, load_snapshot
from riskengine.market import Panel


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return write(tmp_path_factory.mktemp("store"), made_up())


@pytest.fixture
def imported(store):
    with use_store(store.folder) as active:
        yield active


def column(panel: Panel, label: str) -> dict[str, float]:
    values = panel.values[:, panel.axis.index(label)]
    seen = np.isfinite(values)
    return dict(zip(map(str, panel.dates[seen]), values[seen], strict=True))


def test_without_imports_nothing_is_different():
    assert active_store().version == "embedded" and panels_in_use() is PANELS
    assert default_as_of() == DEFAULT_AS_OF and "imported_daily" not in panels_in_use()
    for name in PANELS:
        dates, values = embedded_history(name)
        full = panels.full_history(name)
        assert np.array_equal(dates, full[0]) and np.array_equal(values, full[1], equal_nan=True)


def test_embedded_figures_stand_and_later_days_are_added(imported):
    for name in ("fx_daily", "treasury_par_daily", "equity_daily"):
        dates, values = embedded_history(name)
        panel = load_panel(name, "2026-01-01")
        at = np.searchsorted(panel.dates, dates)
        old = panel.values[at]
        known = np.isfinite(values)
        assert np.array_equal(old[known], values[known]) and str(panel.dates[-1]) == "2025-03-31"
        assert (np.diff(panel.dates).astype(int) > 0).all()


def test_quotations_are_turned_the_right_way(imported):
    fx = load_panel("fx_daily", "2026-01-01")
    for name, label, invert in (("DEXUSEU", "EUR", False), ("DEXJPUS", "JPY", True), ("h10.AUD", "AUD", False),
                                ("h10.CNY", "CNY", True), ("fx_close.MXN", "MXN", True)):
        days, quotes = imported.read(name)
        value = quotes[list(map(str, days)).index("2025-03-04")]
        assert column(fx, label)["2025-03-04"] == (1.0 / value if invert else value)
    par = column(load_panel("treasury_par_daily", "2026-01-01"), "10Y")
    days, percent = imported.read("DGS10")
    assert par["2025-03-04"] == percent[list(map(str, days)).index("2025-03-04")] / 100.0
    zero = load_panel("zero_rates_daily", "2026-01-01")
    assert str(zero.dates[-1]) == "2025-03-31" and np.isnan(zero.values[-1, zero.axis.index("3Y")])
    assert series_used("fx_daily")["EUR"] == ("DEXUSEU",) and "DEXUSEU (noon" in series_info("fx_daily.EUR").source


def test_only_new_york_business_days_are_added(imported):
    fx = load_panel("fx_daily", "2026-01-01")
    added = fx.dates[fx.dates > embedded_history("fx_daily")[0][-1]]
    assert np.is_busday(added).all() and "2024-12-25" not in map(str, added) and "2025-01-20" not in map(str, added)


def test_a_fund_continues_the_index_by_its_returns(tmp_path):
    days = business_days("2018-12-28", "2019-03-29")
    closes = np.linspace(250.0, 280.0, len(days))
    write(tmp_path, [series("etf.SPY", days, closes)])
    with use_store(tmp_path):
        level = column(load_panel("equity_daily", "2019-12-31"), "SP500")
    anchor = closes[list(map(str, days)).index("2018-12-31")]
    last = closes[list(map(str, days)).index("2019-03-29")]
    assert level["2018-12-31"] == 2506.850098
    assert level["2019-03-29"] == pytest.approx(2506.850098 * last / anchor, rel=1e-14)
    late = days > np.datetime64("2019-01-15")
    write(tmp_path / "no_anchor", [series("etf.SPY", days[late], closes[late])])
    with use_store(tmp_path / "no_anchor"):
        assert max(column(load_panel("equity_daily", "2019-12-31"), "SP500")) == "2018-12-31"


@pytest.mark.parametrize("wrong", [0.9, 1.0 / 1.1, 110.0], ids=["another", "inverted", "cents"])
def test_a_source_that_is_another_series_is_not_used_and_named(wrong, tmp_path):
    days = business_days("2024-09-02", "2025-01-31")
    write(tmp_path, [series("DEXUSEU", days, np.full(len(days), wrong))])
    with use_store(tmp_path):
        assert max(column(load_panel("fx_daily", "2025-06-30"), "EUR")) == "2024-11-29"
        red = [i for i in data_quality("2024-12-02") if i.severity == "red" and i.series == "fx_daily.EUR"]
    assert len(red) == 1 and "DEXUSEU is not used" in red[0].message
    late = days > np.datetime64("2024-11-29")
    write(tmp_path / "late", [series("DEXUSEU", days[late], np.full(int(late.sum()), wrong / 1.5))])
    with use_store(tmp_path / "late"):
        assert max(column(load_panel("fx_daily", "2025-06-30"), "EUR")) == "2024-11-29"


def test_euro_rates_are_crossed(tmp_path):
    days = business_days("2024-11-01", "2025-01-31")
    dollar, real = np.full(len(days), 1.05), np.full(len(days), 6.30)
    write(tmp_path, [series("ecb.USD", days, dollar), series("ecb.BRL", days, real)])
    with use_store(tmp_path):
        fx = load_panel("fx_daily", "2025-06-30")
        assert column(fx, "BRL")["2025-01-31"] == pytest.approx(1.05 / 6.30, rel=1e-15)
        assert column(fx, "EUR")["2025-01-31"] == 1.05


def test_other_series_have_a_panel_of_their_own(imported):
    panel = load_panel("imported_daily", "2024-12-31")
    assert set(panel.axis.labels) == {"VIXCLS"} | {f"etf.{n}" for n in ("XLK", "XLB", "XLI", "XLY", "XLU", "XLF", "IYR")}
    days, values = imported.read("VIXCLS")
    assert column(panel, "VIXCLS")["2024-12-31"] == values[list(map(str, days)).index("2024-12-31")]
    assert panel_info("imported_daily").series[0].licence.startswith("imported")
    ids = [r["id"] for r in series_status("2024-12-31")]
    assert "imported_daily.etf.XLK" in ids and len(ids) == len(set(ids))


def test_the_default_day_is_the_last_with_currencies_yields_and_the_index(imported, tmp_path):
    assert default_as_of() == "2025-03-31" and str(covered_range()[1]) == "2025-03-31"
    some = [s for s in made_up() if s.id.startswith(("DEX", "DGS", "h10"))]
    days = business_days("2018-12-28", "2025-03-14")
    write(tmp_path, [*some, series("SP500", days, np.linspace(2500, 5600, len(days)))])
    with use_store(tmp_path):
        assert default_as_of() == "2025-03-14"
    write(tmp_path / "old", [series("SP500", days[:300], np.linspace(2500, 2600, 300))])
    with use_store(tmp_path / "old"):
        assert default_as_of() == DEFAULT_AS_OF


# ---------------------------------------------------------------- currencies not quoted for weeks

def test_currencies_not_quoted_are_estimated_and_marked(imported):
    market = load_snapshot("2024-12-31", {})
    bridged = {i.removeprefix("spot.") for i in market.inputs if i.startswith("spot.")}
    quoted = {"EUR", "GBP", "JPY", "CAD", "CHF", "AUD", "CNY", "MXN"}
    assert set(market.spot) == set(CURRENCIES) and bridged == set(CURRENCIES) - quoted
    assert all(market.inputs[f"spot.{c}"].assumed and market.inputs[f"spot.{c}"].se > 0 for c in bridged)
    assert market.dates["fx_daily.NOK"] == "2024-11-29" and market.dates["fx_daily.EUR"] == "2024-12-31"
    assert any(i.severity == "red" and "NOK" in i.message and "estimated" in i.message
               for i in data_quality("2024-12-31") if i.series == "fx_daily")
    assert "NOK" not in load_snapshot("2025-03-31", {}).spot  # four months: no market any more


def test_the_bridge_is_the_regression_it_says():
    rng = np.random.Generator(np.random.Philox(3))
    days = business_days("2020-01-01", "2024-12-31")
    others = np.cumsum(0.005 * rng.standard_normal((len(days), 6)), axis=0)
    own = others @ np.array([0.5, 0.3, 0.0, 0.0, 0.2, -0.4])
    from riskengine.base.axes import Axis

    values = np.exp(np.column_stack([others, own]))
    values[-20:, 6] = np.nan
    panel = Panel("fx", days, values, Axis("fx", tuple("ABCDEFG")), ("",) * 7)
    found = bridge_currency(panel, "G", days[-1], 10)
    assert found.value == pytest.approx(np.exp(own[-1]), rel=1e-9) and found.se < 1e-9
    assert bridge_currency(panel, "A", days[-1], 10) is None  # quoted
    assert bridge_currency(panel, "G", days[-15], 10) is None  # a week old: its own quotation serves
    assert bridge_currency(panel, "G", days[-21] + LONGEST_GAP_DAYS + 1, 10) is None


# ---------------------------------------------------------------- nothing later counts

DAYS = ("2016-06-30", "2024-12-16")


def everything_at(as_of: str, store) -> dict:
    """All that is read at a date: panels, series, the market, remarks on the data."""
    found: dict = {}
    for name in panels_in_use():
        panel = load_panel(name, as_of)
        found[name] = (panel.dates.tobytes(), panel.values.tobytes(), panel.axis.labels)
    for name in store.series:
        dates, values = store.read_as_of(name, as_of)
        found[f"series {name}"] = (dates.tobytes(), values.tobytes())
    market = load_snapshot(as_of, {})
    found["market"] = (market.spot, market.zero_rates.tobytes(), market.equity_levels, market.dates,
                       {k: (v.value, v.se) for k, v in market.inputs.items()})
    found["quality"] = [(i.severity, i.series, i.message) for i in data_quality(as_of)]
    found["policies"] = vintage_policies(as_of)
    return found


@pytest.mark.parametrize("as_of", DAYS)
def test_nonsense_after_the_as_of_date_changes_nothing(as_of, tmp_path, monkeypatch):
    given = made_up()
    honest = write(tmp_path / "honest", given)
    with use_store(honest.folder):
        before = everything_at(as_of, honest)
    spoilt = write(tmp_path / "spoilt", poisoned(given, as_of))
    real = panels._embedded

    def spoil(name):
        dates, values = real(name)
        later = known_dates(PANELS[name], dates) > np.datetime64(as_of)
        return dates, np.where(later, np.abs(values) * 7.3 + 1.0, values)

    try:
        monkeypatch.setattr(panels, "_embedded", spoil)
        with use_store(spoilt.folder):
            after = everything_at(as_of, spoilt)
    finally:
        panels._history_at.cache_clear()
        panels._carried.cache_clear()
    assert honest.version != spoilt.version
    for key in before:
        assert before[key] == after[key], key


def test_versions_do_not_share_a_cache(tmp_path):
    days = business_days("2024-11-01", "2025-01-31")
    first = write(tmp_path, [series("DEXUSEU", days, np.full(len(days), 1.05))])
    second = write(tmp_path, [series("DEXUSEU", days, np.full(len(days), 1.06))])
    for store, value in ((first, 1.05), (second, 1.06)):
        with use_store(tmp_path, store.version):
            assert column(load_panel("fx_daily", "2025-06-30"), "EUR")["2025-01-31"] == value
