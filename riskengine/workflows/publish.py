"""What a run leaves behind: every file of its folder, written hidden and moved into place in one step."""

from __future__ import annotations

import platform
import resource
from collections.abc import Sequence
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from riskengine.base.sampling import RunSpec
from riskengine.data.artefacts import model_hash, save_model
from riskengine.data.configs import config_root
from riskengine.data.store import RunStore, hash_files, write_json
from riskengine.engine.paths import World
from riskengine.policy.night import NightlyConfig
from riskengine.reports.archive import dump_night
from riskengine.reports.nightly import render_night
from riskengine.reports.shown import cut_positions
from riskengine.reports.summary import summarize
from riskengine.reports.tables import TABLES
from riskengine.result import SCHEMA_VERSION, NightResult
from riskengine.workflows.data_version import data_hashes, describe_data
from riskengine.workflows.stages import StageClock


def hash_inputs(config: NightlyConfig, book_file: Path, world: World) -> dict[str, str]:
    """SHA-256 of everything the numbers depend on."""
    root = config_root()
    bundled = Path(__file__).resolve().parents[1] / "data" / "bundled"
    used = [f for f in sorted(root.rglob("*")) if f.is_file() and f.suffix in {".toml", ".csv"}]
    used = [f for f in used if "portfolios" not in f.parts and "scenarios" not in f.parts]
    return {
        "config": hash_files([*used, *( [config.source] if config.source else [] )]),
        "scenarios": hash_files(list(config.scenarios)),
        "data": hash_files(sorted(bundled.glob("*.parquet"))),
        **data_hashes(),
        "portfolio": hash_files([book_file]),
        "factor_model_daily": model_hash(world.daily),
        "factor_model_weekly": model_hash(world.weekly),
    }


def _versions() -> dict[str, str]:
    names = ("riskengine", "numpy", "numba", "scipy", "statsmodels", "pandas", "polars", "arch", "plotly")
    found = {"python": platform.python_version()}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "from source"
    return found


def publish_run(
    store: RunStore, night: NightResult, stages: StageClock, hashes: dict[str, str],
    spec: RunSpec, world: World, book_file: Path, accounts: str, started: datetime,
    plans: Sequence[str] = (),
) -> Path:
    """Write the run folder and return its final path.

    stages : read when everything but the manifest has been written.
    plans : of a night at size, one per horizon; empty when every position was revalued on every path.
    """
    with store.begin(night.as_of, night.run_id) as folder:
        shown = cut_positions(night)
        (folder / "report.html").write_text(render_night(shown), encoding="utf-8")
        write_json(folder / "summary.json", summarize(night))
        write_json(folder / "result.json", dump_night(shown), indent=None)
        for name, build in TABLES.items():
            build(night).write_parquet(folder / f"{name}.parquet")
        inputs = folder / "inputs"
        inputs.mkdir()
        (inputs / f"portfolio{book_file.suffix}").write_bytes(book_file.read_bytes())
        save_model(world.daily, inputs / "factor_model_daily")
        save_model(world.weekly, inputs / "factor_model_weekly")
        write_json(folder / "manifest.json", {
            "schema_version": SCHEMA_VERSION, "run_id": night.run_id, "as_of": night.as_of, "accounts": accounts,
            "accounts_as_of": night.accounts_as_of, "started_utc": started.isoformat(timespec="seconds"),
            "versions": _versions(), "hashes": hashes, "seed": spec.seed, "paths": spec.paths, "draws": spec.draws,
            "noise": spec.noise,
            "residual_rows": {"daily": len(world.daily.residuals), "weekly": len(world.weekly.residuals)},
            "levels": list(spec.levels),
            "portfolio_name": book_file.name,
            **describe_data(),
            "at_size": list(plans),
            "stage_seconds": {k: round(v, 3) for k, v in stages.finish().items()},
            "stage_cpu_seconds": {k: round(v, 3) for k, v in stages.cpu_seconds.items()},
            "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        })
    return store.path(night.as_of, night.run_id)
