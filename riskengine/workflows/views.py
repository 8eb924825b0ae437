"""Sentences of views → weights of a session's paths: ``measures.view_sentences`` and ``measures.entropy_pooling``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from riskengine.base.errors import InputError
from riskengine.base.units import Horizon
from riskengine.measures.entropy_pooling import reweight
from riskengine.measures.view_sentences import build_rows, parse_view
from riskengine.resident.views import Weights


def reweigh_by_views(sentences: Sequence[str], moves: np.ndarray, pnl: np.ndarray, horizon: Horizon) -> Weights:
    """Entropy pooling of the paths: equal weights before.

    moves : (K, P) of FACTORS at the horizon.  pnl : (P,) USD of the book after the changes asked about.

    Raises
    ------
    InputError : every sentence that was not understood; views the paths cannot meet or that leave too few of them.
    """
    views, problems = [], []
    for sentence in sentences:
        try:
            views.append(parse_view(sentence))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    rows, confidence, force = build_rows(views, moves, pnl, horizon.years)
    found = reweight(np.full(pnl.size, 1.0 / pnl.size), rows, confidence, force)
    kept = [f"{row.name} (a second moment needs it)" for row in rows if " kept at " in row.name]
    note = f"relative entropy {found.relative_entropy:.4f} nats"
    return Weights(found.p * pnl.size, found.effective, (*(v.understood for v in views), *kept, note))
