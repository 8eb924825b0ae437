"""The command line: parse, call one workflow, print, and answer with an exit code.

Exit codes: 0 fine · 1 any error, usage included · 2 a hard limit is breached · 130 interrupted.
An error is one message without a traceback; ``--debug`` (anywhere on the line) shows it.  Workflows are
imported inside the commands, so that ``--help`` and ``scenarios`` start without numpy.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence

from riskengine.base.errors import InputError, RiskEngineError
from riskengine.cli.printing import ERROR, INTERRUPTED, OK, say


def run(arguments: Sequence[str]) -> int:
    """Execute one command line and return its exit code; raises only with ``--debug``."""
    debug = "--debug" in arguments
    arguments = [a for a in arguments if a != "--debug"]
    if not debug:
        warnings.simplefilter("ignore")  # the libraries' own; what the user must know is in data quality
    try:
        result = _dispatch(arguments)
        sys.stdout.flush()
        if result == INTERRUPTED:  # typer's translation of an interrupt into an exit code
            return _interrupted()
        return result if isinstance(result, int) else OK
    except KeyboardInterrupt:
        return _interrupted()
    except BrokenPipeError:  # the reader of our output left (riskengine … | head)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ERROR
    except Exception as error:  # noqa: BLE001 - the last line of defence: one message instead of a traceback
        if type(error).__name__ == "Abort":  # typer's translation of the end of input
            return _interrupted()
        if debug:
            raise
        say(_message(error))
        return ERROR


def _dispatch(arguments: Sequence[str]) -> object:
    """Call the command; typer loads pydantic to coerce parameters, the two most frequent lines do without."""
    from riskengine.cli.commands import app, scenarios_list, scenarios_show

    match arguments:
        case ["scenarios", "list"]:
            return scenarios_list()
        case ["scenarios", "show", name] if not name.startswith("-"):
            return scenarios_show(name)
    return app(args=list(arguments), prog_name="riskengine", standalone_mode=False)


def _interrupted() -> int:
    say("interrupted")
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
    if type(error).__name__ == "BrokenProcessPool":
        return "error: a worker process was ended from outside (memory?); run again, what was done is kept"
    if isinstance(error, MemoryError):
        return "error: not enough memory; fewer --paths need less"
    kind = type(error).__name__
    return f"error (a defect of the program, please report it): {kind}: {error}; --debug shows more"
