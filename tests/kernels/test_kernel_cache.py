"""The disk cache of compiled kernels: where it lies and what damages it."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import numpy as np
from riskengine.kernels import CACHE_FOLDER
from riskengine.kernels.tails import add_pairwise
print(CACHE_FOLDER, add_pairwise(np.arange(10.0)))
"""


def run(cache, tmp):
    environment = {k: v for k, v in os.environ.items() if k not in ("NUMBA_CACHE_DIR",)}
    environment |= {"XDG_CACHE_HOME": str(cache), "TMPDIR": str(tmp), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    folder, value = done.stdout.split()
    assert float(value) == 45.0
    return Path(folder), done.stderr


def truncate(paths):
    for path in paths:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_cache_is_keyed_loaded_repaired_and_not_trusted_when_open_to_others(tmp_path):
    folder, notices = run(tmp_path, tmp_path)
    assert folder.parent == tmp_path / "riskengine"
    assert notices == ""
    files = list(folder.rglob("*.nbc"))
    assert files, "kernels are cached"
    stamps = {f: f.stat().st_mtime_ns for f in files}
    truncate(folder.rglob("*.nbi"))
    _, notices = run(tmp_path, tmp_path)
    assert notices.count("\n") == 1 and "unreadable" in notices
    truncate(folder.rglob("*.nbc"))
    _, notices = run(tmp_path, tmp_path)
    assert notices.count("\n") == 1 and "unreadable" in notices
    repaired = {f: f.stat().st_mtime_ns for f in files}
    assert all(repaired[f] > stamps[f] for f in files)
    assert run(tmp_path, tmp_path) == (folder, "")
    assert {f: f.stat().st_mtime_ns for f in files} == repaired, "a sound cache is loaded, not compiled again"
    if hasattr(os, "getuid"):
        folder.chmod(0o777)
        other, notices = run(tmp_path, tmp_path)
        assert other != folder
        assert notices.count("\n") == 1 and "open to others" in notices


def test_unusable_folder_costs_one_line(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    spare = tmp_path / "tmp"
    spare.mkdir()
    folder, notices = run(blocked, spare)
    assert folder.parent == spare
    assert notices.count("\n") == 1 and "cannot be used" in notices


def test_hash_follows_every_kernel_file(tmp_path, monkeypatch):
    from riskengine import kernels

    copy = tmp_path / "kernels"
    copy.mkdir()
    for path in Path(kernels.__file__).parent.glob("*.py"):
        (copy / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(kernels, "__file__", str(copy / "__init__.py"))
    before = kernels.source_hash()
    with (copy / "primitives.py").open("a") as file:
        file.write("# edited\n")
    assert kernels.source_hash() != before
