"""``riskengine estimate claims`` on the embedded data alone: verdicts, page, JSON, and what it refuses."""

from __future__ import annotations

import json

import pytest

from riskengine.cli import run

AS_OF = "2024-09-24"


def test_embedded_data_test_what_they_can_and_name_what_is_missing(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RISKENGINE_CACHE", str(tmp_path / "cache"))
    page = tmp_path / "claims.html"
    assert run(["estimate", "claims", "--as-of", AS_OF, "--json", "--out", str(page)]) == 0
    found = json.loads(capsys.readouterr().out)
    claims = {c["id"]: c for c in found["claims"]}
    assert found["as_of"] == AS_OF and found["data_version"] == "embedded"
    assert claims["D1"]["verdict"] == "identity holds" and claims["D9"]["verdict"] == "contradicted"
    offset = claims["D5"]
    assert offset["verdict"] == "supported" and offset["without"][-1][0] == "without 2020–21"
    assert abs(offset["without"][-1][1]["value"]) < abs(offset["estimate"]["value"]), "2020–21 carry part of it"
    assert claims["D11"]["verdict"] == "data missing" and "case_shiller.miami" in claims["D11"]["missing"]
    assert all(c["verdict"] == "untestable" for c in found["claims"] if c["family"] == "Untestable")
    path = claims["D7-path"]
    recent = next(o for o in path["others"] if o["label"] == "b, since 2010")
    assert recent["value"] == pytest.approx(0.87, abs=0.06), "the engine's figure and its standard error"
    assert "Data missing" in page.read_text(encoding="utf-8")
    from riskengine.workflows.claims import claim_rows

    assert {r["id"] for r in claim_rows(AS_OF)} == set(claims), "the night of that day shows them"
    assert claim_rows("2024-09-23") == []


def test_wrong_inputs_are_one_line_each(tmp_path, capsys):
    for arguments, words in ((["--as-of", "2024-13-01"], "not a date"), (["--as-of", "1999-01-04"], "2003-01-01"),
                             (["--out", str(tmp_path)], "not a folder")):
        assert run(["estimate", "claims", *arguments]) == 1
        message = capsys.readouterr().err
        assert words in message and "Traceback" not in message
