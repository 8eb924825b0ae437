"""Commands that ask the resident process load nothing heavy, and refuse a folder that is not there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_a_command_that_asks_the_process_loads_nothing_heavy():
    """The line, the configuration's place and the message, up to where the process would be asked."""
    code = (
        "import sys, riskengine.workflows.resident_process as process\n"
        "from riskengine.cli import run\n"
        "asked = []\n"
        "process.ask = lambda message, **_: asked.append(message['op']) or sys.exit(\n"
        "    str((asked, [m for m in ('numpy', 'polars', 'numba', 'scipy') if m in sys.modules])))\n"
        "run(sys.argv[1:])\n")
    for line, op in ((["what-if", "fed_response", "--set", "a=1"], "what_if"), (["reverse", "--lose", "5m"], "reverse"),
                     (["hedge", "blank", "--with", "ES"], "hedge")):
        done = subprocess.run([sys.executable, "-c", code, *line], cwd=ROOT, capture_output=True, text=True,
                              timeout=60)
        assert done.stderr.strip() == f"(['{op}'], [])", done.stderr


@pytest.mark.parametrize("command", ["status", "quality", "versions"])
def test_a_folder_that_is_not_there_is_refused(command, tmp_path, capsys):
    from riskengine.cli import run

    assert run(["data", command, "--data", str(tmp_path / "none")]) == 1
    found = capsys.readouterr()
    assert "no such folder" in found.err and "riskengine data import" in found.err and not found.out
