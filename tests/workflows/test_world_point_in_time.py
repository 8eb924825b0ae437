"""The night's world at a past date: nonsense in everything known later leaves it the same to the bit, and a
change of what was known then is seen.

Poisoned together: the embedded panels (every value whose publication day lies after the date), the imported
series, the surveys of holders, market sizes and positions published later, and market inputs dated later.
Not poisoned, because they are rules without a date and said to be so: parameters, the official shares of the
table of May 2026 (``accounts._official_shifts``), real estate sizes.
"""

from __future__ import annotations

import csv
import dataclasses
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from imported_data import made_up, poisoned, write

from riskengine.data import accounts, panels
from riskengine.data.catalog import panel_info
from riskengine.data.configs import config_root
from riskengine.data.selection import use_store
from riskengine.workflows import build_world as door

AS_OF = "2022-06-30"
DAY = np.datetime64(AS_OF)
SURVEY_LAG = np.timedelta64(10, "M")
CONFIGS = ("market_inputs.csv", "markets.toml", "holders.toml", accounts.TABLE_2026, accounts.SURVEYS)
FIGURE = re.compile(
    r"^(treasury|agency|corporate|fed_\w+|bills|purchases|assets|liabilities|net) = ([\d.]+)", re.M)


def bits(x: object, place: str = "world") -> Iterator[tuple[str, object]]:
    """(place, content) of everything inside *x*, numbers to the bit; TypeError for what it does not know."""
    if dataclasses.is_dataclass(x):
        for f in dataclasses.fields(x):
            yield from bits(getattr(x, f.name), f"{place}.{f.name}")
    elif isinstance(x, np.ndarray):
        yield place, (x.dtype.str, x.shape, x.tobytes())
    elif isinstance(x, Mapping):
        yield place, tuple(x)
        for key, value in x.items():
            yield from bits(value, f"{place}[{key}]")
    elif isinstance(x, tuple | list):
        yield place, len(x)
        for i, value in enumerate(x):
            yield from bits(value, f"{place}[{i}]")
    elif isinstance(x, float):
        yield place, float(x).hex()
    elif x is None or isinstance(x, str | int | bool | np.integer | frozenset):
        yield place, x
    elif type(x).__module__.startswith("riskengine."):
        slots = [s for c in type(x).__mro__ for s in getattr(c, "__slots__", ())]
        for name in slots or vars(x):
            yield from bits(getattr(x, name), f"{place}.{name}")
    else:
        raise TypeError(f"{place}: {type(x)}")


def fingerprint(world: object) -> dict[str, object]:
    """place → content."""
    found = dict(bits(world))
    assert len(found) > 1000, "the whole world is walked"
    return found


def copy_configs(folder: Path) -> Path:
    """The configuration files of a world, to be altered."""
    folder.mkdir()
    for name in CONFIGS:
        shutil.copy(config_root() / name, folder / name)
    return folder


def alter_surveys(folder: Path, late: bool) -> int:
    """Holdings × 1.1 in the surveys known after (*late*) or at the date; how many rows."""
    path, count, lines = folder / accounts.SURVEYS, 0, []
    for line in path.read_text(encoding="utf-8").splitlines():
        survey, _, rest = line.partition(",")
        if re.match(r"\d{4}-\d{2}$", survey) and (np.datetime64(survey) + SURVEY_LAG > DAY) == late:
            area, *amounts = next(csv.reader([rest]))
            line = ",".join([survey, f'"{area}"', *(str(1.1 * float(a)) if a else "" for a in amounts)])
            count += 1
        lines.append(line)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return count


