"""Updating from publishers that behave, and from publishers that do not: nothing bad gets in, nothing good is
lost."""

from __future__ import annotations

import gzip
import json
import re
import time
import zlib

import numpy as np
import pytest

from riskengine.base.errors import InputError
from riskengine.cli import run
from riskengine.data.fetch import FetchError, Patience, fetch, looks_like_html
from riskengine.data.local_store import ImportedSeries, open_store
from riskengine.data.update import judge, update_store
from riskengine.data.update_sources import FRED_SERIES, SOURCES, chosen_sources

from publisher_server import (HTML, SLT, failing, packed, packed_and_cut, page, publishers, send, slow, truncated,
                              zipped)

DAYS = np.arange("2019-01-01", "2024-01-01", dtype="datetime64[D]")
DAYS = DAYS[np.is_busday(DAYS)]
RNG = np.random.Generator(np.random.Philox(7))
LEVEL = np.round(4.0 + np.cumsum(RNG.normal(0.0, 0.03, len(DAYS))), 2)


def fred(name: str, days=DAYS, values=LEVEL, head: str = "observation_date") -> bytes:
    """The layout of FRED's CSV."""
    rows = [f"{d},{v:.2f}" for d, v in zip(days, values, strict=True)]
    return "\n".join([f"{head},{name}", *rows, ""]).encode()


def slt(areas=("Austria", "Japan"), months=24) -> bytes:
    rows = []
    for k, area in enumerate(areas):
        for m in range(months):
            total, treasury = 40_000 + 100 * m + k, 5_000 + 10 * m + k
            rows.append(f"{area}\t1{k}\t{2022 + m // 12}-{m % 12 + 1:02d}\t{total}\t5\t7\t{treasury}\t3\t2")
    return (SLT + "\n".join(rows) + "\n").encode()


def holders() -> bytes:
    months = "\t".join(f"2023-{m:02d}" for m in range(12, 0, -1))
    japan = "\t".join(f"{1100 + m}.5" for m in range(12))
    return (f"Table 5: Major Foreign Holders of Treasury Securities\nBillions of dollars\nCountry\t{months}\n"
            f"Japan\t{japan}\nGrand Total\t" + "\t".join(["7900.1"] * 12) + "\n").encode()


def ecb() -> bytes:
    rows = [f"{d},{1.05 + 0.0001 * i:.4f},{150 + 0.01 * i:.2f},N/A," for i, d in enumerate(DAYS)]
    return zipped("\n".join(["Date,USD,JPY,TRL,", *reversed(rows)]) + "\n")


@pytest.fixture
def web():
    with publishers() as state:
        state.answers |= {"DGS10": fred("DGS10"), "DGS2": fred("DGS2"), "VIXCLS": fred("VIXCLS"),
                          "slt_table1.txt": slt(), "slt_table5.txt": holders(), "eurofxref-hist.zip": ecb()}
        yield state


def hurry(seconds: float = 20.0, **given) -> Patience:
    return Patience(seconds=seconds, **({"backoff": 0.001, "request_seconds": 2.0} | given))


def update(web, folder, series=("DGS10", "DGS2"), **given):
    report = update_store(folder, series=series, addresses=web.addresses(), today="2024-06-30",
                          patience=given.pop("patience", None) or hurry(), **given)
    return report, {r.series: r for r in report.rows}


# ---------------------------------------------------------------- what publishers hand out

def test_every_source_arrives_and_a_second_update_changes_nothing(web, tmp_path):
    names = ("DGS10", "tic_slt", "tic_holders", "ecb")
    report, rows = update(web, tmp_path, names)
    assert not report.bad and report.before == "embedded" and not report.unreachable
    store = open_store(tmp_path)
    assert report.version == store.version
    days, values = store.read("DGS10")
    assert np.array_equal(days, DAYS) and np.array_equal(values, LEVEL)
    assert store.read("tic.slt.japan.treas_pos")[1].tolist() == [5_001 + 10 * m for m in range(24)]
    assert store.read("tic.holders.japan")[1][-1] == 1100.5 and str(store.read("tic.holders.japan")[0][-1]) == "2023-12-31"
    assert store.read("ecb.USD")[1][0] == 1.05 and store.entry("ecb.JPY").unit == "JPY per EUR"
    again, rows = update(web, tmp_path, names)
    assert again.version == report.version and {r.outcome for r in again.rows} == {"unchanged"}


def test_new_observations_and_revisions_of_the_last_days(web, tmp_path):
    web.answers["DGS10"] = fred("DGS10", DAYS[:-10], LEVEL[:-10])
    update(web, tmp_path)
    fixed = LEVEL.copy()
    fixed[-11] += 0.01
    web.answers["DGS10"] = packed(fred("DGS10", DAYS, fixed))
    report, rows = update(web, tmp_path)
    assert (rows["DGS10"].outcome, rows["DGS10"].added, rows["DGS10"].replaced) == ("updated", 10, 1)
    assert rows["DGS2"].outcome == "unchanged" and rows["DGS10"].last == str(DAYS[-1])
    assert report.version != report.before and open_store(tmp_path, report.before).version == report.before


