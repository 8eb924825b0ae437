"""The embedded tables are the published figures, and every series is described."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from riskengine.base.errors import InputError
from riskengine.data import bundle
from riskengine.data.catalog import PANELS, SERIES, panel_info, series_info
from riskengine.data.sources import read_arch_index, read_bundled

PUBLIC = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "public"
with_public = pytest.mark.skipif(not PUBLIC.is_dir(), reason="the publishers' CSV files are not at ../shared")
MANIFEST = json.loads((bundle.BUNDLED / "manifest.json").read_text())


def test_every_series_is_described():
    assert len(SERIES) == sum(len(p.series) for p in PANELS.values()) > 120
    for key, series in SERIES.items():
        assert key == series.id == f"{series.panel}.{series.label}"
        for field in ("title", "unit", "source", "transformation", "licence", "column"):
            assert getattr(series, field).strip(), (series.id, field)
        assert series.frequency == PANELS[series.panel].frequency in ("daily", "monthly", "quarterly")
        assert series.lag_days >= 0 and series.kind in ("price", "rate", "flow")


def test_embedded_columns_and_catalogue_agree():
    files = {p.file for p in PANELS.values() if p.file}
    assert files == {f.name for f in bundle.BUNDLED.glob("*.parquet")}
    assert files == {f"{name}.parquet" for name in bundle.TABLES}
    for panel in PANELS.values():
        if panel.file:
            table = read_bundled(panel.file)
            assert sorted(table.columns[1:]) == sorted(s.column for s in panel.series)
            assert table["date"].is_sorted()
            assert table["date"].n_unique() == table.height == MANIFEST[panel.name]["rows"]


def test_size_stays_about_one_megabyte():
    assert sum(f.stat().st_size for f in bundle.BUNDLED.iterdir()) < 1.3e6


def test_unknown_names_suggest_near_ones():
    with pytest.raises(InputError, match="fx_daily"):
        panel_info("fx_dayly")
    with pytest.raises(InputError, match="fx_daily.EUR"):
        series_info("fx_daily.EURO")


@with_public
@pytest.mark.parametrize("name", bundle.TABLES)
def test_parquet_holds_exactly_the_published_figures(name):
    """Independent of the builder: the CSV's own text, as Python reads numbers."""
    lines = (PUBLIC / bundle.TABLES[name]).read_text().splitlines()
    header, rows = lines[0].split(","), [line.split(",") for line in lines[1:]]
    table = pl.read_parquet(bundle.BUNDLED / f"{name}.parquet")
    assert table.columns[1:] == header[1:] and table.height == len(rows)
    for j, column in enumerate(header[1:], start=1):
        assert table[column].to_list() == [float(r[j]) if r[j] else None for r in rows], column
    shown = table["date"].dt.strftime("%Y-%m-%d").to_list()
    if PANELS[name].frequency == "quarterly":
        shown = [f"{t[:4]}Q{(int(t[5:7]) + 2) // 3}" for t in shown]
    assert all(s.startswith(r[0]) for s, r in zip(shown, rows, strict=True))
    if PANELS[name].frequency != "daily":
        assert (table["date"] == table["date"].dt.month_end()).all()
    digest = hashlib.sha256((PUBLIC / bundle.TABLES[name]).read_bytes()).hexdigest()
    assert MANIFEST[name]["source_sha256"] == digest


@with_public
def test_building_twice_gives_the_same_bytes(tmp_path):
    for part in ("a", "b"):
        bundle.main([str(PUBLIC), "--target", str(tmp_path / part)])
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()
        if file.suffix == ".parquet":
            assert pl.read_parquet(file).equals(pl.read_parquet(bundle.BUNDLED / file.name))


def test_builder_names_everything_that_is_wrong(tmp_path):
    bad = tmp_path / "x.csv"
    bad.write_text("date,A,B\n2024-01-02,1.5,\n2024-13-02,2,3\n2024-01-04,two,3\n")
    with pytest.raises(InputError) as caught:
        bundle.read_public_csv(bad)
    assert [(p.row, p.field) for p in caught.value.problems] == [(3, "date"), (4, "A")]
    bad.write_text("date,A\n2024-01-02,1\n2024-01-02,2\n")
    with pytest.raises(InputError, match="ascend"):
        bundle.read_public_csv(bad)
    with pytest.raises(InputError) as caught:
        bundle.build(tmp_path, tmp_path / "out")
    assert len(caught.value.problems) == len(bundle.TABLES)


def test_builder_reads_days_months_and_quarters(tmp_path):
    for text, end in (("2024-02-05", "2024-02-05"), ("2024-02", "2024-02-29"), ("2023Q1", "2023-03-31"),
                      ("2023Q4", "2023-12-31")):
        (tmp_path / "x.csv").write_text(f"period,A\n{text},1.25\n")
        table = bundle.read_public_csv(tmp_path / "x.csv")
        assert str(table["date"][0]) == end and table["A"].to_list() == [1.25]


def test_index_files_of_arch():
    for folder, first, last in (("sp500", 1228.099976, 2506.850098), ("nasdaq", 2208.050049, 6635.279785)):
        table = read_arch_index(folder)
        assert (str(table["date"][0]), str(table["date"][-1])) == ("1999-01-04", "2018-12-31")
        assert (table["close"][0], table["close"][-1]) == (first, last)
    with pytest.raises(InputError, match="no such index file"):
        read_arch_index("dax")


def test_data_room_stays_light():
    """Reading panels loads neither numba, nor pandas, nor arch; the package itself loads nothing."""
    code = (
        "import sys, riskengine.data; assert 'numpy' not in sys.modules and 'polars' not in sys.modules\n"
        "from riskengine.data.panels import load_panel; load_panel('equity_daily', '2024-09-24')\n"
        "from riskengine.data import snapshot, quality, store\n"
        "bad = {'numba', 'pandas', 'arch', 'statsmodels', 'riskengine.kernels'} & set(sys.modules)\n"
        "assert not bad, bad")
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
