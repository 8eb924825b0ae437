"""riskengine estimate: the laboratory's commands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from riskengine.cli.options import AsOfOption, JsonOption, style
from riskengine.cli.printing import OK, StageProgress, print_records, print_table, say

if TYPE_CHECKING:
    from riskengine.base.sensitivity import Sensitivities
    from riskengine.workflows.structural import StructuralCheck

estimate_app = typer.Typer(
    help="Estimate the factor models and every sensitivity.",
    **{**style, "no_args_is_help": False, "invoke_without_command": True})
StoreOption = Annotated[Optional[Path], typer.Option(
    "--data", metavar="DIR", help="Folder of the data store.",
    show_default="$RISKENGINE_DATA, else the user's data folder")]
OutOption = Annotated[Path,
                      typer.Option("--out", metavar="DIR",
                                   help="Where the page, the tables and the artefact go.")]


@estimate_app.callback()
def estimate(
    context: typer.Context, as_of: AsOfOption = None, data: StoreOption = None,
    out: OutOption = Path("estimates"),
    check: Annotated[bool, typer.Option("--check/--no-check", help="Price the shipped book under each set of "
                                                                   "elasticities.")] = True,
    as_json: JsonOption = False,
) -> int | None:
    """Estimate every sensitivity on what was known at the as-of date: prior, data, posterior, and how far it
    holds.

    Writes OUT/<as-of>/estimate.html, sensitivities.json (the artefact), .parquet and .csv. What cannot be
    estimated is listed with its reason and the series it needs.
    """
    if context.invoked_subcommand is not None:
        return None
    from riskengine.data.selection import check_folder, use_store
    from riskengine.workflows.estimate import estimate_all, table_rows

    check_folder(data)
    with use_store(data), StageProgress() as progress:
        outcome = estimate_all(_day(as_of), out, check, lambda stage: progress(stage, 0, 0))
    if as_json:
        import json

        print(json.dumps({"as_of": outcome.found.as_of, "data_version": outcome.found.data_version,
                          "sensitivities": table_rows(outcome.found),
                          "factor_models": list(outcome.table.rows)},
                         indent=1, ensure_ascii=False, default=str))
    else:
        _print_sensitivities(outcome.found)
        if isinstance(outcome.structural, str):
            say(f"structural check not run: {outcome.structural}")
    say(f"Page: {outcome.folder / 'estimate.html' if outcome.folder else ''}")
    return OK


@estimate_app.command("check")
def estimate_check(as_of: AsOfOption = None, data: StoreOption = None, as_json: JsonOption = False) -> int:
    """Each elasticity of the engine beside the data, and the shipped book under prior, data and posterior."""
    from riskengine.data.selection import check_folder, use_store
    from riskengine.workflows.estimate import run_sensitivities
    from riskengine.workflows.structural import structural_check

    check_folder(data)
    with use_store(data), StageProgress() as progress:
        progress("sensitivities", 0, 0)
        found = run_sensitivities(_day(as_of))
        progress("structural", 0, 0)
        result = structural_check(found)
    if as_json:
        import json
        from dataclasses import asdict

        print(json.dumps({"as_of": found.as_of, "data_version": found.data_version, **asdict(result)},
                         indent=1,
                         ensure_ascii=False))
    else:
        _print_check(result)
    return OK


def _day(as_of: str | None) -> str | None:
    from riskengine.data.configs.nightly import check_day

    return check_day(as_of, "--as-of") if as_of else None


def _print_sensitivities(found: Sensitivities) -> None:
    print(f"As of {found.as_of}, data {found.data_version[:12]}\n")
    print_table(("sensitivity", "unit", "prior", "data", "posterior", "engine", "sample", "n", "R2",
                 "break"), [
        (r.id, r.unit, f"{r.prior.value:.3g} ({r.prior.se:.2g})" if r.prior else "",
         f"{r.estimate:.3g} ({r.se:.2g})", f"{r.posterior:.3g} ({r.posterior_se:.2g})" if r.prior else "",
         ("" if r.engine == "diagnostic" else r.engine) + ("" if r.identified else " not identified"),
         f"{r.first[:7]}…{r.last[:7]}", str(r.n), f"{r.r2:.2f}",
         r.stability.break_date[:7] if r.stability and r.stability.breaks else "")
        for r in found.rows])
    if found.exclusions:
        print_table(("not estimated", "reason"), [(e.id, e.reason) for e in found.exclusions])


def _print_check(result: StructuralCheck) -> None:
    print_table(("elasticity", "unit", "engine", "prior", "data", "posterior", "remark"), [
        (e.name, e.unit, *(f"{v:.3g}" + (f" ({s:.2g})" if s else "") if v is not None else ""
                           for v, s in zip(e.values, e.errors, strict=True)),
         ("wrong sign, enters at 5% of the prior; "
          if e.floored else "") + ("" if e.identified else "not identified"))
        for e in result.elasticities])
    print_table(("scenario", "set", "expected P&L", "ES 97.5%"), [
        (o.scenario, o.chosen, f"{o.expected_pnl_usd / 1e6:,.1f} ± {o.se_expected_pnl_usd / 1e6:.1f} mn",
         f"{o.es_usd / 1e6:,.1f} mn") for o in result.outcomes])
    print_records([{"elasticity to its posterior": n, "scenario": s,
                    "change of expected P&L, USD mn": round(x / 1e6, 1)}
                   for n, s, x in result.single if abs(x) >= 1e5], False)


@estimate_app.command("claims")
def estimate_claims(
    as_of: Annotated[Optional[str], typer.Option(
        "--as-of", metavar="DATE", help="Nothing published after it is used.",
        show_default="the first day on which everything at hand was published")] = None,
    data: StoreOption = None,
    out: Annotated[Optional[Path],
                   typer.Option("--out", metavar="FILE", help="Write the page (HTML) here.")] = None,
    as_json: JsonOption = False,
) -> int:
    """Put the sources' claims to the test: identity or regression, interval, verdict, and what turns it.

    A verdict follows from the numbers by one stated rule, corrected for testing many claims. A claim whose
    series are not imported says which. The result is kept: the nightly report of the same data shows it.
    """
    import json
    from dataclasses import asdict

    from riskengine.base.errors import InputError, Problem
    from riskengine.data.selection import check_folder, use_store
    from riskengine.workflows.claims import run_claims, write_page

    if out is not None and out.is_dir():
        raise InputError(Problem("a file is needed, not a folder", field="--out", got=str(out),
                                 accepted=str(out / "claims.html")))
    check_folder(data)
    with use_store(data), StageProgress() as progress:
        result = run_claims(_day(as_of), progress)
    if out is not None:
        write_page(result, out)
    if as_json:
        print(json.dumps(asdict(result), indent=1, ensure_ascii=False, allow_nan=False))
        return OK
    print(f"As of {result.as_of}, data {result.data_version[:12]}\n")
    rows = []
    for c in result.claims:
        e = c.estimate
        interval = f"{e.low:.3g} … {e.high:.3g}" if e and c.p is not None and e.low is not None else ""
        turned = "; ".join(f"{verdict} {what}" for what, _, verdict in c.without if verdict != c.verdict)
        rows.append((c.id, c.verdict.upper() if c.verdict == "contradicted" else c.verdict, c.title,
                     f"{e.value:.3g}" if e else "", interval, str(e.n) if e and c.p is not None else "",
                     "" if c.p_holm is None else f"{c.p_holm:.3f}", turned))
    print_table(("id", "verdict", "claim", "number", "95% interval", "n", "Holm p", "turned by"), rows)
    print(result.rule)
    missing = sorted({name for c in result.claims for name in c.missing})
    if missing:
        by_publisher: dict[str, list[str]] = {}
        for name in missing:
            by_publisher.setdefault(name.rsplit(".", 1)[0], []).append(name)
        named = [", ".join(names) if len(names) < 4 else f"{head}.* ({len(names)} series)"
                 for head, names in by_publisher.items()]
        say(f"Not imported: {', '.join(named)}; riskengine data import FILE brings them in")
    if out is not None:
        say(f"Page: {out}")
    return OK
