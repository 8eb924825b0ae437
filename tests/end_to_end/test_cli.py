"""The command line: exit codes, one message per error, light start, nothing but output on stdout."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import textwrap
import types
from dataclasses import dataclass
from pathlib import Path

import pytest

from riskengine import cli
from riskengine.base.errors import InputError, ModelError, Problem
from riskengine.data.configs import config_root, list_scenarios

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


def riskengine(*arguments: str, cwd: Path = ROOT, **how) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", "riskengine", *arguments], cwd=cwd, env=ENVIRONMENT,
                          text=True, capture_output=True, timeout=120, **how)


def python(code: str, **how) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", textwrap.dedent(code)], cwd=ROOT, env=ENVIRONMENT, text=True,
                          capture_output=True, timeout=120, **how)


@dataclass
class Outcome:
    folder: Path
    hard_breach: bool
    result: object = None


@pytest.fixture
def night(monkeypatch, tmp_path):
    """A stand-in for the night workflow that records its call and answers as told."""
    calls: list[tuple[object, dict]] = []
    module = types.ModuleType("riskengine.workflows.nightly")
    module.answer = lambda: Outcome(tmp_path, False)

    def run_night(config, **options):
        calls.append((config, options))
        return module.answer()

    module.run_night = run_night
    module.calls = calls
    monkeypatch.setitem(sys.modules, "riskengine.workflows.nightly", module)
    (tmp_path / "summary.json").write_text('{"schema_version": "1.0"}')
    return module


# -- start -------------------------------------------------------------------------------------------------

NUMERIC = {"numpy", "polars", "pandas", "numba", "scipy"}


@pytest.mark.parametrize(("line", "absent"), [
    (["--help"], NUMERIC | {"pydantic", "rich"}),
    (["scenarios", "list"], NUMERIC | {"pydantic", "rich"}),
    (["scenarios", "show", "mar_a_lago_accord"], NUMERIC | {"pydantic", "rich"}),
    (["scenarios", "list", "--json"], NUMERIC | {"rich"}),
    (["scenarios", "check", "mar_a_lago_accord"], NUMERIC | {"rich"}),
    (["nightly", "--help"], NUMERIC | {"rich"}),
])
def test_light_commands_import_no_numpy(line, absent):
    done = python(f"""
        import sys
        from riskengine.cli import run
        code = run({line!r})
        heavy = {absent!r} & set(sys.modules)
        print(sorted(heavy), file=sys.stderr)
        sys.exit(code)
    """)
    assert done.returncode == 0
    assert done.stderr.strip() == "[]"
    assert done.stdout


def test_help_names_only_commands_that_exist_and_each_has_help():
    for line in ("nightly", "scenarios list", "scenarios show", "scenarios check", "check", "init", "compare",
                 "report", "data status", "data import", "data update", "data quality",
                 "data versions", "warmup", "estimate", "estimate check", "estimate claims", "backtest coverage",
                 "backtest episodes", "backtest report", "what-if", "reverse", "hedge", "resident status", "desk"):
        assert cli.run([*line.split(), "--help"]) == 0
    assert cli.run(["what-when", "--help"]) == 1


# -- exit codes --------------------------------------------------------------------------------------------

@pytest.mark.parametrize("line", [
    "", "nonsense", "nightly --path 3", "nightly --paths many", "nightly --paths 1000", "nightly --threads 0",
    "nightly --config /nowhere/nightly.toml", "nightly --as-of yesterday", "nightly --accounts newest",
    "compare only_one", "scenarios", "scenarios show nope",
])
def test_every_error_is_one_with_a_message_and_no_traceback(line, capfd, night):
    assert cli.run(line.split()) == 1
    out, err = capfd.readouterr()
    assert out == "" and err.strip() and "Traceback" not in err
    assert not night.calls


def test_usage_errors_exit_with_one_from_a_shell_too():
    done = riskengine("nightly", "--nonsense")
    assert done.returncode == 1 and "--nonsense" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(("hard_breach", "code"), [(False, 0), (True, 2)])
def test_a_hard_limit_exits_with_two(night, tmp_path, hard_breach, code, capfd):
    night.answer = lambda: Outcome(tmp_path, hard_breach)
    assert cli.run(["nightly", "--json"]) == code
    out, err = capfd.readouterr()
    assert json.loads(out) == {"schema_version": "1.0"}
    assert err == ""  # no progress bar in a pipe


@pytest.mark.parametrize(("error", "words"), [
    (InputError([Problem("bad number", "p.csv", 3, "notional", "'x'"), Problem("unknown desk", "p.csv", 9)]),
     ["2 problems", "p.csv, row 3, field 'notional'", "row 9"]),
    (ModelError("the ledger does not balance"), ["the ledger does not balance"]),
    (OSError(28, "No space left on device", "runs"), ["runs: No space left on device"]),
    (MemoryError(), ["not enough memory"]),
    (ZeroDivisionError("division by zero"), ["defect", "ZeroDivisionError", "--debug"]),
])
def test_what_a_workflow_raises_becomes_one_message(night, error, words, capfd):
    def fail():
        raise error

    night.answer = fail
    assert cli.run(["nightly"]) == 1
    out, err = capfd.readouterr()
    assert out == "" and "Traceback" not in err
    for word in words:
        assert word in err
    with pytest.raises(type(error)):
        cli.run(["nightly", "--debug"])


def test_an_interrupt_exits_with_130(night, capfd):
    def interrupt():
        raise KeyboardInterrupt

    night.answer = interrupt
    assert cli.run(["nightly"]) == 130
    assert "Traceback" not in capfd.readouterr().err


SLEEPER = """
    import sys, time, types
    module = types.ModuleType("riskengine.workflows.nightly")
    def run_night(config, progress=None, **options):
        progress("chain", 0, 0)
        for i in range(3):
            progress("simulation", i, 3)
        print("ready", flush=True)
        time.sleep({seconds})
        raise ZeroDivisionError("the night ran on")
    module.run_night = run_night
    sys.modules["riskengine.workflows.nightly"] = module
    sys.argv = ["riskengine", "nightly"]
    from riskengine.__main__ import main
    main()
