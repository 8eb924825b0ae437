"""The commands: each parses its line, calls one workflow (imported inside) and prints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from riskengine.base.errors import InputError, Problem
from riskengine.cli import desk, stress, what_if
from riskengine.cli.backtests import backtest_app
from riskengine.cli.data import data_app
from riskengine.cli.estimation import estimate_app
from riskengine.cli.options import (
    AccountsOption, AsOfOption, ConfigOption, JsonOption, PathsOption, PortfolioOption, StoreOption,
    VersionOption, style,
)
from riskengine.cli.printing import (
    LIMIT_BREACHED, OK, StageProgress, print_check, print_night, print_records, print_table,
)

if TYPE_CHECKING:
    from riskengine.policy.night import NightlyConfig

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, **style,
                  help="Portfolio and market-impact risk that starts with the flow: policy, balance of "
                       "payments, prices, P&L.",
                  epilog="Exit codes: 0 fine, 1 error, 2 a hard limit is breached, 130 interrupted.")
scenarios_app = typer.Typer(help="List, show and check scenarios.", **style)
app.add_typer(scenarios_app, name="scenarios")

@app.callback()
def _global(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks and library warnings.")] = False,
) -> None:
    """--debug is taken off the line by ``cli.run`` wherever it stands; it is declared here for ``--help``."""


# -- the night ---------------------------------------------------------------------------------------------

@app.command()
def nightly(
    config: ConfigOption = None,
    portfolio: PortfolioOption = None,
    as_of: AsOfOption = None,
    accounts: AccountsOption = None,
    out: Annotated[Optional[Path], typer.Option(
        help="Folder for run folders.", show_default="from the config")] = None,
    paths: PathsOption = None,
    seed: Annotated[Optional[int], typer.Option(help="Random seed.", show_default="from the config")] = None,
    threads: Annotated[Optional[int], typer.Option(min=1, help="Threads.", show_default="all cores")] = None,
    dask: Annotated[Optional[str], typer.Option(
        metavar="ADDRESS", help="Dask scheduler (tcp://host:port), or 'local': two processes here.")] = None,
    memory: Annotated[Optional[float], typer.Option(
        metavar="GB", help="Refuse a run that needs more.")] = None,
    keep: Annotated[Optional[int], typer.Option(
        min=1, help="Run folders to keep for the as-of date.")] = None,
    full_reval: Annotated[Optional[int], typer.Option(
        metavar="N", min=0, help="Curved instruments revalued on every path; the others by delta-gamma, corrected.",
        show_default="all, or 100 when the night is at size")] = None,
    skip_bad_rows: Annotated[bool, typer.Option(
        "--skip-bad-rows", help="Leave bad portfolio rows out and show them on the first page.")] = False,
    data: StoreOption = None,
    data_version: VersionOption = None,
    as_json: JsonOption = False,
) -> int:
    """Run the night: baseline risk, all scenarios, limits, report."""
    night = _night_config(config, paths, seed)
    from riskengine.data.configs.nightly import check_accounts_choice, check_day

    if as_of is not None:
        check_day(as_of, "--as-of")
    if accounts is not None:
        check_accounts_choice(accounts, "--accounts")
    from riskengine.workflows.nightly import run_night

    chosen = {"data": data, "data_version": data_version}
    store = {key: value for key, value in chosen.items() if value is not None}
    with StageProgress() as progress:
        outcome = run_night(
            night, out=out or night.out, as_of=as_of, accounts=accounts, portfolio=portfolio,
            threads=threads or night.threads, dask=dask, memory_gb=memory or night.memory_gb,
            keep=keep or night.keep, full_reval=full_reval, skip_bad_rows=skip_bad_rows, progress=progress,
            **store,
        )
    if as_json:
        print((outcome.folder / "summary.json").read_text(encoding="utf-8"))
    else:
        print_night(outcome)
    return LIMIT_BREACHED if outcome.hard_breach else OK


def _night_config(config: Path | None, paths: int | None, seed: int | None) -> NightlyConfig:
    from dataclasses import replace

    from riskengine.data.configs import load_nightly_config

    night = load_nightly_config(config)
    changes = {key: value for key, value in (("paths", paths), ("seed", seed)) if value is not None}
    return replace(night, run=replace(night.run, **changes))


@app.command()
def compare(
    a: Annotated[Path, typer.Argument(metavar="RUN", help="Earlier run folder.")],
    b: Annotated[Path, typer.Argument(metavar="RUN", help="Later run folder.")],
    as_json: JsonOption = False,
) -> None:
    """Change of VaR, ES and scenario P&L between two runs: positions, market, parameters, data."""
    from riskengine.workflows.compare import compare_runs

    print_records(compare_runs(a, b), as_json)


@app.command()
def report(run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.")]) -> None:
    """Render the report of an old run again."""
    from riskengine.workflows.nightly import render_again

    print(render_again(run_folder))


@app.command()
def warmup() -> None:
    """Compile and cache every kernel, so that the next night starts at full speed."""
    from riskengine.workflows.nightly import warm_up

    with StageProgress() as progress:
        warm_up(progress)


@app.command()
def benchmark(
    workload: Annotated[str, typer.Option(
        "--workload", "--only", help="Workloads, separated by commas.")] = "W1,W2,W3,W4,NORMALS",
    quick: Annotated[bool, typer.Option("--quick", help="Smaller and fewer runs: not to be quoted.")] = False,
    threads: Annotated[Optional[int], typer.Option(min=1, help="Threads.", show_default="all cores")] = None,
    plot: Annotated[Optional[Path], typer.Option(
        metavar="FILE", help="Cost against paths, positions, scenarios and threads, drawn as SVG.")] = None,
    book: Annotated[Optional[int], typer.Option(
        min=1, metavar="N", help="Run a synthetic book of N positions at a million paths instead.")] = None,
    book_file: Annotated[Optional[Path], typer.Option(
        metavar="FILE", help="With --book: write the book as a portfolio CSV, run nothing.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure the engine against NumPy (JAX, torch) programs of the same work, paired in one run."""
    if book is not None:
        from riskengine.benchmark.books import synthetic_csv
        from riskengine.benchmark.large_book import run_large_book

        if book_file is not None:
            book_file.write_text(synthetic_csv(book), encoding="utf-8")
            print(book_file)
        else:
            print_records(run_large_book(book, 100_000 if quick else 1_000_000, threads), as_json)
        return
    if plot is not None:
        from riskengine.benchmark.scaling import draw_scaling, measure_scaling

        if not plot.absolute().parent.is_dir():  # said before minutes of measuring
            raise InputError(Problem("no such folder", field="--plot", got=str(plot.parent)))
        records = measure_scaling(quick)
        plot.write_text(draw_scaling(records), encoding="utf-8")
        print_records(records, as_json)
        return
    from riskengine.benchmark.run import run_benchmark
    from riskengine.cli.benchmark_tables import announce, print_benchmark, read_workloads

    chosen = read_workloads(workload)
    announce(chosen, quick)
    with StageProgress() as progress:
        outcome = run_benchmark([w for w in chosen if w != "W4"], quick, threads, progress)
    if "W4" in chosen:
        from riskengine.workflows.latency import measure_what_if

        outcome["what_if"] = measure_what_if(quick, threads)
    if as_json:
        print(json.dumps(outcome, indent=1))
    else:
        print_benchmark(outcome)


# -- configuration -----------------------------------------------------------------------------------------

@app.command()
def check(config: ConfigOption = None, portfolio: PortfolioOption = None, as_of: AsOfOption = None) -> int:
    """Check config, scenarios, limits, portfolio and data; report every problem at once."""
    from riskengine.workflows.check import check_everything

    return print_check(check_everything(config, portfolio=portfolio, as_of=as_of))


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="New folder for your own configuration.")]
) -> None:
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
        print_records(rows, as_json)
    else:
        print_table(("name", "horizon", "prob.", "title"),
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
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Files or names.")],
    config: ConfigOption = None,
) -> int:
    """Check scenario files; report every problem with its line."""
    from riskengine.workflows.check import check_scenarios

    return print_check(check_scenarios(files, config))


# -- the other rooms of the command line -------------------------------------------------------------------

app.add_typer(data_app, name="data")
app.add_typer(estimate_app, name="estimate")
app.add_typer(backtest_app, name="backtest")
what_if.register(app)
desk.register(app)
stress.register(app)
