"""riskengine data import, status, versions: what a user sees, and the exit codes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from riskengine.cli import run

DAYS = [f"2023-03-{d:02d}" for d in (1, 2, 3, 6, 7, 8, 9, 10, 13, 14)]


def fred(series_id="DGS10", shift=0.0, days=DAYS):
    return f"observation_date,{series_id}\n" + "".join(
        f"{d},{4 + i / 100 + shift:.2f}\n" for i, d in enumerate(days))


@pytest.fixture
def place(tmp_path):
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "DGS10.csv").write_text(fred())
    (tmp_path / "in" / "deep" / "two.txt").write_text(fred("DGS2"))
    return tmp_path


def go(capsys, *line):
    code = run([str(part) for part in line])
    out, err = capsys.readouterr()
    return code, out, err


def test_a_folder_imports_whole_and_again_changes_nothing(place, capsys):
    store = place / "store"
    code, out, _ = go(capsys, "data", "import", place / "in", "--data", store)
    assert code == 0 and "2 of 2 files imported, 2 series; version" in out and "deep/two.txt" in out
    code, out, _ = go(capsys, "data", "import", place / "in", "--data", store)
    assert code == 0 and "nothing changed" in out


def test_a_bad_file_is_left_out_whole_the_others_go_on(place, capsys):
    (place / "in" / "bad.csv").write_text(fred("DGS5").replace("4.03", "abc").replace("4.05", "def"))
    (place / "in" / "readme.md").write_text("words")
    code, out, err = go(capsys, "data", "import", place / "in", "--data", place / "store", "--json")
    told = json.loads(out)
    assert code == 1 and [f["file"] for f in told["failed"]] == ["bad.csv"] and told["left_out"] == ["readme.md"]
    assert [(p["row"], p["field"], p["got"]) for p in told["failed"][0]["problems"]] == [
        (5, "DGS5", "'abc'"), (7, "DGS5", "'def'")]
    assert sorted(s for f in told["imported"] for s in f["series"]) == ["DGS10", "DGS2"]
    code, out, err = go(capsys, "data", "import", place / "in", "--data", place / "store")
    assert code == 1 and "not imported: bad.csv (2 problems)" in err and "row 5, field 'DGS5'" in err
    assert "Traceback" not in err


def test_a_corrected_file_says_what_it_changed_and_the_old_version_stays(place, capsys):
    store = place / "store"
    go(capsys, "data", "import", place / "in", "--data", store)
    text = fred().replace("4.03", "4.99").replace("2023-03-08,4.05\n", "") + "2023-03-15,4.2\n"
    (place / "in" / "DGS10.csv").write_text(text)
    code, out, _ = go(capsys, "data", "import", place / "in" / "DGS10.csv", "--data", store, "--json")
    (file,) = json.loads(out)["imported"]
    assert code == 0 and (file["added"], file["replaced"], file["vanished"], file["unchanged"]) == (1, 1, 1, 8)
    code, out, _ = go(capsys, "data", "versions", "--data", store, "--json")
    rows = json.loads(out)
    assert [r["in_force"] for r in rows].count(True) == 1 and len(rows) == 2
    assert {r["observations"] for r in rows} == {20}


def test_status_shows_embedded_and_imported(place, capsys):
    store = place / "store"
    store.mkdir()
    code, out, _ = go(capsys, "data", "status", "--data", store)
    assert code == 0 and "Nothing is imported" in out and "Data version embedded" in out
    go(capsys, "data", "import", place / "in", "--data", store)
    code, out, _ = go(capsys, "data", "status", "--data", store)
    assert code == 0 and re.search(r"DGS10 +1 +percent +daily +2023-03-01 +2023-03-14 +10 +0 +no", out)
    code, out, _ = go(capsys, "data", "status", "--data", store, "--json")
    rows = {r["id"]: r for r in json.loads(out)}
    assert rows["DGS2"]["origin"] == "imported" and rows["DGS2"]["lag_days"] == 0
    assert rows["fx_daily.EUR"]["origin"] == "embedded"


def test_as_names_the_only_series_of_the_only_file(place, capsys):
    store = place / "store"
    assert go(capsys, "data", "import", place / "in" / "DGS10.csv", "--as", "MINE", "--data", store)[0] == 0
    code, out, _ = go(capsys, "data", "status", "--data", store, "--json")
    assert [r["id"] for r in json.loads(out) if r["origin"] == "imported"] == ["MINE"]
    code, _, err = go(capsys, "data", "import", place / "in", "--as", "MINE", "--data", store)
    assert code == 1 and "one file" in err
    code, _, err = go(capsys, "data", "import", place / "in" / "DGS10.csv", "--as", "no spaces", "--data", store)
    assert code == 1 and "series id" in err


def test_usage_errors_are_one_message(place, capsys):
    for line, words in (
        (("data", "import"), "nothing to import"),
        (("data", "import", place / "none"), "no such file"),
        (("data", "import", place / "store2"), "no such file"),
        (("data", "import", place / "in" / "deep", "--data", place / "in" / "DGS10.csv"), "cannot be written"),
    ):
        code, out, err = go(capsys, *line)
        assert code == 1 and words in err and "Traceback" not in err, line
    (place / "empty").mkdir()
    assert "holds no table" in go(capsys, "data", "import", place / "empty")[2]


def test_two_files_of_one_import_that_disagree_are_told(place, capsys):
    (place / "in" / "zz.csv").write_text(fred(shift=0.5))
    code, _, err = go(capsys, "data", "import", place / "in", "--data", place / "store")
    assert code == 0 and "10 values differ from those of DGS10.csv" in err


def test_an_unreadable_file_does_not_stop_the_others(place, capsys, monkeypatch):
    real = Path.read_bytes

    def refuses(path):
        if path.name == "DGS10.csv":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", refuses)
    code, out, err = go(capsys, "data", "import", place / "in", "--data", place / "store")
    assert code == 1 and "cannot be read: Permission denied" in err and "1 of 2 files imported" in out