def test_everything_is_asked_for_when_nothing_is_named(web, tmp_path):
    report, rows = update(web, tmp_path, series=())
    assert [a for a in web.asked if a in FRED_SERIES] == list(FRED_SERIES)
    assert {r.series for r in report.bad} == set(FRED_SERIES) - {"DGS10", "DGS2", "VIXCLS"}
    assert rows["DGS10"].outcome == "new" and rows["ecb.USD"].outcome == "new"
    assert all("404" in r.message for r in report.bad)


# ---------------------------------------------------------------- what goes wrong on the way

@pytest.mark.parametrize("answer, words", [
    (truncated(fred("DGS10")), "truncated"),
    (packed_and_cut(fred("DGS10")), "unpack"),
    (page, "HTML page.*Service unavailable"),
    (lambda h: send(h, HTML, Content_Type="text/csv"), "HTML page"),
    (lambda h: send(h, b""), "empty"),
    (lambda h: send(h, b"later", 500), "500.*4 attempts"),
    (lambda h: send(h, b"no", 403), "403"),
    (fred("DGS10")[:-3], "last line is not finished"),
    (b"observation_date,DGS10\n2019-01-01,4.0\n2019-01-0\n", "row 3: fewer cells"),
    (fred("DGS5"), "columns have changed.*DGS5"),
    (b"date;open;close\n1;2;3\n", "DGS10.csv"),
    (b"\x00\x01\x02\x03" * 50 + b"\n", "DGS10.csv"),
    (b"observation_date,DGS10\n2019-01-01,.\n2019-01-02,.\n", "DGS10"),
    (fred("DGS10", np.r_[DAYS, np.datetime64("2031-01-01")], np.r_[LEVEL, 4.0]), "2031-01-01"),
    (lambda h: h.connection.close(), "connection broke|no connection|without"),
], ids=["truncated", "gzip cut", "page", "page as csv", "empty", "500", "403", "cut line", "cut date", "other series",
        "other table", "binary", "only dots", "future", "hung up"])
def test_one_bad_document_is_named_and_the_rest_is_stored(web, tmp_path, answer, words):
    web.answers["DGS10"] = answer
    report, rows = update(web, tmp_path)
    assert rows["DGS10"].outcome == "failed" and rows["DGS2"].outcome == "new"
    assert re.search(words, rows["DGS10"].message), rows["DGS10"].message
    assert set(open_store(tmp_path).series) == {"DGS2"} and len(report.bad) == 1


def test_servers_that_recover_are_asked_again(web, tmp_path):
    web.answers["DGS10"] = failing(2, fred("DGS10"))
    web.answers["DGS2"] = failing(1, fred("DGS2"), 429)
    report, rows = update(web, tmp_path)
    assert not report.bad and web.asked.count("DGS10") == 3 and web.asked.count("DGS2") == 2


def test_a_refusal_is_not_asked_again(web, tmp_path):
    web.answers["DGS10"] = lambda h: send(h, b"no", 404)
    update(web, tmp_path)
    assert web.asked.count("DGS10") == 1


def test_waiting_grows_and_obeys_retry_after():
    slept = []
    with publishers() as web:
        web.answers["x"] = lambda h: send(h, b"", 503)
        with pytest.raises(FetchError, match="4 attempts"):
            fetch(f"{web.base}/x", Patience(sleep=slept.append))
        web.answers["y"] = lambda h: send(h, b"", 429, Retry_After="3")
        with pytest.raises(FetchError):
            fetch(f"{web.base}/y", Patience(attempts=2, sleep=slept.append))
    assert slept == [0.5, 1.0, 2.0, 3.0]


def test_a_server_that_drips_is_left_and_the_time_is_kept(web, tmp_path):
    web.answers["DGS10"] = slow
    report, rows = update(web, tmp_path, patience=hurry(1.0, request_seconds=0.1))
    assert rows["DGS10"].outcome == "failed" and "slow" in rows["DGS10"].message
    web.answers["DGS10"] = fred("DGS10")
    ticks = iter(range(0, 10_000, 4))
    report, rows = update(web, tmp_path, patience=Patience(seconds=3.0, clock=lambda: next(ticks)))
    assert {r.outcome for r in report.rows} == {"failed"} and "time was up" in report.rows[0].message


def test_no_network_is_one_message_and_the_store_stays(tmp_path, capsys):
    dead = "http://127.0.0.1:9"
    code = run(["data", "update", "--data", str(tmp_path), "--series", "DGS10", "--series", "DGS2",
                "--source-url", f"fred={dead}/x", "--timeout", "3"])
    said = capsys.readouterr().err
    assert code == 1 and "no source could be reached" in said and said.count("127.0.0.1:9") == 1
    assert open_store(tmp_path).version == "embedded"


