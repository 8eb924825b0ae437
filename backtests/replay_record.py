"""A replay as plain records and back: for the disk cache, ``episodes.json`` and the page."""

from __future__ import annotations

import math
from dataclasses import asdict, fields

import numpy as np

from backtests.replay import Forecast, Replay
from riskengine.policy.episode import Episode

NUMBERS = tuple(f.name for f in fields(Forecast) if f.type == "float")


def to_record(replay: Replay) -> dict:
    """Plain dicts, lists, strings and finite numbers (None where there is none); the episode by its words."""
    episode = replay.episode
    return {
        "name": episode.name, "title": episode.scenario.title, "announced": episode.announced,
        "base": episode.base, "kind": episode.kind, "announcement": episode.announcement,
        "narrative": episode.scenario.narrative, "source": episode.source, "unknowable": episode.unknowable,
        "revised": list(episode.revised), "not_applicable": episode.not_applicable,
        "available": list(replay.available), "remarks": list(replay.remarks), "flags": list(replay.flags),
        "chain": replay.chain, "channels": replay.channels, "controls": [dict(c) for c in replay.controls],
        "response": {v: {str(w): list(x) for w, x in by.items()} for v, by in replay.response.items()},
        "outcome_path": {v: [weeks.tolist(), moves.tolist()]
                         for v, (weeks, moves) in replay.outcome_path.items()},
        "forecasts": [{k: _finite(x) for k, x in asdict(f).items()} for f in replay.forecasts],
    }


def from_record(record: dict, episode: Episode) -> Replay:
    """The replay of a record; *episode* is the file it was made from."""
    forecasts = tuple(
        Forecast(**{k: (math.nan if x is None and k in NUMBERS else tuple(x) if k == "quantiles" else x)
                    for k, x in f.items()})
        for f in record["forecasts"])
    return Replay(
        episode, tuple(record["available"]), tuple(record["remarks"]), forecasts,
        {v: {int(w): tuple(x) for w, x in by.items()} for v, by in record["response"].items()},
        record["channels"],
        {v: (np.array(weeks), np.array(moves)) for v, (weeks, moves) in record["outcome_path"].items()},
        record["chain"], tuple(record["controls"]), tuple(record["flags"]))


def _finite(x: object) -> object:
    return None if isinstance(x, float) and not math.isfinite(x) else x
