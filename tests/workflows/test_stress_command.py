"""``riskengine reverse`` and ``hedge`` as a user types them: text, JSON, wrong input without a traceback."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def ask(*words):
    return subprocess.run([sys.executable, "-m", "riskengine", *words], cwd=ROOT, capture_output=True, text=True,
                          timeout=300, check=False)


@pytest.mark.parametrize("command", ["reverse", "hedge"])
def test_help_says_what_it_takes(command):
    found = ask(command, "--help")
    assert found.returncode == 0
    assert ("--lose" if command == "reverse" else "--with") in found.stdout and "--json" in found.stdout


def test_reverse_prints_moves_and_policies_with_units():
    found = ask("reverse", "--lose", "100m", "--horizon", "13w", "--top", "2")
    assert found.returncode == 0, found.stderr
    for words in ("led by", "Policies (expected loss", "Cannot lose the amount", " bp", "80% over parameters",
                  "Probability of losing as much"):
        assert words in found.stdout


def test_hedge_as_json_has_its_keys():
    found = ask("hedge", "--with", "UST 10Y, ES", "--paths", "8192", "--no-check", "--json")
    assert found.returncode == 0, found.stderr
    answer = json.loads(found.stdout)
    assert {"hedges", "cost_usd", "in_sample", "out_of_sample", "residual", "measure", "level"} <= set(answer)
    assert [h["instrument"] for h in answer["hedges"]] == ["UST 10Y", "ES"]


def test_wrong_words_end_with_one_message():
    for words in (("reverse", "--lose", "banana"), ("hedge", "--with", "banana, UST 99Q", "--paths", "8192")):
        found = ask(*words)
        assert found.returncode == 1 and "Traceback" not in found.stderr and "banana" in found.stderr