"""


def test_a_signal_interrupts_with_130():
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(SLEEPER.format(seconds=60))], cwd=ROOT,
                               env=ENVIRONMENT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130 and "Traceback" not in err


def test_a_bar_on_a_terminal_and_none_in_a_pipe():
    code = textwrap.dedent(SLEEPER.format(seconds=0))
    piped = python(SLEEPER.format(seconds=0))
    assert piped.returncode == 1 and "simulation" not in piped.stderr and "\x1b" not in piped.stderr
    ours, theirs = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env={**ENVIRONMENT, "TERM": "xterm"},
                               stdout=subprocess.PIPE, stderr=theirs)
    out, _ = process.communicate(timeout=30)
    os.close(theirs)
    seen = os.read(ours, 100_000).decode()
    os.close(ours)
    assert "simulation" in seen and out == b"ready\n"


def test_a_reader_that_leaves_early_brings_no_traceback():
    process = subprocess.Popen([sys.executable, "-m", "riskengine", "scenarios", "show", "tariffs"], cwd=ROOT,
                               env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.close()
    err = process.stderr.read()
    assert process.wait(timeout=30) == 1 and "Traceback" not in err and "Exception ignored" not in err


def test_library_warnings_stay_off_the_screen_unless_debugging():
    code = """
        import sys, types, warnings
        module = types.ModuleType("riskengine.workflows.nightly")
        def render_again(folder):
            warnings.warn("a library grumbles", FutureWarning)
            return folder
        module.render_again = render_again
        sys.modules["riskengine.workflows.nightly"] = module
        from riskengine.cli import run
        sys.exit(run(["report", "x"] + sys.argv[1:]))
    """
    quiet = python(code)
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "x\n", "")
    assert "grumbles" in python(code.replace('["report", "x"]', '["report", "x", "--debug"]')).stderr


# -- what the commands hand on -----------------------------------------------------------------------------

def test_nightly_hands_its_options_to_the_workflow(night, capfd):
    line = """nightly --json --portfolio p.csv --as-of 2020-01-31 --accounts latest --out o --paths 2048
              --seed 7 --threads 1 --memory 2.5 --keep 3 --full-reval 12 --skip-bad-rows --dask tcp://host:1"""
    assert cli.run(line.split()) == 0
    ((config, options),) = night.calls
    assert (config.run.paths, config.run.seed, config.run.draws) == (2048, 7, 512)
    progress = options.pop("progress")
    assert callable(progress)
    assert options == {
        "portfolio": Path("p.csv"), "as_of": "2020-01-31", "accounts": "latest", "out": Path("o"),
        "threads": 1, "memory_gb": 2.5, "keep": 3, "skip_bad_rows": True, "dask": "tcp://host:1", "full_reval": 12,
    }


def test_nightly_hands_on_the_data_store(night, capfd):
    assert cli.run("nightly --json --data there --data-version 3f9c2a".split()) == 0
    ((_, options),) = night.calls
    assert (options["data"], options["data_version"]) == (Path("there"), "3f9c2a")


