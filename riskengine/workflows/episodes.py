"""Episodes of the past replayed: ``riskengine backtest episodes [NAME | FILE.toml …]``.

Every episode is a file (``backtests/episodes`` ships twenty; a path names one of your own, in the same
layout).  Replays run in processes, one per core, and are kept on disk under the hash of the episode's file,
the data and the code, so that a second call costs nothing and a killed one goes on where it was.
"""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path

from riskengine.base.errors import InputError, Problem, RiskEngineError, suggest
from riskengine.data.artefacts import cache_folder
from riskengine.data.configs import config_root
from riskengine.data.configs.episodes import load_episode
from riskengine.data.run_files import hash_files, hash_text, plain, write_json, write_table
from riskengine.data.selection import active_store, select_store
from riskengine.policy.episode import Episode

EPISODE_FILES = ("episodes.json", "episodes.parquet")
_CODE = ("backtests", "factors", "riskengine/flows", "riskengine/impact", "riskengine/simulation",
         "riskengine/kernels", "riskengine/data", "riskengine/engine")


def episode_files() -> dict[str, Path]:
    """Name → file of the shipped episodes, by year and name."""
    import backtests

    folder = Path(backtests.__file__).parent / "episodes"
    return {f.stem: f for f in sorted(folder.glob("*.toml"), key=lambda f: (f.stem[-4:], f.stem))}


def find_episodes(names: Sequence[str]) -> dict[Path, Episode]:
    """File → episode, by name or file; all shipped ones without names.  InputError with every unknown name
    and every problem of every file."""
    shipped = episode_files()
    problems: list[Problem] = []
    found: dict[Path, Episode] = {}
    for name in names or tuple(shipped):
        file = shipped.get(name)
        if file is None and (name.endswith(".toml") or "/" in name):
            file = Path(name)
        if file is None:
            problems.append(Problem("unknown episode", got=name,
                                    accepted=suggest(name, tuple(shipped), most=30)))
            continue
        try:
            episode = load_episode(file)
            if any(e.name == episode.name for e in found.values()):
                problems.append(Problem("episode named twice", got=name, accepted="each once"))
            found[file] = episode
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return found


def run_episodes(names: Sequence[str] = (), out: Path | None = None, workers: int | None = None,
                 resume: bool = True, progress: Callable[[str, int, int], None] | None = None) -> dict:
    """Replay episodes and score them.

    out : folder for episodes.json and episodes.parquet.  workers : processes, default one per core.

    Returns
    -------
    dict with 'episodes' (records), 'skill', 'leave_one_out', 'controls', 'worse' (sentences),
    'announcement_day' (how much wider one-day bands of currencies would have had to be), 'failed' (name →
    reason: not enough data at the date, or the model refuses), 'data_version'.
    """
    from backtests.replay_record import from_record
    from backtests.scorecard import (
        announcement_day, controls_table, leave_one_out, score_episodes, worse_than_rival,
    )

    episodes = find_episodes(names)
    store = active_store()
    key = _key(store.version)
    records: dict[Path, dict] = {}
    failed: dict[str, str] = {}
    for file in episodes if resume else ():
        kept = _kept(file, key)
        if kept is not None:
            records[file] = kept
    waiting = [file for file in episodes if file not in records]
    say = progress or (lambda _stage, _done, _total: None)
    say("episodes", len(records), len(episodes))
    for file, outcome in _replay_all(waiting, str(store.folder), store.version, workers):
        if isinstance(outcome, str):
            failed[episodes[file].name] = outcome
        else:
            records[file] = outcome
            _keep(file, key, outcome)
        say("episodes", len(records) + len(failed), len(episodes))
    replays = [from_record(records[file], e) for file, e in episodes.items() if file in records]
    skills = score_episodes(replays)
    result = {
        "schema_version": "1.0", "data_version": store.version,
        "episodes": [records[file] for file in episodes if file in records],
        "skill": [asdict(s) for s in skills], "leave_one_out": leave_one_out(replays),
        "controls": controls_table(replays), "worse": worse_than_rival(skills), "failed": failed,
        "announcement_day": announcement_day(replays),
    }
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        _write_whole(out / EPISODE_FILES[0], lambda path: write_json(path, plain(result)))
        rows = [f for r in result["episodes"] for f in r["forecasts"]]
        if rows:
            columns = {k: [row[k] for row in rows] for k in rows[0] if k != "quantiles"}
            for i, q in enumerate(("05", "10", "25", "50", "75", "90", "95")):
                columns[f"p{q}"] = [row["quantiles"][i] for row in rows]
            _write_whole(out / EPISODE_FILES[1], lambda path: write_table(path, columns))
    return result


def _replay_all(files: Sequence[Path], folder: str, version: str, workers: int | None
                ) -> Iterator[tuple[Path, dict | str]]:
    """(file, record or reason) as they finish; in this process when there is one job or one worker."""
    count = min(workers or os.cpu_count() or 1, len(files))
    if count <= 1:
        for file in files:
            yield file, replay_file(file, folder, version)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, mp_context=context) as pool:
        futures = {pool.submit(replay_file, file, folder, version): file for file in files}
        for future in as_completed(futures):
            yield futures[future], future.result()


def replay_file(file: Path, folder: str, version: str) -> dict | str:
    """One episode's record, or the sentence why it cannot be replayed; runs in a worker process."""
    import warnings

    from backtests.point_in_time import world_at
    from backtests.replay import replay_episode
    from backtests.replay_record import to_record
    from riskengine.workflows.build_world import build_world

    warnings.simplefilter("ignore")
    if version != "embedded":
        select_store(folder, version)
    episode = load_episode(file)
    try:
        return to_record(replay_episode(episode, world_at(episode.base, build_world)))
    except RiskEngineError as error:
        return str(error)


def _key(version: str) -> str:
    root = Path(__file__).resolve().parents[2]
    code = sorted(p for folder in _CODE for p in (root / folder).rglob("*.py"))
    configs = sorted(p for p in config_root().rglob("*") if p.suffix in (".toml", ".csv"))
    data = sorted((root / "riskengine" / "data" / "bundled").glob("*.parquet"))
    return hash_text(version + hash_files([*code, *configs, *data]))[:16]


def _place(file: Path, key: str) -> Path:
    content = hash_text(file.read_text(encoding="utf-8"))[:8]
    return cache_folder() / "episodes" / f"{file.stem}-{content}-{key}.json"


def _kept(file: Path, key: str) -> dict | None:
    try:
        return json.loads(_place(file, key).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _keep(file: Path, key: str, record: dict) -> None:
    place = _place(file, key)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        _write_whole(place, lambda path: path.write_text(json.dumps(plain(record)), encoding="utf-8"))
    except OSError:
        return


def _write_whole(path: Path, write: Callable[[Path], object]) -> None:
    partial = path.with_name(f".{path.name}.partial")
    write(partial)
    partial.replace(path)