def test_pages_are_recognised():
    assert looks_like_html(b"\xef\xbb\xbf\n <!DOCTYPE HTML><p>") and looks_like_html(b"<!-- x --><html>")
    assert not looks_like_html(fred("DGS10")) and not looks_like_html(gzip.compress(HTML))
    with pytest.raises(FetchError, match="not an http"):
        fetch("file:///etc/hostname", Patience())


# ---------------------------------------------------------------- good figures are not replaced by worse

def shrunk():
    return DAYS[-400:], LEVEL[-400:]


@pytest.mark.parametrize("days, values, words", [
    (DAYS[:-50], LEVEL[:-50], "ends earlier"),
    (*shrunk(), "shrunk"),
    (np.delete(DAYS, slice(100, 300)), np.delete(LEVEL, slice(100, 300)), "holes"),
    (DAYS, LEVEL * 100.0, "100 times"),
    (DAYS, LEVEL[::-1], "past values differ"),
], ids=["earlier", "shrunk", "holes", "unit", "past"])
def test_worse_figures_are_refused_by_name(web, tmp_path, days, values, words):
    update(web, tmp_path)
    web.answers["DGS10"] = fred("DGS10", days, values)
    report, rows = update(web, tmp_path)
    assert rows["DGS10"].outcome == "refused" and words in rows["DGS10"].message
    assert rows["DGS10"].last == str(DAYS[-1]) and rows["DGS2"].outcome == "unchanged"
    kept = open_store(tmp_path)
    assert np.array_equal(kept.read("DGS10")[1], LEVEL) and kept.version == report.before


def test_a_window_is_no_shrinking_and_keeps_the_older_figures(web, tmp_path):
    web.answers["SP500"] = fred("SP500", DAYS, LEVEL * 1000)
    update(web, tmp_path, ("SP500",))
    web.answers["SP500"] = fred("SP500", DAYS[-300:], LEVEL[-300:] * 1000)
    report, rows = update(web, tmp_path, ("SP500",))
    assert rows["SP500"].outcome == "unchanged" and open_store(tmp_path).entry("SP500").rows == len(DAYS)


def test_revised_series_may_change_their_past_but_not_their_unit(web, tmp_path):
    update(web, tmp_path, ("tic_slt",))
    body = slt().decode().replace("\t5000\t", "\t5100\t").replace("\t5010\t", "\t5110\t")
    web.answers["slt_table1.txt"] = body.encode()
    report, rows = update(web, tmp_path, ("tic_slt",))
    assert rows["tic.slt.austria.treas_pos"].replaced == 2 and not report.bad
    store = open_store(tmp_path)
    entry = store.entry("tic.slt.austria.treas_pos")
    dates, values = store.read(entry.id)
    new = ImportedSeries(entry.id, entry.title, entry.unit, entry.frequency, entry.source, "x", dates,
                         values * 1000, entry.lag_days, entry.revised)
    assert "1000 times" in judge(new, store)


def test_an_area_that_is_gone_is_named_and_kept(web, tmp_path):
    update(web, tmp_path, ("tic_slt",))
    web.answers["slt_table1.txt"] = slt(("Austria",))
    report, rows = update(web, tmp_path, ("tic_slt",))
    gone = {r.series for r in report.bad}
    assert gone and all(n.startswith("tic.slt.japan.") for n in gone)
    assert open_store(tmp_path).entry("tic.slt.japan.treas_pos").rows == 24


def test_changed_columns_of_a_table_fail_the_table(web, tmp_path):
    update(web, tmp_path, ("tic_slt",))
    web.answers["slt_table1.txt"] = slt().replace(b"for_lt_treas_pos", b"holdings_new")
    report, rows = update(web, tmp_path, ("tic_slt",))
    assert report.bad and open_store(tmp_path).version == report.before or \
        all("gone" in r.message for r in report.bad)
    assert open_store(tmp_path).entry("tic.slt.japan.treas_pos").rows == 24


def test_an_interrupt_keeps_what_was_good(web, tmp_path):
    def interrupt(stage, done, total):
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        update(web, tmp_path, progress=interrupt)
    assert set(open_store(tmp_path).series) == {"DGS10"}


# ---------------------------------------------------------------- what is asked for, and the command