def poison_configs(folder: Path) -> int:
    """Everything dated after the date altered, rows of a later day added; how many figures."""
    count = alter_surveys(folder, late=True)
    path = folder / "markets.toml"
    blocks = re.split(r"(?m)^(?=\[)", path.read_text(encoding="utf-8"))
    for i, block in enumerate(blocks):
        known = re.search(r'^known = "(\d{4}-\d{2}-\d{2})"', block, re.M)
        if known and known[1] > AS_OF:
            blocks[i], n = FIGURE.subn(lambda m: f"{m[1]} = {2 * float(m[2])}", block)
            count += n
    path.write_text("".join(blocks), encoding="utf-8")
    path = folder / "market_inputs.csv"
    with path.open(encoding="utf-8", newline="") as stream:
        table = list(csv.DictReader(stream))
    later = [{**row, "value": repr(0.9 * float(row["value"])), "date": "2030-01-01"} for row in table]
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(table[0]))
        writer.writeheader()
        writer.writerows(table + later)
    return count + len(later)


def panels_after(monkeypatch, late: bool) -> dict[str, int]:
    """Embedded values altered from now on: those published after the date, or (not *late*) the last one known
    of every series; panel → how many."""
    honest, altered = panels.full_history, {}

    def full_history(name: str) -> tuple[np.ndarray, np.ndarray]:
        dates, values = honest(name)
        unknown = panels.known_dates(panel_info(name), dates) > DAY
        chosen = unknown & np.isfinite(values)
        if not late:
            chosen[:] = False
            for j in range(values.shape[1]):
                known = np.flatnonzero(~unknown[:, j] & np.isfinite(values[:, j]))
                chosen[known[-1:], j] = True
        altered[name] = int(chosen.sum())
        wave = 1.0 + 0.4 * np.cos(np.arange(len(dates)))[:, None]
        return dates, np.where(chosen, values * wave, values)

    monkeypatch.setattr(panels, "full_history", full_history)
    return altered


def build(monkeypatch, folder: Path, store: Path, configs: Path) -> object:
    """A world that finds no factor model in a cache."""
    monkeypatch.setenv("RISKENGINE_CACHE", str(folder / "cache"))
    for room in (door, accounts):
        monkeypatch.setattr(room, "config_root", lambda: configs)
    with use_store(store):
        return door.build_world(AS_OF)


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    folder = tmp_path_factory.mktemp("honest")
    write(folder / "store", made_up())
    with pytest.MonkeyPatch.context() as patch:
        return fingerprint(build(patch, folder, folder / "store", copy_configs(folder / "configs")))


def test_nothing_known_later_reaches_the_world(honest, tmp_path, monkeypatch):
    write(tmp_path / "store", poisoned(made_up(), AS_OF))
    assert poison_configs(copy_configs(tmp_path / "configs")) > 150
    altered = panels_after(monkeypatch, late=True)
    world = fingerprint(build(monkeypatch, tmp_path, tmp_path / "store", tmp_path / "configs"))
    assert altered["fx_daily"] > 5000 and altered["zero_rates_daily"] > 3000, "the poison was on the table"
    assert altered["external_saving_quarterly"] > 10
    assert [place for place in honest.keys() | world.keys() if honest.get(place) != world.get(place)] == []


def test_what_was_known_reaches_the_world(honest, tmp_path, monkeypatch):
    """Each source altered on its last known day moves the part of the world that rests on it."""
    given = [dataclasses.replace(s, values=np.where(s.dates == DAY, 1.05, 1.0) * s.values) for s in made_up()]
    write(tmp_path / "store", given)
    assert alter_surveys(copy_configs(tmp_path / "configs"), late=False) > 100
    panels_after(monkeypatch, late=False)
    world = fingerprint(build(monkeypatch, tmp_path, tmp_path / "store", tmp_path / "configs"))
    moved = {place for place in honest.keys() & world.keys() if honest[place] != world[place]}
    for place in ("snapshot.spot[EUR]", "snapshot.zero_rates", "snapshot.equity_levels[SP500]",
                  "snapshot.inputs[implied_vol.SP500].value", "accounts.holdings", "accounts.income.gdp",
                  "daily.vol_now", "daily.correlation", "weekly.vol_now", "history[FX_EUR][1]",
                  "history[EQ_EXPORTERS][1]"):
        assert f"world.{place}" in honest and f"world.{place}" in moved, place
