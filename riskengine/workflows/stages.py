"""Seconds per stage of a run, for its manifest and its progress bar."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

Progress = Callable[[str, int, int], None]
"""(stage, done, total)."""


@dataclass(slots=True)
class StageClock:
    """Seconds per stage for the manifest; a stage may be entered more than once."""

    progress: Progress | None = None
    seconds: dict[str, float] | None = None
    _current: tuple[str, float] | None = None

    def __call__(self, stage: str) -> None:
        now = time.perf_counter()
        self.seconds = self.seconds if self.seconds is not None else {}
        if self._current is not None:
            name, began = self._current
            self.seconds[name] = self.seconds.get(name, 0.0) + now - began
        self._current = (stage, now) if stage else None
        if stage and self.progress is not None:
            self.progress(stage, 0, 0)

    def finish(self) -> dict[str, float]:
        """Close the current stage and return all seconds."""
        self("")
        return self.seconds or {}

    def report(self, stage: str, done: int, total: int) -> None:
        """Tell the progress bar how far the stage is."""
        if self.progress is not None:
            self.progress(stage, done, total)
