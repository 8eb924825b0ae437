"""The command line: parse, call one workflow, print, and answer with an exit code.

Exit codes: 0 fine · 1 any error, usage included · 2 a hard limit is breached · 130 interrupted.
An error is one message without a traceback; ``--debug`` (anywhere on the line) shows it.  Workflows are imported
inside the commands, so that ``--help`` and ``scenarios`` start without numpy.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from riskengine.base.errors import InputError, Problem, RiskEngineError

if TYPE_CHECKING:
    from riskengine.policy.night import NightlyConfig

OK, ERROR, LIMIT_BREACHED, INTERRUPTED = 0, 1, 2, 130

_style: dict[str, Any] = {"rich_markup_mode": None, "no_args_is_help": True}
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, **_style,
                  help="Portfolio and market-impact risk that starts with the flow: policy, balance of payments, prices, P&L.",
                  epilog="Exit codes: 0 fine, 1 error, 2 a hard limit is breached, 130 interrupted.")
scenarios_app = typer.Typer(help="List, show and check scenarios.", **_style)
data_app = typer.Typer(help="The embedded data.", **_style)
backtest_app = typer.Typer(help="Judge the models against what happened.", **_style)
app.add_typer(scenarios_app, name="scenarios")
app.add_typer(data_app, name="data")
app.add_typer(backtest_app, name="backtest")

ConfigOption = Annotated[Optional[Path], typer.Option(
    "--config", help="Nightly config, file or folder. Default: configs/nightly.toml here, else the shipped one.")]
PortfolioOption = Annotated[Optional[Path], typer.Option("--portfolio", help="Portfolio CSV or Parquet.")]
AsOfOption = Annotated[Optional[str], typer.Option("--as-of", help="YYYY-MM-DD; nothing after it is used.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Machine-readable output on stdout.")]


def run(arguments: Sequence[str]) -> int:
    """Execute one command line and return its exit code; never raises."""
    debug = "--debug" in arguments
    arguments = [a for a in arguments if a != "--debug"]
    if not debug:
        warnings.simplefilter("ignore")  # the libraries' warnings are not the user's; ours go into data quality
    try:
        result = _dispatch(arguments)
        sys.stdout.flush()
        return result if isinstance(result, int) else OK
    except KeyboardInterrupt:
        return _interrupted()
    except BrokenPipeError:  # the reader of our output left (riskengine … | head)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ERROR
    except Exception as error:  # noqa: BLE001 - the last line of defence: one message instead of a traceback
        if debug:
            raise
        if type(error).__name__ == "Abort":  # typer's translation of an interrupt
            return _interrupted()
        _say(_message(error))
        return ERROR


def _dispatch(arguments: Sequence[str]) -> object:
    """Call the command; typer loads pydantic to coerce parameters, which the two most frequent lines do without."""
    match arguments:
        case ["scenarios", "list"]:
            return scenarios_list()
        case ["scenarios", "show", name] if not name.startswith("-"):
            return scenarios_show(name)
    return app(args=list(arguments), prog_name="riskengine", standalone_mode=False)


def _interrupted() -> int:
    _say("interrupted")
    return INTERRUPTED


def _message(error: Exception) -> str:
    if isinstance(error, InputError):
        count = len(error.problems)
        lines = "\n".join(f"  {problem}" for problem in error.problems)
        return f"error: {error}" if count == 1 else f"error: {count} problems\n{lines}"
    if type(error).__name__ == "NoArgsIsHelpError":
        return error.format_message()  # type: ignore[attr-defined]
    if hasattr(error, "format_message"):  # typer's usage errors, under whatever name its version ships them
        context = getattr(error, "ctx", None)
        usage = f"{context.get_usage()}\nTry '{context.command_path} --help' for help.\n" if context else ""
        return f"{usage}error: {error.format_message()}"
    if isinstance(error, RiskEngineError):
        return f"error: {error}"
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return f"error: {place}{error.strerror or error}"
    if isinstance(error, MemoryError):
        return "error: not enough memory; fewer --paths need less"
    return f"error (a defect of the program, please report it): {type(error).__name__}: {error}; --debug shows more"


def _say(text: str) -> None:
    print(text, file=sys.stderr)


@app.callback()
def _global(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks and library warnings.")] = False,
) -> None:
    """--debug is taken off the line by :func:`run` wherever it stands; it is declared here for ``--help``."""


# -- the night ---------------------------------------------------------------------------------------------

@app.command()
def nightly(
    config: ConfigOption = None,
    portfolio: PortfolioOption = None,
    as_of: AsOfOption = None,
    accounts: Annotated[Optional[str], typer.Option(
        help="External accounts: as_of, latest, or YYYY-MM-DD.", show_default="from the config")] = None,
    out: Annotated[Optional[Path], typer.Option(help="Folder for run folders.", show_default="from the config")] = None,
    paths: Annotated[Optional[int], typer.Option(help="Monte Carlo paths.", show_default="from the config")] = None,
    seed: Annotated[Optional[int], typer.Option(help="Random seed.", show_default="from the config")] = None,
    threads: Annotated[Optional[int], typer.Option(min=1, help="Threads.", show_default="all cores")] = None,
    dask: Annotated[Optional[str], typer.Option(metavar="ADDRESS", help="Dask scheduler.")] = None,
    memory: Annotated[Optional[float], typer.Option(metavar="GB", help="Refuse a run that needs more.")] = None,
    keep: Annotated[Optional[int], typer.Option(min=1, help="Run folders to keep for the as-of date.")] = None,
    skip_bad_rows: Annotated[bool, typer.Option(
        "--skip-bad-rows", help="Leave bad portfolio rows out and show them on the first page.")] = False,
    as_json: JsonOption = False,
) -> int:
    """Run the night: baseline risk, all scenarios, limits, report."""
    night = _night_config(config, paths, seed)
    from riskengine.data.configs.nightly import check_day
    from riskengine.workflows.nightly import run_night

    if as_of is not None:
        check_day(as_of, "--as-of")
    with _Progress() as progress:
        outcome = run_night(
            night, out=out or night.out, as_of=as_of, accounts=accounts, portfolio=portfolio,
            threads=threads or night.threads, dask=dask, memory_gb=memory or night.memory_gb, keep=keep or night.keep,
            skip_bad_rows=skip_bad_rows, progress=progress,
        )
    if as_json:
        print((outcome.folder / "summary.json").read_text(encoding="utf-8"))
    else:
        _print_night(outcome)
    return LIMIT_BREACHED if outcome.hard_breach else OK


def _night_config(config: Path | None, paths: int | None, seed: int | None) -> NightlyConfig:
    from dataclasses import replace

    from riskengine.data.configs import load_nightly_config

    night = load_nightly_config(config)
    changes = {key: value for key, value in (("paths", paths), ("seed", seed)) if value is not None}
    return replace(night, run=replace(night.run, **changes))


def _print_night(outcome: Any) -> None:
    night = outcome.result
    print(f"As of {night.as_of}, accounts of {night.accounts_as_of}, {night.paths} paths, seed {night.seed}")
    print(f"Net asset value {_millions(night.nav_usd)}")
    rows = []
    for risk in night.baseline:
        tail = risk.total
        for i, level in enumerate(tail.levels):
            rows.append((f"{risk.horizon_days} d", f"{level:.1%}", f"{_millions(tail.var[i])} ± {tail.se_var[i] / 1e6:.1f}",
                         f"{_millions(tail.es[i])} ± {tail.se_es[i] / 1e6:.1f}"))
    _print_table(("horizon", "level", "VaR", "ES"), rows)
    rows = [(s.name, f"{s.horizon_days} d", _millions(s.expected_pnl_usd),
             f"{_millions(s.interval_usd[0])} … {_millions(s.interval_usd[1])}")
            for s in sorted(night.scenarios, key=lambda s: s.expected_pnl_usd)]
    _print_table(("scenario", "horizon", "expected P&L", "80% over parameters"), rows)
    marked = [x for x in night.limits if x.status != "ok"]
    rows = [(x.status.upper(), x.name, x.scope, f"{x.value:,.0f}", f"{x.warning:,.0f}", f"{x.hard:,.0f}", x.unit)
            for x in marked]
    _print_table(("limit", "name", "scope", "value", "warning", "hard", "unit"), rows)
    print(f"Limits: {len(night.limits) - len(marked)} of {len(night.limits)} within. Report: {outcome.folder / 'report.html'}")


@app.command()
def compare(
    a: Annotated[Path, typer.Argument(metavar="RUN", help="Earlier run folder.")],
    b: Annotated[Path, typer.Argument(metavar="RUN", help="Later run folder.")],
    as_json: JsonOption = False,
) -> None:
    """Change of VaR, ES and scenario P&L between two runs: positions, market, parameters, data."""
    from riskengine.workflows.compare import compare_runs

    _print_records(compare_runs(a, b), as_json)


@app.command()
def report(run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.")]) -> None:
    """Render the report of an old run again."""
    from riskengine.workflows.nightly import render_again

    print(render_again(run_folder))


@app.command()
def warmup() -> None:
    """Compile and cache every kernel, so that the next night starts at full speed."""
    from riskengine.workflows.nightly import warm_up

    with _Progress() as progress:
        warm_up(progress)


# -- configuration -----------------------------------------------------------------------------------------

@app.command()
def check(config: ConfigOption = None, portfolio: PortfolioOption = None, as_of: AsOfOption = None) -> int:
    """Check config, scenarios, limits, portfolio and data; report every problem at once."""
    from riskengine.workflows.check import check_everything

    return _print_check(check_everything(config, portfolio=portfolio, as_of=as_of))


@app.command()
def init(folder: Annotated[Path, typer.Argument(metavar="DIR", help="New folder for your own configuration.")]) -> None:
    """Write a commented config with templates of portfolio, limits and a scenario; never overwrites."""
    from riskengine.workflows.check import init_folder

    for file in init_folder(folder):
        print(file)
    print(f"\nNext: edit {folder / 'portfolio.csv'}, then\n  riskengine check --config {folder}\n"
          f"  riskengine nightly --config {folder}")


@scenarios_app.command("list")
def scenarios_list(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Every scenario with horizon and probability."""
    from riskengine.data.configs.folders import find_config, scenario_headings

    rows = scenario_headings(find_config(config).parent)
    if as_json:
        _print_records(rows, as_json)
    else:
        _print_table(("name", "horizon", "prob.", "title"),
                     [(r["name"], r["horizon"], r["probability"], r["title"]) for r in rows])


