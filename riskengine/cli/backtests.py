"""riskengine backtest: the court's commands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from riskengine.cli.options import AsOfOption, JsonOption, StoreOption, style
from riskengine.cli.printing import ERROR, OK, StageProgress, print_table, say

if TYPE_CHECKING:
    from riskengine.coverage_result import CoverageReport

backtest_app = typer.Typer(help="Judge the models against what happened.", **style)


@backtest_app.command("coverage")
def backtest_coverage(
    as_of: AsOfOption = None,
    data: Annotated[Optional[Path], typer.Option("--data", help="Folder of imported series.")] = None,
    from_year: Annotated[Optional[int], typer.Option(
        "--from", help="First year forecast.", show_default="as early as the data allow")] = None,
    models: Annotated[str, typer.Option("--models", help="Comma-separated names.", show_default="all")] = "",
    books: Annotated[str, typer.Option(
        "--books", help="Comma-separated books or asset classes.", show_default="all")] = "",
    level: Annotated[str, typer.Option("--level", help="Levels of VaR and ES.")] = ".99,.975",
    resume: Annotated[bool, typer.Option(
        "--resume/--fresh", help="Use what earlier runs left on disk, or compute everything again.")] = True,
    out: Annotated[Optional[Path], typer.Option(
        "--out", help="Folder for coverage.json and coverage_daily.parquet.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Daily VaR and ES over decades: does each model cover what happened, and which is best?

    Fixed books by asset class and in total, parameters estimated yearly on earlier data only, filters run daily.
    An interrupted run goes on where it was.
    """
    from riskengine.data.configs.nightly import check_day
    from riskengine.workflows.backtest import run_coverage

    levels = _numbers(level)
    if data is not None:
        from riskengine.base.errors import InputError, Problem
        from riskengine.data.selection import select_store

        if select_store(data).version == "embedded":
            raise InputError(Problem("nothing was imported into this folder", field="--data", got=str(data),
                                     accepted="a folder filled by riskengine data import --data"))
    with StageProgress() as progress:
        report = run_coverage(check_day(as_of, "--as-of") if as_of else None, from_year, _names(models),
                              _names(books), levels, resume, out, progress=progress)
    if as_json:
        import json
        from dataclasses import asdict

        from riskengine.data.run_files import plain

        print(json.dumps(plain(asdict(report)), indent=1, ensure_ascii=False, allow_nan=False))
        return
    _print_report(report)
    if out is not None:
        print(f"Written to {out}: coverage.json, coverage_daily.parquet")


@backtest_app.command("episodes")
def backtest_episodes(
    names: Annotated[Optional[list[str]], typer.Argument(
        metavar="[NAME | FILE.toml]...", help="Episodes by name or file.", show_default="all")] = None,
    data: Annotated[Optional[Path], typer.Option("--data", help="Folder of imported series.")] = None,
    out: Annotated[Optional[Path], typer.Option(
        "--out", help="Folder for episodes.json and episodes.parquet.")] = None,
    workers: Annotated[Optional[int], typer.Option(min=1, help="Processes.", show_default="all cores")] = None,
    resume: Annotated[bool, typer.Option(
        "--resume/--fresh", help="Use what earlier runs left on disk, or replay everything again.")] = True,
    as_json: JsonOption = False,
) -> int:
    """What would the engine have said the evening before, and was it right?"""
    from riskengine.workflows.episodes import run_episodes

    if data is not None:
        from riskengine.data.selection import check_folder, select_store

        check_folder(data)
        select_store(data)
    with StageProgress() as progress:
        result = run_episodes(tuple(names or ()), out, workers, resume, progress)
    if as_json:
        import json

        from riskengine.data.run_files import plain

        print(json.dumps(plain(result), indent=1, ensure_ascii=False, allow_nan=False))
    else:
        _print_episodes(result)
        if out is not None:
            print(f"Written to {out}: episodes.json, episodes.parquet")
    for name, reason in result["failed"].items():
        say(f"{name}: not replayed: {reason}")
    return ERROR if result["failed"] else OK


@backtest_app.command("report")
def backtest_report(
    as_of: AsOfOption = None, data: StoreOption = None,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The page (HTML).")] = Path("backtests.html"),
    workers: Annotated[Optional[int], typer.Option(min=1, help="Processes.", show_default="all cores")] = None,
) -> int:
    """One page of the court: scorecard, every episode, coverage, own trades and liquidity.

    Runs backtest coverage and backtest episodes, or reuses what they left on disk.
    """
    from riskengine.base.errors import InputError, Problem
    from riskengine.data.configs.nightly import check_day
    from riskengine.data.selection import use_store
    from riskengine.workflows.court import run_court

    with use_store(data) as store, StageProgress() as progress:
        if data is not None and store.version == "embedded":
            raise InputError(Problem("nothing was imported into this folder", field="--data", got=str(data),
                                     accepted="a folder filled by riskengine data import --data"))
        _, result, size = run_court(check_day(as_of, "--as-of") if as_of else None, out, progress, workers)
    for name, reason in result["failed"].items():
        say(f"{name}: not replayed: {reason}")
    say(f"Page: {out} ({size / 1e6:.1f} MB)")
    return ERROR if result["failed"] else OK


FEW = 3
"""Episodes up to which every judged variable is printed."""