def test_nightly_takes_the_rest_from_the_config(night, tmp_path, capfd):
    (tmp_path / "nightly.toml").write_text(
        'portfolio = "p.csv"\nout = "there"\nthreads = 2\nkeep = 9\nseed = 5\nscenarios = ["tariffs"]\n')
    assert cli.run(["nightly", "--json", "--config", str(tmp_path)]) == 0
    ((config, options),) = night.calls
    assert (config.run.seed, config.portfolio, len(config.scenarios)) == (5, tmp_path / "p.csv", 1)
    assert (options["out"], options["threads"], options["keep"]) == (Path("there"), 2, 9)
    assert options["portfolio"] is None and options["as_of"] is None and not options["skip_bad_rows"]


# -- configuration commands --------------------------------------------------------------------------------

def test_scenarios_list_and_show(capfd):
    assert cli.run(["scenarios", "list"]) == 0
    out = capfd.readouterr().out
    for name in list_scenarios():
        assert name in out
    assert cli.run(["scenarios", "list", "--json"]) == 0
    assert {row["name"] for row in json.loads(capfd.readouterr().out)} == set(list_scenarios())
    assert cli.run(["scenarios", "show", "lehman_2008"]) == 0
    assert "2008-11-20" in capfd.readouterr().out


def test_scenarios_check_reports_every_file(tmp_path, capfd):
    bad = tmp_path / "bad.toml"
    bad.write_text('title = "x"\nnarrative = "x"\nsource = "x"\nhorizon = { months = 12 }\n'
                   '[[shocks]]\ntype = "withholding_tax"\nrate = 30\n')
    assert cli.run(["scenarios", "check", str(bad), "tariffs", "nope"]) == 1
    out, err = capfd.readouterr()
    assert out.startswith("tariffs: 1 shock")
    assert f"{bad}, row 7, field 'shocks[1].rate': 30 looks like percent: write 0.30" in err
    assert "2 problems" in err and "nope" in err
    assert cli.run(["scenarios", "check", *list_scenarios()]) == 0


def test_init_writes_what_check_accepts_and_never_overwrites(tmp_path, capfd):
    folder = tmp_path / "mine"
    assert cli.run(["init", str(folder)]) == 0
    assert {f.relative_to(folder).as_posix() for f in folder.rglob("*") if f.is_file()} == {
        "nightly.toml", "limits.toml", "portfolio.csv", "scenarios/my_first_scenario.toml"}
    capfd.readouterr()
    assert cli.run(["check", "--config", str(folder)]) == 0
    out = capfd.readouterr().out
    assert "9 positions" in out and "7 of 7 in order" in out and "no problems" in out
    kept = (folder / "limits.toml").read_bytes()
    (folder / "portfolio.csv").unlink()
    assert cli.run(["init", str(folder)]) == 1
    assert "not overwritten" in capfd.readouterr().err
    assert not (folder / "portfolio.csv").exists() and (folder / "limits.toml").read_bytes() == kept


def test_check_passes_on_the_shipped_configuration(capfd):
    assert cli.run(["check", "--config", str(config_root())]) == 0
    assert "no problems" in capfd.readouterr().out


def test_check_reports_config_scenarios_limits_and_portfolio_at_once(tmp_path, capfd):
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "nightly.toml").write_text('portfolio = "p.csv"\nscenarios = ["broken"]\n')
    (tmp_path / "scenarios" / "broken.toml").write_text("title = 5\n")
    (tmp_path / "limits.toml").write_text('[[limits]]\nname = "x"\nmetric = "var"\nwarning = 1\nhard = 2\n')
    (tmp_path / "p.csv").write_text("position_id,type,notional,currency,desk,book,strategy\n"
                                    "a,fx_spot,1e6,EUX,d,b,s\nb,fx_sport,1e6,EUR,d,b,s\n")
    assert cli.run(["check", "--config", str(tmp_path)]) == 1
    err = capfd.readouterr().err
    for words in ("broken.toml, row 1, field 'title'", "horizon", "limits.toml, row 1", "p.csv, row 2",
                  "p.csv, row 3"):
        assert words in err


def test_check_holds_limits_against_the_night_and_the_portfolio(tmp_path, capfd):
    assert cli.run(["init", str(tmp_path)]) == 0
    (tmp_path / "limits.toml").write_text(
        '[[limits]]\nname = "a"\nmetric = "es"\nscope = "desk:creditt"\nlevel = 0.9\nhorizon_days = 5\n'
        "warning = 1\nhard = 2\n")
    capfd.readouterr()
    assert cli.run(["check", "--config", str(tmp_path)]) == 1
    err = capfd.readouterr().err
    assert "creditt" in err and "equity" in err and "a level the night does not compute" in err
    assert "a horizon the night does not compute" in err
