"""The whole night through the command line: files, keys, exit codes, repeatability, and a killed run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = (
    "report.html", "summary.json", "result.json", "risk.parquet", "scenarios.parquet", "ledger.parquet",
    "exposures.parquet", "manifest.json",
)


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "riskengine", *arguments]


def night(out: Path, *more: str, expect: tuple[int, ...] = (0, 2)) -> subprocess.CompletedProcess:
    done = subprocess.run(
        command("nightly", "--paths", "1024", "--out", str(out), *more), cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode in expect, done.stderr[-2000:]
    return done


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("runs")
    night(out)
    return out


def read(run: Path, name: str) -> dict:
    return json.loads((run / name).read_text(encoding="utf-8"))


def test_a_night_leaves_a_complete_run(runs):
    run = (runs / "latest").resolve()
    for name in FILES:
        assert (run / name).stat().st_size > 0, name
    summary, manifest = read(run, "summary.json"), read(run, "manifest.json")
    assert summary["as_of"] == "2024-09-24" == run.parent.name
    assert summary["run_id"] == manifest["run_id"] == run.name
    assert len(summary["scenarios"]) >= 19
    for scenario in summary["scenarios"]:
        assert scenario["ledger_max_imbalance_usd_bn"] <= 1e-9, scenario["name"]
        assert set(scenario["by_asset_class"]) == {"fx", "treasury", "equity", "real_estate"}
        assert sum(scenario["channels"].values()) == pytest.approx(scenario["expected_pnl_usd"], abs=1.0)
    assert sum(manifest["stage_seconds"].values()) > 0
    html = (run / "report.html").read_text(encoding="utf-8")
    assert "http://" not in html.replace("http://www.w3.org/", "") and "src=\"https" not in html


def test_same_seed_same_numbers_and_day_on_day_is_zero(runs, tmp_path):
    night(runs)
    first, second = sorted(r for r in (runs / "2024-09-24").iterdir() if r.name[0] != ".")[:2]
    a, b = read(first, "summary.json"), read(second, "summary.json")
    comparison = b.pop("comparison")
    a.pop("comparison", None), a.pop("run_id"), b.pop("run_id")
    assert a == b
    assert comparison["previous_run_id"] == first.name
    assert all(row["change"] == 0 for row in comparison["rows"]) and comparison["rows"]


def test_json_and_exit_codes(tmp_path):
    bad = tmp_path / "bad.csv"
    bad.write_text("position_id,type,quantity,desk,book,strategy,maturity,coupon\nA,treasury_nite,1e6,d,b,s,10Y,0.04\n")
    done = night(tmp_path / "runs", "--portfolio", str(bad), expect=(1,))
    assert "Traceback" not in done.stderr and "bad.csv" in done.stderr and "treasury_note" in done.stderr
    assert not list((tmp_path / "runs").rglob("summary.json"))
    usage = subprocess.run(command("nightly", "--no-such-option"), cwd=ROOT, capture_output=True, text=True)
    assert usage.returncode == 1


def test_a_killed_run_leaves_nothing_that_looks_finished(tmp_path):
    out = tmp_path / "runs"
    process = subprocess.Popen(
        command("nightly", "--paths", "1024", "--out", str(out)), cwd=ROOT,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while not out.is_dir() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.02)
    time.sleep(0.5)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not [p for p in out.rglob("summary.json") if not any(part.startswith(".") for part in p.parts)]
    assert not (out / "latest").exists()
