"""``riskengine`` and ``python -m riskengine``: the command line's only entrance."""

from __future__ import annotations

import gc
import sys

COLLECT_AFTER = 50_000
"""Net allocations of containers before Python looks for cycles (default 700): loading a thousand modules makes
many containers and next to no cycles, and each look walks through all of them."""


def main() -> None:
    """Run the command line and exit with its code."""
    gc.set_threshold(COLLECT_AFTER, 20, 20)
    from riskengine.cli import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
