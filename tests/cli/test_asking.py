"""Plain lines are read without typer's coercion and mean what typer reads; all others are typer's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from riskengine.cli import commands
from riskengine.cli.plain_lines import read_line

ROOT = Path(__file__).resolve().parents[2]
ACCEPTED = [
    ("what-if", []),
    ("what-if", ["fed_response", "--set", "a.b=1", "--set=c.d=2", "--trade", "buy 250m UST 10Y", "other"]),
    ("what-if", ["--scale=X=0.5", "--remove", "Y", "--paths", "4096", "--json", "--no-resident"]),
    ("what-if", ["--config", "a/b.toml", "--portfolio", "p.csv", "--as-of", "2024-01-02", "--data", "d"]),
    ("reverse", ["--lose", "500m", "--top", "3", "--quantile", "0.9", "--desk", "a desk"]),
    ("hedge", ["--with", "UST 10Y, ES", "blank", "--no-check", "--drift", "--level", "0.99", "--budget", "2m"]),
    ("hedge", ["--with=", "--check"]),
]
LEFT_TO_TYPER = [
    ("what-if", ["--help"]), ("what-if", ["--pathz", "4"]), ("what-if", ["--paths", "four"]),
    ("what-if", ["--paths"]), ("what-if", ["--paths", "1", "--paths", "2"]), ("what-if", ["--json=yes"]),
    ("what-if", ["--trade", "--json"]), ("what-if", ["--", "--json"]), ("reverse", ["--top", "3"]),
    ("reverse", ["--lose", "5m", "a word"]), ("hedge", ["--with", "ES", "one", "two"]),
    ("reverse", ["--lose", "5m", "--quantile", "nan"]), ("hedge", ["--with", "ES", "--level", "1e-1"]),
]


def declared(name):
    return commands.PLAIN[tuple(name.split())]


def read_by_typer(name, words) -> dict | None:
    """What typer calls the command with, without what is only a default; None when it refuses the line."""
    import typer

    seen = []
    command = declared(name)

    def catch(**values):
        seen.append(values)

    catch.__signature__ = command.__signature__
    catch.__annotations__ = command.__annotations__
    app = typer.Typer()
    app.command(name)(catch)
    app.callback()(lambda: None)
    found = CliRunner().invoke(app, [name, *words])
    return seen[0] if found.exit_code == 0 and seen else None


def with_defaults(name, values):
    import inspect

    parameters = inspect.signature(declared(name)).parameters.values()
    return {p.name: values.get(p.name, p.default) for p in parameters}


@pytest.mark.parametrize(("name", "words"), ACCEPTED)
def test_a_plain_line_means_what_typer_reads(name, words):
    mine = read_line(declared(name), words)
    assert mine is not None
    theirs = read_by_typer(name, words)
    assert with_defaults(name, mine) == {k: v or with_defaults(name, {})[k] if v == [] else v
                                         for k, v in theirs.items()}


@pytest.mark.parametrize(("name", "words"), LEFT_TO_TYPER)
def test_any_other_line_is_left_to_typer(name, words):
    assert read_line(declared(name), words) is None


WORDS = st.sampled_from(["--set", "--trade", "--paths", "--json", "--no-resident", "--resident", "--horizon", "a=1",
                         "7", "x", "--set=a=2", "--paths=3", "", "-", "--", "-x", "--data", "0.5", "--scale=A=1"])


@settings(max_examples=150, deadline=None)
@given(st.lists(WORDS, max_size=6))
def test_what_is_read_here_typer_reads_the_same(words):
    mine = read_line(declared("what-if"), words)
    if mine is not None:
        theirs = read_by_typer("what-if", words)
        assert theirs is not None, words
        none = with_defaults("what-if", {})
        assert with_defaults("what-if", mine) == {k: none[k] if v == [] else v for k, v in theirs.items()}


def test_a_command_that_asks_the_process_loads_nothing_heavy():
    """The line, the configuration's place and the message, up to where the process would be asked."""
    code = (
        "import sys, riskengine.workflows.resident_process as process\n"
        "from riskengine.cli import run\n"
        "asked = []\n"
        "process.ask = lambda message, **_: asked.append(message['op']) or sys.exit(\n"
        "    str((asked, [m for m in ('numpy', 'polars', 'pydantic', 'numba', 'rich') if m in sys.modules])))\n"
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
