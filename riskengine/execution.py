"""Where the chunks of a run are computed: here, on threads, or on a cluster; same answer to the bit.

An executor maps a function over items and returns the results in the order of the items.  Kernels release
the GIL, so threads scale; a task should be half a second of work or more on a cluster.  The function
(with the book and the model it holds) travels to each worker once; a task whose worker dies is computed
again on another.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar, runtime_checkable

from riskengine.base.errors import InputError, Problem

Item = TypeVar("Item")
Result = TypeVar("Result")


@runtime_checkable
class Executor(Protocol):
    """Anything that maps a function over items, results in order; an exception of a task is raised here.

    count : tasks at once.  remote : functions and results travel to another process.
    here : the executor of the calling machine, for small tasks on data that is already here.
    """

    count: int
    remote: bool

    @property
    def here(self) -> Executor: ...

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]: ...

    def close(self) -> None: ...


class _Closing:
    """``with`` closes the executor; one task at once, in this process, unless a class says otherwise."""

    __slots__ = ()
    count = 1
    remote = False

    @property
    def here(self) -> Executor:
        return self  # type: ignore[return-value]

    def __enter__(self):
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Nothing to release."""


class Serial(_Closing):
    """One after the other in the calling thread."""

    __slots__ = ()

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
        return [function(item) for item in items]


class Threads(_Closing):
    """*count* threads of this process; None: as many as the process may use."""

    __slots__ = ("count", "_pool")

    def __init__(self, count: int | None = None):
        if count is None:
            count = available_cores()
        if count < 1:
            raise InputError(Problem("threads must be at least 1", got=str(count)))
        self.count = count
        self._pool: ThreadPoolExecutor | None = None

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
        """Each thread, the calling one among them, takes the next item when it is done with one."""
        waiting = list(items)
        results: list[Any] = [None] * len(waiting)
        failed: dict[int, BaseException] = {}
        numbers = iter(range(len(waiting)))  # next() on it is atomic: each number goes to one thread

        def work() -> None:
            for n in numbers:
                try:
                    results[n] = function(waiting[n])
                except BaseException as error:  # raised below, by the caller
                    failed[n] = error
                    for _ in numbers:
                        pass  # nobody takes another

        helpers = min(self.count, len(waiting)) - 1
        if helpers > 0 and self._pool is None:
            self._pool = ThreadPoolExecutor(self.count - 1, thread_name_prefix="riskengine")
        futures = [self._pool.submit(work) for _ in range(helpers)] if self._pool is not None else []
        work()
        if not any(isinstance(error, KeyboardInterrupt) for error in failed.values()):
            for future in futures:
                if not future.cancel():  # one that has not begun finds nothing to do any more
                    future.result()
        if failed:
            raise failed[min(failed)]  # the first in the order of the items: all before it have been begun
        return results

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None


class Dask(_Closing):
    """A Dask cluster at *address*, or, without one, *workers* single-threaded processes on this machine.

    timeout : seconds to wait for the scheduler.
    """

    __slots__ = ("address", "_client", "_cluster", "_here", "_held")
    remote = True

    def __init__(self, address: str | None = None, workers: int = 2, timeout: float = 20.0):
        try:
            from distributed import Client, LocalCluster
        except ImportError:
            raise InputError(
                Problem("a cluster needs dask", accepted="pip install 'riskengine[cluster]'")
            ) from None
        self.address = address
        self._cluster = None
        self._here: Threads | None = None
        self._held: tuple[Any, Any] | None = None
        if address is None:
            self._cluster = LocalCluster(
                n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None,
                silence_logs=logging.CRITICAL,  # errors of tasks are raised here
            )
        try:
            self._client = Client(address or self._cluster, timeout=timeout, set_as_default=False)
        except OSError as error:
            raise InputError(
                Problem("no Dask scheduler answers", got=str(address), accepted="e.g. tcp://host:8786")
            ) from error

    @property
    def count(self) -> int:
        """Threads of all workers that are there now."""
        return max(1, sum(self._client.nthreads().values()))

    @property
    def here(self) -> Executor:
        if self._here is None:
            self._here = Threads()
        return self._here

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
        # the function is the result of a task: the graph holds it once, workers pass it on, and it is made
        # again when the worker that held it dies (scattered data would be lost); tasks of a dead worker are
        # given to another by the scheduler (distributed.scheduler.allowed-failures times).  It stays with the
        # workers until another one is mapped: rounds of one run send it once
        if self._held is None or self._held[0] is not function:
            self._held = (function, self._client.submit(_identity, function, pure=False))
        shared = self._held[1]
        futures = [self._client.submit(_apply, shared, item, pure=False) for item in items]
        try:
            return list(self._client.gather(futures))
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # tracebacks of what was waited for
            self._client.cancel(futures)
            raise

    def close(self) -> None:
        self._held = None
        if self._here is not None:
            self._here.close()
        self._client.close()
        if self._cluster is not None:
            self._cluster.close()


def in_batches(items: Sequence[Item], most: int) -> list[list[Item]]:
    """*items* in order as at most *most* lists of nearly equal length, none empty."""
    count = min(most, len(items))
    edges = [len(items) * i // count for i in range(count + 1)] if count else [0]
    return [list(items[lo:hi]) for lo, hi in zip(edges, edges[1:])]


def available_cores() -> int:
    """Cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _identity(value: Any) -> Any:
    return value


def _apply(function: Callable[[Any], Any], item: Any) -> Any:
    return function(item)
