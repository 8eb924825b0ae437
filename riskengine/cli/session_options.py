"""Options of every command that asks a session (what-if, reverse, hedge), and putting the question.

The command line needs the standard library and typer only while the resident process answers; numpy and the
kernels are loaded with ``--no-resident`` or where no process can run.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

from riskengine.cli.options import (
    AccountsOption, AsOfOption, ConfigOption, JsonOption, PathsOption, PortfolioOption, ResidentOption,
    StoreOption,
)
from riskengine.cli.printing import say


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom to ask, about which book and world, and how to print.

    setup : the keys of ``workflows.what_if.Setup``; paths of files are absolute.
    """

    setup: dict[str, Any]
    resident: bool
    as_json: bool

    def reply(self, operation: str, **question: Any) -> dict[str, Any]:
        """The reply of the resident process; computed here when it is not wanted or cannot run (then with a
        notice)."""
        message = {"op": operation, "setup": self.setup, **question}
        if self.resident:
            from riskengine.workflows.resident_process import Unreachable, ask

            try:
                return ask(message)
            except Unreachable as reason:
                say(f"answering without the resident process: {reason}")
        from riskengine.workflows.questions import answer_question
        from riskengine.workflows.what_if import SessionPool

        return answer_question(SessionPool(), message)


def asks_a_session(without: Collection[str] = ()) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options below, after its own; its first argument *asked* is made of them.

    without : names of options the command does not have.
    """
    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        _, *own = inspect.signature(command, eval_str=True).parameters.values()
        shared = [p for p in inspect.signature(_asked, eval_str=True).parameters.values()
                  if p.name not in without]

        @wraps(command)
        def run(**values: Any) -> None:
            chosen = {p.name: values.pop(p.name) for p in shared if p.name in values}
            command(_asked(**chosen), **values)

        parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in (*own, *shared)]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in parameters}
        return run

    return decorate


def _asked(
    portfolio: PortfolioOption = None,
    as_of: AsOfOption = None,
    accounts: AccountsOption = None,
    paths: PathsOption = None,
    config: ConfigOption = None,
    data: StoreOption = None,
    resident: ResidentOption = True,
    as_json: JsonOption = False,
) -> Asked:
    """The options shared by the commands; InputError for a folder or file that is not there."""
    from riskengine.data.chosen_folder import folder_for_others
    from riskengine.data.configs.folders import find_config

    setup = {"config": str(find_config(config).absolute()),
             "portfolio": None if portfolio is None else str(portfolio.absolute()),
             "as_of": as_of, "accounts": accounts, "paths": paths, "data": folder_for_others(data)}
    return Asked(setup, resident, as_json)


def absolute_scenario(name: str) -> str:
    """A scenario's file seen from any folder; a name stays a name."""
    is_file = name.endswith(".toml") or "/" in name or "\\" in name
    return str(Path(name).absolute()) if is_file and Path(name).is_file() else name
