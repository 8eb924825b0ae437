"""``riskengine what-if`` and ``riskengine resident``: put the question, print the answer."""

from __future__ import annotations

import json
import math
from typing import Annotated, Any, Optional

import typer

from riskengine.base.errors import InputError, Problem
from riskengine.cli.options import JsonOption, style
from riskengine.cli.session_options import Asked, absolute_scenario, asks_a_session

resident_app = typer.Typer(help="The process that holds the compiled world for repeated what-ifs.", **style)


def register(app: typer.Typer) -> None:
    """Put the commands of this file on the command line."""
    app.command("what-if")(what_if)
    app.add_typer(resident_app, name="resident")


@asks_a_session()
def what_if(
    asked: Asked,
    scenarios: Annotated[Optional[list[str]], typer.Argument(
        metavar="[SCENARIO]...",
        help="Names or files; none: the ordinary night, no policy; 'blank': no shocks of "
        "its own, for --set +shock.field=value.")] = None,
    sets: Annotated[Optional[list[str]], typer.Option(
        "--set", metavar="shock.field=value",
        help="Move a knob: withholding_tax.rate=0.3, 2.share=20%, horizon=26w, "
        "+foreign_selling.amount_usd_bn=500 (repeatable).")] = None,
    trades: Annotated[Optional[list[str]], typer.Option(
        "--trade", metavar="'buy 250m UST 10Y'", help="A candidate trade in words (repeatable).")] = None,
    scale: Annotated[Optional[list[str]], typer.Option(
        "--scale", metavar="ID=FACTOR", help="Resize a position (repeatable).")] = None,
    remove: Annotated[Optional[list[str]], typer.Option(
        "--remove", metavar="ID", help="Take a position out (repeatable).")] = None,
    views: Annotated[Optional[list[str]], typer.Option(
        "--view", metavar="'mean(FX_JPY) = 5%'",
        help="Reweight the paths by entropy pooling (repeatable).")] = None,
    horizon: Annotated[Optional[str], typer.Option(
        help="Of the ordinary night: 10d, 26w, 12m.", show_default="10d; a scenario has its own")] = None,
) -> None:
    """What if: a scenario with its knobs moved, and trades; before, after and change, each with its
    interval."""
    question = {"sets": sets or [], "trades": trades or [], "views": views or [], "remove": remove or [],
                "scale": read_scale(scale or []), "horizon": horizon}
    names = scenarios or []
    if not all(name.strip() for name in names):
        raise InputError(Problem("the name of a scenario is empty", field="SCENARIO",
                                 accepted="riskengine scenarios lists them; no name at all: the ordinary night"))
    requests: list[dict[str, Any]] = [{**question, "scenario": absolute_scenario(name)} for name in names]
    answers = asked.reply("what_if", requests=requests or [{**question, "scenario": None}])["answers"]
    if asked.as_json:
        print(json.dumps({"schema_version": answers[0]["schema_version"], "what_ifs": answers}, indent=1,
                         ensure_ascii=False))
        return
    from riskengine.cli.what_if_tables import print_answers

    print_answers(answers)


def read_scale(texts: list[str]) -> dict[str, float]:
    """{'UST-N6': 0.5} from 'UST-N6=0.5'; InputError with every one that cannot be read."""
    found: dict[str, float] = {}
    problems = []
    for text in texts:
        name, equals, factor = text.rpartition("=")
        try:
            if not equals or not name.strip() or name.strip() in found:
                raise ValueError
            number = float(factor)
            if not math.isfinite(number):
                raise ValueError
            found[name.strip()] = number
        except ValueError:
            problems.append(Problem("not a size", field="--scale", got=text[:60],
                                    accepted="ID=FACTOR, each position once, e.g. UST-N6=0.5"))
    if problems:
        raise InputError(problems)
    return found


@resident_app.command("status")
def resident_status(as_json: JsonOption = False) -> None:
    """Is a process running, and what does it hold?"""
    from riskengine.workflows.resident_process import resident_status as status

    found = status()
    if as_json:
        print(json.dumps(found, indent=1))
    elif not found["running"]:
        print(f"not running ({found['reason']})")
    else:
        print(f"running, process {found['pid']}, up {found['seconds_up']:,.0f} s, {found['questions']} questions, "
              f"{found.get('answering', 0)} being answered, {found['memory_mb']:,.0f} MB, "
              f"leaves after {found['idle_limit_seconds'] / 60:g} idle minutes"
              + ("" if found["current"]
                 else "; of an older version of the program: it leaves when next asked"))
        print(f"socket {found['socket']}")
        for line in found["held"]:
            print(f"holds {line}")


@resident_app.command("stop")
def resident_stop() -> None:
    """End the process; the next what-if starts another."""
    from riskengine.workflows.resident_process import stop_resident

    print("stopped" if stop_resident() else "no resident process was running")
