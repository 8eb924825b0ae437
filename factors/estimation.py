"""The laboratory's door: the factor models as of a date, from the cache when nothing has changed.

The key of an artefact is the hash of the data (every panel used, cut at the as-of date), the as-of date,
the market inputs used, this package's source and the versions of the libraries that compute.  A hit imports
neither statsmodels nor arch.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from factors.history import hash_panels, read_panels
from riskengine.data.artefacts import ArtefactError, cache_folder, load_model, save_model
from riskengine.factor_model import FactorModel
from riskengine.market import MarketInput

MODELS = ("daily", "weekly")
LIBRARIES = ("numpy", "scipy", "statsmodels", "arch")
INPUT_FAMILIES = ("loading.", "residual_vol.", "cap_rate.")


def estimate_models(as_of: str, inputs: Mapping[str, MarketInput], *, use_cache: bool = True
                    ) -> dict[str, FactorModel]:
    """{'daily', 'weekly'} factor models estimated on what was known at the close of *as_of*.

    as_of : ISO date, 2007-01-01 or later.  inputs : market inputs by id; loadings, residual volatilities
    and cap rates are used (factors.structure.REQUIRED_INPUTS).  use_cache : False estimates anew and
    overwrites. Errors: InputError for a date too early or missing inputs.
    """
    panels = read_panels(as_of)
    folder = cache_folder() / "factor_models"
    key = artefact_key(as_of, hash_panels(panels), inputs)
    paths = {name: folder / f"{as_of}-{key[:16]}-{name}" for name in MODELS}
    if use_cache:
        try:
            return {name: load_model(path) for name, path in paths.items()}
        except ArtefactError:
            pass
    from factors.assembly import build_models

    models = build_models(panels, as_of, inputs)
    for name, path in paths.items():
        save_model(models[name], path, must_succeed=False)
    return models


def artefact_key(as_of: str, data_hash: str, inputs: Mapping[str, MarketInput]) -> str:
    """SHA-256 hex of everything the models depend on."""
    used = sorted((i.id, i.value, i.se) for i in inputs.values() if i.id.startswith(INPUT_FAMILIES))
    text = json.dumps([as_of, data_hash, used, code_version()])
    return hashlib.sha256(text.encode()).hexdigest()


@lru_cache(maxsize=1)
def code_version() -> str:
    """Hash of the sources of this package and the versions of LIBRARIES."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    for library in LIBRARIES:
        digest.update(f"{library} {importlib.metadata.version(library)}".encode())
    return digest.hexdigest()
