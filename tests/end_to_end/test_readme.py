"""The README's Python example runs as it is printed."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_python_example_runs(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S)
    assert blocks
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})
    assert "convexity" in capsys.readouterr().out


def test_every_command_named_in_the_readme_exists():
    from typer.main import get_command

    from riskengine.cli.commands import app

    known = set(get_command(app).commands)
    named = set(re.findall(r"`riskengine ([a-z-]+)", (ROOT / "README.md").read_text(encoding="utf-8")))
    assert named and named <= known, named - known
