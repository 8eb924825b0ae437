"""All compiled code: raw arrays in, raw arrays out; nothing of the engine is imported, not even ``base``.

This file answers one question: where do compiled kernels live on disk?  Numba looks only at the file of a
decorated function, so an edit in an imported file would bring back old machine code.  The cache folder is
therefore named by a hash of every ``kernels/*.py`` and set before any kernel is imported.  A folder that
cannot be used (not writable, owned by somebody else, a full disk, a truncated file) costs one line of
notice and a compilation, never the run.

Kernels hold to what is the same on every x86-64: + − × ÷ sqrt, explicit fma, our own exp and log; no
contraction, no reassociation, no libm, no BLAS.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numba
from numba.core.caching import FunctionCache
from numba.core.codegen import get_host_cpu_features
from numba.core.runtime import rtsys

__all__ = ["CACHE_FOLDER", "FULL_VECTORS", "inline", "kernel", "source_hash"]

_noticed: set[str] = set()


def _notice(text: str) -> None:
    """One line on stderr, once per text."""
    if text not in _noticed:
        _noticed.add(text)
        sys.stderr.write(f"riskengine: {text}\n")


def source_hash() -> str:
    """16 hex digits over the names and bytes of every kernels/*.py."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _is_ours(folder: Path) -> bool:
    """Cached kernels are pickles: only a folder that nobody else may write is read."""
    if not hasattr(os, "getuid"):
        return True
    status = folder.lstat()
    return status.st_uid == os.getuid() and not status.st_mode & 0o022


def _usable(folder: Path) -> str:
    """Create *folder*; '' when it can be written and is ours, else the reason it cannot."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _is_ours(folder):
            return "belongs to somebody else or is open to others"
        with tempfile.TemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return error.strerror or type(error).__name__


def _choose_folder() -> Path:
    name = f"kernels-{source_hash()}"
    base = os.environ.get("NUMBA_CACHE_DIR")
    if base is None:
        root = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
        base = os.path.join(root, "riskengine")
    wanted = Path(base) / name
    reason = _usable(wanted)
    if not reason:
        return wanted
    owner = os.getuid() if hasattr(os, "getuid") else "user"
    spare = Path(tempfile.gettempdir()) / f"riskengine-{owner}-{name}"
    if _usable(spare):
        spare = Path(tempfile.mkdtemp(prefix=f"riskengine-{name}-"))
    _notice(f"kernel cache {wanted} cannot be used ({reason}); using {spare}")
    return spare


CACHE_FOLDER = _choose_folder()
numba.config.CACHE_DIR = str(CACHE_FOLDER)


def _use_full_vectors() -> bool:
    """True where kernels compile for 512-bit registers, which LLVM avoids by default.

    Measured on a processor with AVX-512 (Xeon, model 167; CPU time of one thread, alternated): full revaluation
    (W3) takes 0.83 of the time with 256 bits, the horizon simulation (W1) 0.87, in blocks of their own width
    (``products``).  The width changes no bit of any result: every operation belongs to one path.
    """
    if numba.config.CPU_FEATURES is None and numba.config.CPU_NAME is None:
        features = get_host_cpu_features()
        if "+avx512f" in features.split(","):
            numba.config.CPU_FEATURES = f"{features},-prefer-256-bit"
    chosen = (numba.config.CPU_FEATURES or "").split(",")
    return "+avx512f" in chosen and "-prefer-256-bit" in chosen


FULL_VECTORS = _use_full_vectors()


class _ForgivingCache(FunctionCache):
    """Numba's disk cache, except that a damaged or unwritable file is noticed and compiled around.

    Loading leaves out what only a compilation needs and does by itself: Numba's registries of every function
    it can type and lower, half a second of processor time in a process whose kernels are all on disk.
    """

    def load_overload(self, sig, target_context):
        try:
            rtsys.initialize(target_context)
            with self._guard_against_spurious_io_errors():
                return self._load_overload(sig, target_context)
        except (OSError, EOFError, ValueError, AttributeError, ImportError, IndexError, KeyError, TypeError,
                pickle.UnpicklingError) as error:
            _notice(f"kernel cache {self.cache_path} unreadable ({type(error).__name__}); compiling again")
            try:
                self.flush()
            except OSError:
                self.disable()
            return None

    def save_overload(self, sig, data):
        try:
            super().save_overload(sig, data)
        except OSError as error:
            _notice(f"kernel cache {self.cache_path} not written ({error.strerror}); compiled, not kept")
            self.disable()


def kernel(function: Callable) -> Callable:
    """Compile on first call, release the GIL, cache on disk."""
    compiled = numba.njit(nogil=True, error_model="numpy")(function)
    compiled._cache = _ForgivingCache(function)
    return compiled


def inline(function: Callable) -> Callable:
    """Scalar arithmetic, always merged into the calling loop so that the loop vectorises."""
    return numba.njit(forceinline=True, error_model="numpy")(function)
