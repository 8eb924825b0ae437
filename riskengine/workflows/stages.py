"""Seconds per stage of a run, wall and processor time, for its manifest and its progress bar."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

Progress = Callable[[str, int, int], None]
"""(stage, done, total)."""


@dataclass(slots=True)
class StageClock:
    """Seconds per stage for the manifest; a stage may be entered more than once.

    seconds : by the clock.  cpu_seconds : of all threads of this process (workers of a cluster are not
    in it).
    """

    progress: Progress | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    cpu_seconds: dict[str, float] = field(default_factory=dict)
    _current: tuple[str, float, float] | None = None

    def __call__(self, stage: str) -> None:
        now, cpu = time.perf_counter(), time.process_time()
        if self._current is not None:
            name, began, used = self._current
            self.seconds[name] = self.seconds.get(name, 0.0) + now - began
            self.cpu_seconds[name] = self.cpu_seconds.get(name, 0.0) + cpu - used
        self._current = (stage, now, cpu) if stage else None
        if stage and self.progress is not None:
            self.progress(stage, 0, 0)

    def finish(self) -> dict[str, float]:
        """Close the current stage and return all seconds."""
        self("")
        return self.seconds

    def report(self, stage: str, done: int, total: int) -> None:
        """Tell the progress bar how far the stage is."""
        if self.progress is not None:
            self.progress(stage, done, total)
