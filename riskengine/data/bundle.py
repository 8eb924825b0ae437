"""How the embedded Parquet tables are built: ``python -m riskengine.data.bundle PUBLIC_DIR``.

PUBLIC_DIR holds the CSV files named in ``TABLES`` (first column a date ``YYYY-MM-DD``, a month ``YYYY-MM`` or
a quarter ``YYYYQn``; the others numbers, blank where nothing was published).  Values are stored as printed,
in the publisher's units, float64 (so that reading back gives the very number of the CSV), compressed with
zstd; the first column becomes ``date``, the last day of the period.  Units and quoting direction change only
when a panel is loaded.  ``bundled/manifest.json`` records rows, columns, coverage and the hash of each source
file. The same CSVs and the same polars give the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path

import polars as pl

from riskengine.base.errors import InputError, Problem

TABLES = {
    "fx_daily": "fx_h10_daily_per_usd.csv",
    "fx_monthly": "fx_h10_monthly_avg_per_usd.csv",
    "treasury_par_daily": "treasury_par_yields_daily_1990_2024.csv",
    "treasury_cmt_daily": "treasury_cmt_daily_1962_1989.csv",
    "rates_monthly": "us_rates_monthly.csv",
    "macro_monthly": "us_macro_monthly.csv",
    "external_saving_quarterly": "us_external_saving_quarterly.csv",
    "stress_history_quarterly": "fed_stress_history_quarterly.csv",
}
BUNDLED = Path(__file__).parent / "bundled"


def read_public_csv(path: Path) -> pl.DataFrame:
    """One CSV as a table: ``date`` (last day of the period), then float64 columns; null where blank.

    InputError when the first column is none of the three period formats, dates repeat or are not ascending,
    or a value is not a number.
    """
    raw = pl.read_csv(path, infer_schema=False)
    first = raw.columns[0]
    dates = _period_end(raw[first])
    bad = [
        Problem("no day, month or quarter", file=path.name, row=i + 2, field=first, got=repr(raw[first][i]))
        for i in dates.is_null().arg_true().to_list()
    ]
    if not bad and not (dates.diff().drop_nulls().dt.total_days() > 0).all():
        bad.append(Problem("periods must ascend without repetition", file=path.name, field=first))
    columns = [dates.alias("date")]
    for name in raw.columns[1:]:
        text = raw[name].str.strip_chars()
        text = text.set(text == "", None)
        number = text.cast(pl.Float64, strict=False)
        for i in (number.is_null() & text.is_not_null()).arg_true().to_list():
            bad.append(Problem("not a number", file=path.name, row=i + 2, field=name, got=repr(text[i])))
        columns.append(number)
    if bad:
        raise InputError(bad)
    return pl.DataFrame(columns)


def build(public_dir: Path, target: Path = BUNDLED) -> dict[str, dict]:
    """Write every table and the manifest into *target*; returns the manifest.

    InputError naming every CSV that is missing.
    """
    missing = [Problem("file not found", file=f) for f in TABLES.values() if not (public_dir / f).is_file()]
    if missing:
        raise InputError(missing)
    target.mkdir(parents=True, exist_ok=True)
    manifest = {}
    for name, file in TABLES.items():
        table = read_public_csv(public_dir / file)
        table.write_parquet(
            target / f"{name}.parquet", compression="zstd", compression_level=22, statistics=False)
        manifest[name] = {
            "source_file": file,
            "source_sha256": hashlib.sha256((public_dir / file).read_bytes()).hexdigest(),
            "rows": table.height,
            "columns": table.columns[1:],
            "first": str(table["date"][0]),
            "last": str(table["date"][-1]),
        }
    (target / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    return manifest


def _period_end(text: pl.Series) -> pl.Series:
    """Last day of the day, month or quarter named by each entry; null where it names none."""
    day = text.str.strptime(pl.Date, "%Y-%m-%d", strict=False)
    month = (text + "-01").str.strptime(pl.Date, "%Y-%m-%d", strict=False).dt.month_end()
    quarter = text.str.extract(r"^\d{4}Q([1-4])$").cast(pl.Int32, strict=False) * 3
    last_month = text.str.slice(0, 4) + "-" + quarter.cast(pl.String).str.zfill(2) + "-01"
    quarter_end = last_month.str.strptime(pl.Date, "%Y-%m-%d", strict=False).dt.month_end()
    parsed = pl.DataFrame({"day": day, "month": month, "quarter": quarter_end})
    return parsed.select(pl.coalesce("day", "month", "quarter")).to_series()


def main(argv: list[str] | None = None) -> None:
    """Build from the command line and print one line per table."""
    parser = argparse.ArgumentParser(prog="riskengine.data.bundle", description=__doc__.splitlines()[0])
    parser.add_argument("public_dir", type=Path, help="folder with the publishers' CSV files")
    parser.add_argument("--target", type=Path, default=BUNDLED, help="where the Parquet files go")
    args = parser.parse_args(argv)
    for name, entry in build(args.public_dir, args.target).items():
        size = (args.target / f"{name}.parquet").stat().st_size
        span = f"{entry['first']} to {entry['last']}"
        print(f"{name:28s} {entry['rows']:6d} rows  {span}  {size / 1024:7.1f} kB")


if __name__ == "__main__":
    main()