def _print_forecasts(episode: dict) -> None:
    """What was predicted the evening before and what happened, variable by variable."""
    print(f"{episode['title']}, {episode['announced']}: {episode['announcement']}")
    rivals: dict[tuple[str, int], dict[str, dict]] = {}
    for f in episode["forecasts"]:
        rivals.setdefault((f["variable"], f["weeks"]), {})[f["model"]] = f
    rows = []
    for (variable, weeks), by_model in rivals.items():
        f = by_model["engine"]
        unit, scale = _unit(variable)
        response = episode["response"][variable][str(weeks)][1]
        happened = f["realised"] is not None
        rows.append((
            variable, "1 day" if weeks == 0 else f"{weeks} weeks", unit, f"{response * scale:+.2f}",
            f"{f['quantiles'][3] * scale:+.2f}",
            f"[{f['quantiles'][1] * scale:+.2f}, {f['quantiles'][5] * scale:+.2f}]",
            f"{f['realised'] * scale:+.2f}" if happened else "not known",
            ("in" if f["inside"] else "OUT") if happened else "",
            *(f"{f['crps'] / by_model[m]['crps']:.2f}" if happened and by_model[m]["crps"] else ""
              for m in ("no_scenario", "covariance"))))
    print_table(("variable", "horizon", "unit", "response", "median", "80% band", "happened", "", "CRPS / none",
                 "CRPS / cov."), rows)


def _unit(variable: str) -> tuple[str, float]:
    """(unit printed, factor from the stored unit)."""
    if variable.startswith("UST_"):
        return "bp", 1e4
    return ("USD mn", 1.0) if variable.startswith("BOOK_") else ("%", 100.0)


def _print_episodes(result: dict) -> None:
    """Hits and skill per episode, skill by group, controls, where a rival is better."""
    print(f"Episodes on data {result['data_version'][:12]}: predicted the evening before against what happened\n")
    own = {row["episode"]: row for row in result["leave_one_out"]}
    if len(result["episodes"]) <= FEW:
        for episode in result["episodes"]:
            _print_forecasts(episode)
    print_table(
        ("episode", "announced", "kind", "in 80% band", "skill", "all without it"),
        [(e["name"], e["announced"], e["kind"],
          "not applicable" if e["not_applicable"] else f"{own[e['name']]['inside_80']:.0%}",
          "" if e["not_applicable"] else f"{own[e['name']]['own_skill']:+.1%}",
          "" if e["not_applicable"] else f"{own[e['name']]['skill_without']:+.1%}")
         for e in result["episodes"]])
    print("Skill: 1 - CRPS / CRPS of the rival; [lowest, highest] leaving one episode out\n")
    print_table(
        ("group", "horizon", "rival", "skill", "leave one out", "in 80% band", "expected", "sign hits"),
        [(s["group"], "1 day" if s["weeks"] == 0 else f"{s['weeks']} weeks", s["rival"].replace("_", " "),
          f"{s['skill']:+.1%}", "" if s["lowest"] != s["lowest"] else f"[{s['lowest']:+.1%}, {s['highest']:+.1%}]", f"{s['inside']:.0%}",
          f"{s['expected_low']:.0%}-{s['expected_high']:.0%}", f"{s['sign_hits']} of {s['sign_cells']}")
         for s in result["skill"]])
    print_table(
        ("negative control", "factor", "limit", "largest response", "small"),
        [(c["episode"], c["factor"], f"{c['most'] * 1e4:.0f} bp" if c["factor"].startswith("UST") else f"{c['most']:.1%}",
          "absent" if c["response"] is None else f"{c['response'] * 1e4:.1f} bp", {True: "yes", False: "NO", None: ""}[c["small"]])
         for c in result["controls"]])
    for sentence in result["worse"]:
        print(sentence)


def _names(text: str) -> tuple[str, ...] | None:
    names = tuple(part.strip() for part in text.split(",") if part.strip())
    return names or None


def _numbers(text: str) -> tuple[float, ...]:
    from riskengine.base.errors import InputError, Problem

    try:
        return tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise InputError(Problem("levels of VaR and ES", field="--level", got=text,
                                 accepted="numbers between 0.9 and 0.999 with commas, e.g. .99,.975")) from None


def _print_report(report: CoverageReport) -> None:
    """Cells at the first level, winners by asset class, the conclusion."""
    level = report.levels[0]
    print(f"One-day VaR and ES as of {report.as_of}, data {report.data_version[:12]}; {level:.1%} below, FZ0 "
          f"difference to {report.default_model} (negative = better)\n")
    print_table(
        ("book", "model", "from", "exceptions", "expected", "Kupiec", "Markov", "duration", "Z1", "Z2",
         "light", "days red", "most/250", "FZ0 diff.", "DM t"),
        [(c.book, c.model, c.first[:4], str(c.exceptions), f"{c.expected:.1f}", _p(c.kupiec_p),
          _p(c.christoffersen_p), _p(c.duration_p), _p(c.z1_p), _p(c.z2_p), c.traffic_light,
          f"{c.days_red:.1%}", str(c.most_in_250_days), f"{c.fz0_difference:+.4f}",
          "" if c.dm_t != c.dm_t else f"{c.dm_t:+.1f}")
         for c in report.cells if c.level == level])
    for w_level in report.levels:
        rows = [w for w in report.winners if w.level == w_level]
        print_table(
            (f"{w_level:.1%} FZ0 difference", "winner", *report.models),
            [(f"{w.asset_class} ({w.books})", w.winner, *(f"{w.fz0_difference[m]:+.4f}" for m in report.models))
             for w in rows])
    for sentence in report.conclusion:
        print(sentence)


def _p(value: float) -> str:
    """A p-value with a star below 5% and two below 1%."""
    if value != value:
        return ""
    return f"{value:.3f}" + ("**" if value < 0.01 else "*" if value < 0.05 else "")
