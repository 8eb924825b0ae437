"""Which public series does ``riskengine data update`` fetch, and from where? No key is needed for any.

An address with ``{series}`` is asked once per series, any other once for its whole table.  ``--source-url
NAME=URL`` replaces one (a mirror, a proxy inside a bank, a test server).  Sector funds and Fama–French
factors are not here: their figures belong to others and come in by ``riskengine data import``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from riskengine.base.errors import InputError, Problem, suggest
from riskengine.data.continuation import PAR_SERIES, noon_rates

TIC_DOCUMENTS = "https://ticdata.treasury.gov/resource-center/data-chart-center/tic/Documents"


@dataclass(frozen=True, slots=True)
class Source:
    """One address.

    series : ids asked for one by one; empty: the document is a table whose ids begin with ``prefix``.
    complete : the table holds every area or currency it ever held (one that is gone is a fault).
    finished_line : its text ends with a finished line (one that does not was cut).
    """

    name: str
    url: str
    title: str
    series: tuple[str, ...] = ()
    prefix: str = ""
    complete: bool = True
    finished_line: bool = False

    def address(self, series: str = "") -> str:
        """Where *series* (or the table) is asked for."""
        return self.url.replace("{series}", series)


FRED_SERIES = (
    *PAR_SERIES.values(), "DFF", "DFII5", "DFII10", "DFII30", "T5YIE", "T10YIE", *noon_rates(),
    "DTWEXBGS", "VIXCLS", "SP500", "NASDAQCOM", "BAMLC0A0CM", "BAMLC0A4CBBB", "BAMLH0A0HYM2", "DCOILWTICO",
    "CSUSHPINSA", "COMREPUSQ159N", "IIPUSNETIQ",
)
WINDOWED = ("SP500", "DJIA", "BAMLC0A0CM", "BAMLC0A4CBBB", "BAMLH0A0HYM2")
"""FRED shows the last ten years (ICE: three) of these only; the store keeps what it had before."""
SOURCES: tuple[Source, ...] = (
    Source("fred", "https://fred.stlouisfed.org/graph/fredgraph.csv?id={series}",
           "FRED, Federal Reserve Bank of St. Louis", FRED_SERIES, finished_line=True),
    Source("tic_slt", f"{TIC_DOCUMENTS}/slt_table1.txt", "US Treasury, TIC SLT Table 1", prefix="tic.slt."),
    Source("tic_holders", f"{TIC_DOCUMENTS}/slt_table5.txt", "US Treasury, Major Foreign Holders (Table 5)",
           prefix="tic.holders.", complete=False),
    Source("ecb", "https://www.ecb.europa.eu/stats/eurofxref/eurofxref-hist.zip",
           "European Central Bank, euro reference rates", prefix="ecb."),
)


def chosen_sources(series: Sequence[str] = (), addresses: Sequence[str] = (), also: Sequence[str] = ()
                   ) -> tuple[Source, ...]:
    """The sources of an update.

    series : names of sources, FRED ids, ids of tables (``ecb.USD`` stands for its table); empty for all.
    addresses : NAME=URL.  also : FRED ids the store holds, asked for too when nothing is named.
    InputError with every name or address that is none.
    """
    problems = []
    by_name = {s.name: s for s in SOURCES}
    for text in addresses:
        name, _, url = text.partition("=")
        if name not in by_name:
            problems.append(Problem("unknown source", field="--source-url", got=name,
                                    accepted=suggest(name, tuple(by_name))))
        elif urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc:
            problems.append(Problem("not an address", field="--source-url", got=url or "nothing",
                                    accepted=f"{name}=https://…"))
        else:
            if by_name[name].series and "{series}" not in url:
                url += ("&" if "?" in url else "?") + "id={series}"
            by_name[name] = replace(by_name[name], url=url)
    wanted: dict[str, list[str]] = {}
    names = [n.strip() for text in series for n in text.split(",") if n.strip()]
    for name in names:
        table = next((s.name for s in SOURCES if s.prefix and name.startswith(s.prefix)), None)
        if name in by_name:
            wanted.setdefault(name, []).extend(by_name[name].series)
        elif table is not None:
            wanted.setdefault(table, [])
        elif name.isascii() and name.isalnum() and name.upper() == name and not name[0].isdigit():
            wanted.setdefault("fred", []).append(name)
        else:
            problems.append(
                Problem("neither a source nor a FRED id nor a series of a source", field="--series",
                                    got=name, accepted=suggest(name, (*by_name, *FRED_SERIES))))
    if problems:
        raise InputError(problems)
    if not names:
        fred = by_name["fred"]
        by_name["fred"] = replace(fred, series=tuple(dict.fromkeys((*fred.series, *also))))
        return tuple(by_name.values())
    return tuple(replace(by_name[n], series=tuple(dict.fromkeys(ids))) for n, ids in wanted.items())
