"""Where do the estimated sensitivities rest, and what did the last estimate say?

One JSON file per estimate with its own hash, written beside its place and moved there.  A file that is
missing, truncated, altered or of another format is an :class:`ArtefactError`; nothing is read from half a
file.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path

from riskengine.base.sensitivity import Sensitivities, from_plain, to_plain
from riskengine.data.artefacts import ArtefactError, cache_folder

NAME = "sensitivities.json"


def save_sensitivities(found: Sensitivities, path: Path) -> str:
    """Write *found* to *path*; returns the SHA-256 of its content. OSError when it cannot be written."""
    body = to_plain(found)
    digest = _digest(body)
    payload = json.dumps({"sha256": digest, **body}, indent=1, ensure_ascii=False, allow_nan=False).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(payload)
            out.flush()
            os.fsync(out.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return digest


def load_sensitivities(path: Path) -> Sensitivities:
    """What :func:`save_sensitivities` wrote, equal to the bit; ArtefactError otherwise."""
    try:
        stored = json.loads(path.read_bytes())
        claimed = stored.pop("sha256")
        if _digest(stored) != claimed:
            raise ArtefactError(f"{path.name}: the content does not match its hash")
        return from_plain(stored)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtefactError(f"{path.name}: {error}") from error


def cached_path(as_of: str, data_version: str) -> Path:
    """Beside the factor models in the cache: the artefact of one day on one version of the data."""
    return cache_folder() / "factor_models" / f"{as_of}-{data_version[:16]}-{NAME}"


def previous_estimate(
    folder: Path, as_of: str, unlike: Sensitivities | None = None
) -> Sensitivities | None:
    """The latest whole estimate in ``folder/<date>/`` of *as_of* or an earlier day; None when there is none.

    unlike : an estimate equal to this one is passed over, unless there is no other.
    """
    if not folder.is_dir():
        return None
    days = sorted((p.parent.name for p in folder.glob(f"*/{NAME}") if p.parent.name <= as_of), reverse=True)
    same = None
    for day in days:
        try:
            found = load_sensitivities(folder / day / NAME)
        except ArtefactError:
            continue
        if unlike is None or found != unlike:
            return found
        same = found
    return same


def _digest(body: dict) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True, ensure_ascii=False,
                                     allow_nan=False).encode()).hexdigest()
