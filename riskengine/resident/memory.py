"""Large arrays whose memory comes back: fresh pages cost as much time as the arithmetic that fills them.

The pages of a large array go back to the system with it, and the next one is given new pages, one by one and
filled with zeros: 8 ms for the noise and the P&L of 100,000 paths.  Here the memory of arrays that nobody
holds any more is kept, up to IDLE_BYTES, for the next ones of the same size.
"""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

import numpy as np

from riskengine.kernels.aligned import LINE

IDLE_BYTES = 64 * 2**20
"""Most memory kept that no array uses; what was given back first is let go first."""


class Store:
    """Memory by size; arrays of it may be made and dropped by any thread."""

    def __init__(self, idle_bytes: int = IDLE_BYTES):
        self._most = idle_bytes
        self._idle: OrderedDict[int, np.ndarray] = OrderedDict()
        self._lock = Lock()

    @property
    def idle(self) -> int:
        """Bytes kept that no array uses."""
        return sum(x.nbytes for x in list(self._idle.values()))

    def empty(self, rows: int, columns: int, real: type) -> np.ndarray:
        """(rows, columns), not filled, that begins on a cache line."""
        size = rows * columns * np.dtype(real).itemsize
        lease = _Lease(self._take(size + LINE), self)
        memory = np.asarray(lease)
        first = -lease.__array_interface__["data"][0] % LINE
        return memory[first : first + size].view(real).reshape(rows, columns)

    def _take(self, size: int) -> np.ndarray:
        with self._lock:
            for key, memory in reversed(self._idle.items()):
                if memory.nbytes == size:
                    return self._idle.pop(key)
        return np.empty(size, dtype=np.uint8)

    def give_back(self, memory: np.ndarray) -> None:
        """Called when the last array on *memory* is gone; never waits, as that may be at any time."""
        if memory.nbytes > self._most or not self._lock.acquire(blocking=False):
            return
        try:
            self._idle[id(memory)] = memory
            while sum(x.nbytes for x in self._idle.values()) > self._most:
                self._idle.popitem(last=False)
        finally:
            self._lock.release()


class _Lease:
    """Memory while arrays use it: each of them keeps its lease alive."""

    __slots__ = ("_memory", "_store")

    def __init__(self, memory: np.ndarray, store: Store):
        self._memory, self._store = memory, store

    @property
    def __array_interface__(self) -> dict:
        return self._memory.__array_interface__

    def __del__(self) -> None:
        self._store.give_back(self._memory)


STORE = Store()
"""Of this process."""