def test_names_and_addresses_are_checked_together():
    with pytest.raises(InputError) as caught:
        chosen_sources(("NOPE-1", "ecb"), ("x=http://a", "ecb=ftp://a", "fred="))
    assert len(caught.value.problems) == 4
    fred_only = chosen_sources(("DGS10,DGS2", "DGS10"))
    assert len(fred_only) == 1 and fred_only[0].series == ("DGS10", "DGS2")
    assert chosen_sources(("ecb.USD",))[0].name == "ecb"
    assert chosen_sources((), ("fred=http://a/b?k=1",))[0].address("DGS1") == "http://a/b?k=1&id=DGS1"
    assert {s.name for s in SOURCES} == {s.name for s in chosen_sources()}
    assert chosen_sources(also=("MCOILWTICO",))[0].series[-1] == "MCOILWTICO"
    assert all(s.url.startswith("https://") for s in SOURCES)


def test_a_store_that_cannot_be_written_is_told_before_anything_is_fetched(web, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(InputError, match="not a folder|cannot be written"):
        update(web, blocked)
    assert web.asked == []


def test_the_command_counts_names_and_answers_one(web, tmp_path, capsys):
    line = ["data", "update", "--data", str(tmp_path), "--timeout", "30", "--series", "DGS10", "--series", "DGS2"]
    for text in web.addresses():
        line += ["--source-url", text]
    web.answers["DGS2"] = page
    assert run(line) == 1
    out, err = capsys.readouterr()
    assert "1 of 2 series in order" in out and "failed: DGS2" in err and "Traceback" not in err
    assert run([*line, "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["failed"] == 1 and {r["series"]: r["outcome"] for r in told["series"]} == {
        "DGS10": "unchanged", "DGS2": "failed"}
    web.answers["DGS2"] = fred("DGS2")
    assert run(line) == 0


def test_redirects_without_end_empty_answers_and_parts_are_named(web, tmp_path):
    def around(handler):
        send(handler, b"", 302, Location=handler.path)

    for answer, words in ((around, "infinite loop"), (lambda h: send(h, b"", 204), "answered 204"),
                          (lambda h: send(h, b"observation_date,DGS10\n2024-01-02,4\n", 206), "answered 206")):
        web.answers["DGS10"] = answer
        (row,) = update_store(tmp_path / "d", series=["DGS10"], addresses=web.addresses(), patience=hurry()).rows
        assert row.outcome == "failed" and words in row.message and "\n" not in row.message


def test_a_body_that_unpacks_without_end_is_left_and_several_members_are_one(monkeypatch):
    from riskengine.data import fetch as module

    two = gzip.compress(b"a" * 600) + gzip.compress(b"b" * 600)
    assert module._unpack(two, "gzip") == b"a" * 600 + b"b" * 600
    assert module._unpack(zlib.compress(b"a" * 600), "deflate") == b"a" * 600
    for body, kind in ((gzip.compress(b"a" * 600), "gzip"), (zlib.compress(b"a" * 600), "deflate")):
        with pytest.raises(FetchError, match="does not unpack"):
            module._unpack(body[:-9], kind)
    monkeypatch.setattr(module, "MOST_BYTES", 1000)
    for body, kind in ((two, "gzip"), (zlib.compress(b"a" * 10_000), "deflate")):
        with pytest.raises(FetchError, match="more than 1,000 bytes") as caught:
            module._unpack(body, kind)
        assert not caught.value.again


def test_a_drip_that_never_fills_a_buffer_is_watched_by_the_clock(web):
    def drip(handler):
        handler.send_response(200)
        handler.end_headers()
        for _ in range(400):
            try:
                handler.wfile.write(b"o")
            except OSError:
                return
            time.sleep(0.02)

    web.answers["DGS10"] = drip
    begun = time.monotonic()
    with pytest.raises(FetchError, match="too slow|time is up"):
        fetch(f"{web.base}/fred?id=DGS10", Patience(seconds=0.5, attempts=1))
    assert time.monotonic() - begun < 4.0


def test_a_series_in_another_unit_is_refused_alone_also_when_it_is_negative(web, tmp_path):
    place = tmp_path / "d"
    quarters = [f"{y}-{m:02d}-01" for y in range(2015, 2024) for m in (1, 4, 7, 10)]

    def serve(scale, last):
        web.answers["IIPUSNETIQ"] = ("observation_date,IIPUSNETIQ\n" + "".join(
            f"{d},{-(7_000_000 + 1000 * i) / scale}\n" for i, d in enumerate(quarters[:last]))).encode()
        web.answers["DGS10"] = ("observation_date,DGS10\n" + "".join(
            f"2024-01-{d:02d},4.{d}\n" for d in range(2, last - 10))).encode()
        return {r.series: r for r in update_store(place, series=["IIPUSNETIQ", "DGS10"], addresses=web.addresses(),
                                                  patience=hurry()).rows}

    assert {r.outcome for r in serve(1, 30).values()} == {"new"}
    rows = serve(1000, 36)
    assert rows["IIPUSNETIQ"].outcome == "refused" and "times the stored" in rows["IIPUSNETIQ"].message
    assert rows["DGS10"].outcome == "updated"