@scenarios_app.command("show")
def scenarios_show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name or file.")], config: ConfigOption = None
) -> None:
    """The scenario's file: narrative, source, shocks."""
    from riskengine.data.configs.folders import find_config, find_scenario

    file = find_scenario(name, find_config(config).parent)
    print(f"# {file}\n{file.read_text(encoding='utf-8')}", end="")


@scenarios_app.command("check")
def scenarios_check(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Files or names.")], config: ConfigOption = None
) -> int:
    """Check scenario files; report every problem with its line."""
    from riskengine.workflows.check import check_scenarios

    return _print_check(check_scenarios(files, config))


def _print_check(outcome: tuple[list[Problem], list[str]]) -> int:
    """Problems go to stderr (exit 1), what was found in order to stdout."""
    problems, remarks = outcome
    for remark in remarks:
        print(remark)
    if problems:
        sys.stdout.flush()
        _say(f"{len(problems)} problem{'s' if len(problems) > 1 else ''}")
        for problem in problems:
            _say(f"  {problem}")
        return ERROR
    print("no problems")
    return OK


# -- data, estimation, backtests ---------------------------------------------------------------------------

@data_app.command("status")
def data_status(as_of: AsOfOption = None, as_json: JsonOption = False) -> None:
    """Every embedded series with coverage, gaps and last observation."""
    from riskengine.data.catalog import DEFAULT_AS_OF
    from riskengine.data.configs.nightly import check_day
    from riskengine.data.quality import series_status

    _print_records(series_status(check_day(as_of, "--as-of") if as_of else DEFAULT_AS_OF), as_json)


