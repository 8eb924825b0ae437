"""The Python door: the same validation as the command line, plain objects and frames back.

Frames come in as polars, pandas or Arrow and go out as the same kind; sessions are kept between calls, so that a
second what-if on the same book answers at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from riskengine.base.errors import InputError, Problem
from riskengine.data import portfolios
from riskengine.instruments.portfolio import Portfolio, Position

if TYPE_CHECKING:
    from riskengine.policy.scenario import Scenario
    from riskengine.workflows.what_if import SessionPool
    from riskengine.workflows.what_if_frames import WhatIf

_POOL: list[SessionPool] = []
_LOCK = Lock()


def load_portfolio(source: Path | str | Any, as_of: str) -> Portfolio:
    """A portfolio as it stands on *as_of*; InputError lists every bad row.

    source : a CSV or Parquet file, or a polars, pandas or Arrow frame with the same columns.
    """
    if isinstance(source, (str, Path)):
        return portfolios.load_portfolio(Path(source), as_of)[0]
    frame = _read_frame(source)
    header = [str(column).strip().lower() for column in frame.columns]
    rows = [(line, dict(zip(header, (portfolios.cell_text(v) for v in values), strict=True)))
            for line, values in enumerate(frame.rows(), 2)]
    return portfolios.read_rows(header, rows, as_of, "frame")[0]


def what_if(
    scenario: str | Scenario | None = None, *, sets: Sequence[str] = (), trades: Sequence[str | Position] = (),
    scale: Mapping[str, float] | None = None, remove: Sequence[str] = (), views: Sequence[str] = (),
    portfolio: Portfolio | Path | str | Any = None, as_of: str | None = None, paths: int | None = None,
    horizon: str | None = None, config: Path | str | None = None, frames: str | None = None,
) -> WhatIf:
    """Before, after and change of one what-if, each with its interval.

    Parameters
    ----------
    scenario : name, file or Scenario; None for the ordinary night at *horizon* ('10d', '26w').
    sets : knobs, e.g. 'withholding_tax.rate=0.15'.  trades : sentences, e.g. 'buy 250m UST 10Y'.
    portfolio : file, Portfolio, or a polars, pandas or Arrow frame; None: the configuration's.
    frames : 'polars', 'pandas' or 'arrow'; None: the kind of *portfolio*, else polars.

    Returns
    -------
    WhatIf : ``.before``, ``.after``, ``.change``, ``.trades`` as frames, ``.answer`` as the plain dictionary of
        ``riskengine what-if --json``; shows itself as a table in a notebook.

    Raises
    ------
    InputError : every wrong knob, sentence, position id and row at once.
    """
    from riskengine.data.configs.folders import find_config
    from riskengine.data.configs.nightly import load_nightly_config
    from riskengine.data.catalog import default_as_of
    from riskengine.resident.request import WhatIfRequest
    from riskengine.workflows.what_if import Setup, absolute
    from riskengine.workflows.what_if_frames import KINDS, WhatIf, kind_of

    kind = frames or kind_of(portfolio)
    if kind not in KINDS:
        raise InputError(Problem("unknown kind of frame", field="frames", got=kind, accepted=", ".join(KINDS)))
    request = WhatIfRequest(scenario, tuple(_list(sets)), tuple(_list(trades)), dict(scale or {}),
                            tuple(_list(remove)), tuple(_list(views)), horizon)
    file = find_config(None if config is None else Path(config))
    setup = Setup(config=absolute(file), as_of=as_of, paths=paths)
    book: Portfolio | None = None
    if isinstance(portfolio, (str, Path)):
        setup = Setup(config=absolute(file), portfolio=absolute(portfolio), as_of=as_of, paths=paths)
    elif isinstance(portfolio, Portfolio):
        book = portfolio
        setup = Setup(config=absolute(file), as_of=as_of or portfolio.as_of, paths=paths)
    elif portfolio is not None:
        book = load_portfolio(portfolio, as_of or load_nightly_config(file).as_of or default_as_of())
    return WhatIf(_pool().session(setup, book).answer(request), kind)


def _pool() -> SessionPool:
    from riskengine.workflows.what_if import SessionPool

    with _LOCK:
        if not _POOL:
            _POOL.append(SessionPool())
    return _POOL[0]


def _list(values: Any) -> list:
    return [values] if isinstance(values, (str, Position)) else list(values)


def _read_frame(source: Any) -> Any:
    import narwhals

    try:
        return narwhals.from_native(source, eager_only=True)
    except TypeError:
        raise InputError(Problem("not a portfolio", got=type(source).__name__,
                                 accepted="a file, or a polars, pandas or Arrow frame")) from None
