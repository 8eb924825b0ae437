"""From the bytes of a file to rows of text cells with their line numbers, whatever program saved it.

Encodings: UTF-8 with or without byte order mark, UTF-16 (with a mark, or recognised by its zero bytes), and
as a last resort the Windows code page 1252, with a remark.  Line ends: LF, CRLF, CR.  Separators: tab,
semicolon, comma, vertical bar, whichever most lines have.  An HTML page, a workbook, a PDF or another binary
is named as what it is.
"""

from __future__ import annotations

import csv
import html
import io
import re
import zipfile
from dataclasses import dataclass

from riskengine.data.readers.findings import Findings

MOST_BYTES = 200 * 2**20
"""Largest file that is read (as text, and inside a zip archive)."""
_BINARY = (
    (b"%PDF", "a PDF document"), (b"\xd0\xcf\x11\xe0", "an old Excel workbook (.xls)"),
    (b"\x89PNG", "a PNG picture"), (b"GIF8", "a GIF picture"), (b"\xff\xd8\xff", "a JPEG picture"),
    (b"\x1f\x8b", "a gzip archive"), (b"7z\xbc\xaf", "a 7z archive"), (b"\x7fELF", "a program"),
    (b"ARROW1", "an Arrow file"), (b"SQLite format 3", "an SQLite database"),
)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class RawTable:
    """Cells of a text file, stripped; ``lines[i]`` is the line on which row i ends (1 = first)."""

    rows: list[list[str]]
    lines: list[int]
    separator: str
    ends_whole: bool
    """The last line ends with a line break."""
    text: str


def unpack(content: bytes, findings: Findings) -> bytes:
    """*content* itself, or the only text file of a zip archive; InputError for anything that is not data."""
    if not content.strip():
        raise findings.stop("the file is empty")
    if len(content) > MOST_BYTES:
        raise findings.stop("the file is too large", got=f"{len(content):,} bytes",
                            accepted=f"at most {MOST_BYTES:,}")
    if content[:4] == b"PK\x03\x04":
        return _only_member(content, findings)
    for magic, kind in _BINARY:
        if content.startswith(magic):
            raise findings.stop(f"the file is {kind}, not a table", accepted="CSV, text or Parquet")
    return content


def _only_member(content: bytes, findings: Findings) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = [n for n in archive.namelist() if not n.endswith("/")]
            if any(n == "[Content_Types].xml" for n in names):
                raise findings.stop("the file is an Excel workbook (.xlsx), not a table of text",
                                    accepted="save it as CSV")
            tables = [n for n in names if n.lower().endswith((".csv", ".txt"))]
            if len(tables) != 1:
                raise findings.stop("a zip archive must hold one CSV or text file", got=", ".join(names[:6]))
            if archive.getinfo(tables[0]).file_size > MOST_BYTES:
                raise findings.stop("the file in the archive is too large", got=tables[0])
            return archive.read(tables[0])
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, OSError, ValueError) as error:
        raise findings.stop("the zip archive cannot be opened", got=error) from None


def decode(content: bytes, findings: Findings) -> str:
    """Text of *content* with LF line ends; InputError for binaries and HTML or JSON pages."""
    text = None
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding = "utf-16"
    elif content[:3] == b"\xef\xbb\xbf":
        encoding = "utf-8-sig"
    elif b"\0" in content[:512]:
        odd, even = content[1:512:2].count(0), content[0:512:2].count(0)
        encoding = "utf-16-le" if odd > 8 * even else "utf-16-be" if even > 8 * odd else ""
        if not encoding:
            raise findings.stop("the file is binary, not text", accepted="CSV, text or Parquet")
    else:
        encoding = "utf-8"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding.endswith(("le", "be")):
            raise findings.stop("the file is binary, not text", accepted="CSV, text or Parquet") from None
        if encoding != "utf-8":
            raise findings.stop(f"the file is not whole: its {encoding.upper()} text breaks off",
                                got=f"byte {error.start}") from None
        text = content.decode("cp1252", errors="replace")
        row = content[:error.start].count(b"\n") + 1
        findings.remark("not UTF-8; read as Windows code page 1252 (Latin-1)", row)
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    sample = text[:4096]
    if len(_CONTROL.findall(sample)) > max(2, len(sample) // 200):
        raise findings.stop("the file is binary, not text", accepted="CSV, text or Parquet")
    _refuse_pages(text, findings)
    return text


def _refuse_pages(text: str, findings: Findings) -> None:
    start = text[:4096].lstrip().lower()
    if start.startswith(("<!doctype html", "<html", "<head", "<body")) or "<html" in start[:1024]:
        title = re.search(r"<title[^>]*>(.*?)</title>", text[:20000], re.IGNORECASE | re.DOTALL)
        words = " ".join(html.unescape(title.group(1)).split()) if title else ""
        raise findings.stop("the file is a web page (HTML), not data: an error page saved in place of the "
                            "figures?", got=f"title '{words}'" if words else "",
                            accepted="the publisher's CSV or text file")
    if start.startswith("<?xml") or re.match(r"<[a-z][\w:]*[\s>]", start):
        raise findings.stop("the file is XML, not a table", accepted="CSV, text or Parquet")
    if start[:1] in "{[" and re.match(r"[\[{]\s*(\"|\{|\[|\]|\})", start):
        raise findings.stop("the file is JSON, not a table", got=" ".join(start[:80].split()),
                            accepted="CSV, text or Parquet")


def split_rows(text: str, findings: Findings) -> RawTable:
    """Rows of stripped cells. InputError when no separator is found or a quotation mark is never closed."""
    separator = _separator(text)
    if separator is None:
        raise findings.stop("no separator found: one column only", row=1, got=text[:60].split("\n")[0],
                            accepted="columns separated by comma, semicolon, tab or |")
    if '"' in text:
        reader = csv.reader(io.StringIO(text), delimiter=separator, strict=True, skipinitialspace=True)
        rows, lines = [], []
        try:
            for row in reader:
                rows.append([cell.strip() for cell in row])
                lines.append(reader.line_num)
        except csv.Error as error:
            raise findings.stop(f"the table cannot be split into cells: {error}", row=reader.line_num,
                                accepted="a closing quotation mark for every opening one") from None
    else:
        rows = [[cell.strip() for cell in line.split(separator)] for line in text.split("\n")]
        lines = list(range(1, len(rows) + 1))
    return RawTable(rows, lines, separator, text.endswith("\n"), text)


def _separator(text: str) -> str | None:
    """The separator most of the first lines have; a tab before a semicolon before a comma."""
    start = [line for line in text[:65536].split("\n")[:200] if line.strip()]
    counts = {s: sum(s in line for line in start) for s in "\t;,|"}
    for separator in "\t;|,":
        if counts[separator] * 2 > len(start):
            return separator
    best = max(counts, key=lambda s: counts[s])
    return best if counts[best] else None
