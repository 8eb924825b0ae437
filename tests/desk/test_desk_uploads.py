"""A portfolio as Parquet goes through the door of files: the same book, the same sentences, the same
limits.
"""

from __future__ import annotations

import base64
import io

import pytest

pytest.importorskip("dash", reason="the extra 'desk' is not installed")
import polars

from riskengine.desk.answers import answer_question
from riskengine.desk.callbacks import run_errand
from riskengine.desk.rooms import MOST_UPLOAD

ROWS = {"position_id": ["A-1", "A-2"], "type": ["fx_spot", "fx_forward"], "desk": ["<b>g10", "g10"],
        "book": "b",
        "strategy": "s", "notional": [250e6, -1e8], "currency": ["EUR", "JPY"], "maturity": [None, "3M"]}


def upload(rooms, raw: bytes, name: str) -> dict:
    content = "data:;base64," + base64.b64encode(raw).decode()
    return run_errand(rooms, {"do": "upload", "name": name, "content": content})[0]


def parquet(frame: polars.DataFrame) -> bytes:
    out = io.BytesIO()
    frame.write_parquet(out)
    return out.getvalue()


def test_a_parquet_book_is_the_book_of_its_csv(rooms):
    frame = polars.DataFrame(ROWS)
    tables = {}
    for name, raw in (("book.csv", frame.write_csv().encode()), ("book.parquet", parquet(frame)),
                      ("book.pq", parquet(frame))):
        reply = upload(rooms, raw, name)
        assert reply["positions"] == 2 and reply["name"] == name
        tables[name] = answer_question(rooms, {"mode": "fast", "book": True, "state": {
            "scenario": "dollar_minus_10", "portfolio": reply["portfolio"]}})
    first = tables["book.csv"]
    for table in tables.values():
        assert table["rows"] == first["rows"] and table["html"] == first["html"]
    assert "<b>g10" not in first["html"]["desks"]


def test_the_same_sentences_for_bad_rows(rooms):
    bad = polars.DataFrame(ROWS | {"type": ["gold", "fx_forward"], "currency": ["EUR", "XXX"]})
    said = [[p.replace(name, "book") for p in upload(rooms, raw, name)["problems"]]
            for name, raw in (("book.csv", bad.write_csv().encode()), ("book.parquet", parquet(bad)))]
    assert said[0] == said[1] and len(said[0]) == 2


@pytest.mark.parametrize("raw, words", [
    (b"PAR1", "not a Parquet file"), (b"hello", "not a Parquet file"),
    (parquet(polars.DataFrame({"a": [1]})), "missing column"),
    (parquet(polars.DataFrame(ROWS))[:-9], "not a Parquet file"),
    (parquet(polars.DataFrame({"position_id": polars.zeros(3_000_000, eager=True)})), "too many rows"),
    (parquet(polars.DataFrame({f"c{n}": [1] for n in range(300)})), "too many columns"),
    (parquet(polars.DataFrame(ROWS | {"tag": ["x" * 50_000_000, ""]})), "a cell is too long"),
    (parquet(polars.DataFrame(ROWS).with_columns(tag=polars.lit([1, 2]))), "no column of a portfolio"),
    (parquet(polars.DataFrame(ROWS).with_columns(tag=polars.lit(b"x"))), "no column of a portfolio"),
    (b"PAR1" + b"x" * MOST_UPLOAD, "too large"),
])
def test_hostile_parquet(rooms, raw, words):
    assert words == "too large" or len(raw) < MOST_UPLOAD
    reply = upload(rooms, raw, "evil.parquet")
    assert "portfolio" not in reply
    assert any(words in p for p in reply["problems"]), reply["problems"]