@app.command()
def estimate(as_of: AsOfOption = None, as_json: JsonOption = False) -> None:
    """Estimate the factor models and print every coefficient with its standard error."""
    from riskengine.data.configs.nightly import check_day
    from riskengine.workflows.estimate import run_estimate

    result = run_estimate(check_day(as_of, "--as-of") if as_of else None)
    _print_records(result.rows, as_json)


@backtest_app.command("coverage")
def backtest_coverage(as_of: AsOfOption = None, as_json: JsonOption = False) -> None:
    """Daily VaR coverage of the default model: exceptions, Kupiec test, traffic light."""
    from dataclasses import asdict

    from riskengine.data.configs.nightly import check_day
    from riskengine.workflows.backtest import run_coverage

    results = run_coverage(check_day(as_of, "--as-of") if as_of else None)
    rows = [{key: value for key, value in asdict(r).items() if key != "extra"} | r.extra for r in results]
    _print_records(rows, as_json)


# -- printing ----------------------------------------------------------------------------------------------

def _millions(usd: float) -> str:
    return f"{usd / 1e6:,.1f} mn"


def _print_records(rows: Iterable[dict[str, Any]], as_json: bool) -> None:
    """A list of flat records, as a JSON array or as a table (one column per key, numbers shortened)."""
    rows = list(rows)
    if as_json:
        import json

        print(json.dumps(rows, indent=1, default=str, ensure_ascii=False))
        return
    keys = list(dict.fromkeys(key for row in rows for key in row))
    _print_table(keys, [[_cell(row.get(key)) for key in keys] for row in rows])


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns padded with spaces; nothing at all when there are no rows."""
    if not rows:
        return
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    for row in [header, *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    print()


class _Progress:
    """A bar per stage on a terminal (stderr), nothing in a pipe; called as progress(stage, done, total)."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> _Progress:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

            columns = (TextColumn("{task.description:<12}"), BarColumn(), TimeElapsedColumn())
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True,
                                 redirect_stdout=False)
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, stage: str, done: int, total: int) -> None:
        if self._bar is None:
            return
        if stage not in self._tasks:
            for task in self._tasks.values():
                if self._bar.tasks[task].total is None:
                    self._bar.update(task, total=1, completed=1)
            self._tasks[stage] = self._bar.add_task(stage, total=total or None)
        if total:
            self._bar.update(self._tasks[stage], total=total, completed=done)
