"""Parquet files, long or wide: turned into rows of cells, so that every layout and check applies to them too.

Dates and time stamps become ISO days, numbers their shortest exact text (read back to the bit).  Row numbers
in messages count the header as row 1.
"""

from __future__ import annotations

import io

from riskengine.data.readers.findings import Findings
from riskengine.data.readers.raw_text import RawTable

MAGIC = b"PAR1"


def read_parquet_rows(content: bytes, findings: Findings) -> RawTable:
    """Rows of text of a Parquet file; InputError when it is not whole or holds nested columns."""
    import polars as pl

    try:
        table = pl.read_parquet(io.BytesIO(content))
    except Exception as error:  # noqa: BLE001 - polars raises several kinds, some of them its own panics
        raise findings.stop("the Parquet file cannot be read", got=str(error).split("\n")[0]) from None
    if not table.width or not table.height:
        raise findings.stop("no observations", got=f"{table.height} rows, {table.width} columns")
    columns = []
    for name, kind in table.schema.items():
        column = table[name]
        if kind.is_nested() or kind in (pl.Binary, pl.Object, pl.Boolean):
            findings.error("a column of this type holds no figures", column=name, got=str(kind),
                           accepted="dates, numbers, text")
            continue
        if kind == pl.Datetime:
            text = column.dt.strftime("%Y-%m-%d %H:%M")
            if all(t is None or t.endswith(" 00:00") for t in text):
                text = column.dt.strftime("%Y-%m-%d")
            cells = text.to_list()
        elif kind == pl.Date:
            cells = column.dt.strftime("%Y-%m-%d").to_list()
        elif kind.is_float():
            cells = [None if v is None or v != v else repr(v) for v in column.cast(pl.Float64).to_list()]
        else:
            cells = [None if v is None else str(v) for v in column.to_list()]
        columns.append([name, *("" if c is None else c.strip() for c in cells)])
    findings.raise_errors()
    rows = [list(row) for row in zip(*columns, strict=True)]
    return RawTable(rows, list(range(1, len(rows) + 1)), ",", True, "")
