"""Where figures are read from: the Parquet tables inside the package and the index files of ``arch``.

Values come as published; quoting direction and units change in ``panels``.
"""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from importlib import resources
from pathlib import Path

import polars as pl

from riskengine.base.errors import InputError, Problem


@lru_cache(maxsize=16)
def read_bundled(file: str) -> pl.DataFrame:
    """The embedded table *file* (``date`` and float64 columns, published units), ascending in date."""
    place = resources.files("riskengine.data") / "bundled" / file
    if not place.is_file():
        raise InputError(
            Problem("embedded table is missing from the installation; reinstall the package", file=file))
    with resources.as_file(place) as path:
        return pl.read_parquet(path)


@lru_cache(maxsize=4)
def read_arch_index(folder: str) -> pl.DataFrame:
    """Daily closes shipped with ``arch``: columns ``date``, ``close`` (index points).

    folder : 'sp500' or 'nasdaq'.

    The package is only located, never imported (``arch.data`` pulls in pandas and takes seconds).
    """
    spec = importlib.util.find_spec("arch")
    if spec is None or spec.origin is None:
        raise InputError(Problem(
            "package 'arch' is not installed; its daily index files are the equity history",
            accepted="install arch>=7.2"))
    path = Path(spec.origin).parent / "data" / folder / f"{folder}.csv.gz"
    if not path.is_file():
        raise InputError(
            Problem("installed 'arch' has no such index file", got=f"data/{folder}/{folder}.csv.gz"))
    table = pl.read_csv(path, infer_schema_length=None)
    return table.select(
        pl.col("Date").str.strptime(pl.Date, "%m/%d/%Y").alias("date"),
        pl.col("Close").cast(pl.Float64).alias("close"),
    ).sort("date")
