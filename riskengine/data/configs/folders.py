"""Where configuration lives: the checkout's ``configs/``, or the copy that travels in the wheel.

A name is looked up in the folder of the config file in use first, then in :func:`config_root`.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

from riskengine.base.errors import InputError, Problem, suggest

_PACKAGE = Path(__file__).resolve().parents[2]


def config_root() -> Path:
    """The shipped configuration: ``configs/`` beside the package in a checkout, else the wheel's copy."""
    candidates = (_PACKAGE.parent / "configs", _PACKAGE / "_configs")
    for folder in candidates:
        if (folder / "nightly.toml").is_file():
            return folder
    raise InputError(
        Problem("no configuration found beside or inside the package",
                accepted=" or ".join(str(folder) for folder in candidates))
    )


def find_config(path: Path | None = None) -> Path:
    """The nightly config to use: *path*, else ``configs/nightly.toml`` here, else the shipped one."""
    if path is not None:
        return path / "nightly.toml" if path.is_dir() else path
    here = Path("configs/nightly.toml")
    return here if here.is_file() else config_root() / "nightly.toml"


def _scenario_folders(beside: Path | None) -> list[Path]:
    folders = [] if beside is None else [beside / "scenarios"]
    shipped = config_root() / "scenarios"
    if not folders or folders[0] != shipped and folders[0].resolve() != shipped.resolve():
        folders.append(shipped)
    return folders


def list_scenarios(beside: Path | None = None) -> tuple[str, ...]:
    """Names of all scenarios, sorted: those in *beside*/scenarios (if given) and the shipped ones."""
    names = {file.stem for folder in _scenario_folders(beside) for file in folder.glob("*.toml")}
    return tuple(sorted(names))


def find_scenario(name: str | Path, beside: Path | None = None) -> Path:
    """File of a scenario given by name or path; InputError with the nearest names when there is none."""
    text = str(name)
    if text.endswith(".toml") or "/" in text or "\\" in text:
        path = Path(text)
        for candidate in (path, beside / path) if beside and not path.is_absolute() else (path,):
            if candidate.is_file():
                return candidate
        raise InputError(Problem("no such scenario file", got=text))
    for folder in _scenario_folders(beside):
        file = folder / f"{text}.toml"
        if file.is_file():
            return file
    raise InputError(
        Problem("unknown scenario", got=text, accepted=suggest(text, list_scenarios(beside), most=30))
    )


def scenario_headings(beside: Path | None = None) -> list[dict[str, str]]:
    """name, title, probability, horizon and file of every scenario, read without validation (fast)."""
    rows = []
    for name in list_scenarios(beside):
        file = find_scenario(name, beside)
        row = {"name": name, "title": "(not readable: riskengine scenarios check)", "probability": "",
               "horizon": "", "file": str(file)}
        try:
            document = tomllib.loads(file.read_text(encoding="utf-8"))
            horizon = document.get("horizon", {})
            if isinstance(horizon, dict):
                row["horizon"] = " ".join(f"{n} {unit}" for unit, n in horizon.items())
            row["probability"] = str(document.get("probability", ""))
            row["title"] = str(document.get("title", ""))
        except (OSError, ValueError, RecursionError):
            pass  # the row says so
        rows.append(row)
    return rows
