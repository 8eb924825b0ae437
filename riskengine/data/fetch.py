"""One document from one address, whole or not at all.

A document counts as received when the server said 200, the body has the length it announced, unpacks, is not
empty and is no HTML page.  Server errors (5xx, 408, 429), time-outs, broken connections and truncated bodies
are tried again after 0.5, 1, 2 … seconds (or what ``Retry-After`` asks for) until the attempts or the time
are used up; a refusal (4xx) or a page instead of data is not.  Proxies are those of the environment
(``https_proxy`` …).

Only http and https are spoken, to the addresses given and those they redirect to.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from riskengine.base.errors import RiskEngineError

ATTEMPTS = 4
BACKOFF = 0.5
"""Seconds before the second attempt; doubled before each further one."""
REQUEST_SECONDS = 30.0
"""Longest silence of a server, and longest single attempt times four."""
MOST_BYTES = 200_000_000
_CHUNK = 65_536
_AGAIN = (408, 425, 429, 500, 502, 503, 504)


class FetchError(RiskEngineError):
    """Why a document was not received, in words; ``unreachable``: no server answered at all."""

    def __init__(self, reason: str, *, again: bool = False, unreachable: bool = False,
                 wait: float | None = None):
        super().__init__(reason)
        self.reason, self.again, self.unreachable, self.wait = reason, again, unreachable, wait


@dataclass(slots=True)
class Patience:
    """What one update may take: attempts per document, seconds altogether, and the clock it looks at.

    seconds : from now on, for every document fetched with this object.
    """

    seconds: float = 600.0
    attempts: int = ATTEMPTS
    backoff: float = BACKOFF
    request_seconds: float = REQUEST_SECONDS
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _end: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self._end = self.clock() + self.seconds

    @property
    def left(self) -> float:
        """Seconds left, not below zero."""
        return max(self._end - self.clock(), 0.0)


def fetch(url: str, patience: Patience) -> bytes:
    """The body of *url*, unpacked when it was sent gzipped.  FetchError: what was wrong with the last try."""
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc:
        raise FetchError(f"not an http(s) address: {url}")
    error = FetchError("no time left")
    for attempt in range(patience.attempts):
        if patience.left <= 0:
            raise FetchError(f"time is up ({patience.seconds:g} s); last: {error.reason}"
                             if attempt else f"time was up ({patience.seconds:g} s) before it was asked for")
        try:
            return _once(url, patience)
        except FetchError as found:
            error = found
        if not error.again:
            raise error
        if attempt + 1 < patience.attempts:
            wait = error.wait if error.wait is not None else patience.backoff * 2**attempt
            if wait >= patience.left:
                raise FetchError(f"time is up ({patience.seconds:g} s); last: {error.reason}",
                                 unreachable=error.unreachable)
            patience.sleep(wait)
    raise FetchError(f"{error.reason} ({patience.attempts} attempts)", unreachable=error.unreachable)


def _once(url: str, patience: Patience) -> bytes:
    request = urllib.request.Request(url, headers={
        "User-Agent": "riskengine (data update)",
        "Accept": "text/csv, text/plain, application/zip, */*;q=0.5",
        "Accept-Encoding": "gzip"})
    silence = min(patience.request_seconds, max(patience.left, 0.1))
    try:
        with urllib.request.urlopen(request, timeout=silence) as reply:
            if reply.status != 200:  # 204 No Content, 206 a part, 202 not yet
                raise FetchError(f"the server answered {reply.status} {reply.reason or ''}".rstrip(),
                                 again=True)
            body = _read(reply, patience)
            packed = (reply.headers.get("Content-Encoding") or "").strip().lower()
            kind = (reply.headers.get("Content-Type") or "").split(";")[0].strip().lower()
    except urllib.error.HTTPError as error:
        words = str(error.reason or "").split("\n")[0]  # a redirect without end says so in several lines
        status = f"the server answered {error.code} {words}".rstrip()
        raise FetchError(status, again=error.code in _AGAIN, wait=_retry_after(error)) from None
    except (TimeoutError, socket.timeout):
        raise FetchError(f"no answer within {silence:g} s", again=True) from None
    except urllib.error.URLError as error:
        raise _unreachable(error.reason, silence) from None
    except http.client.IncompleteRead as error:
        raise FetchError(f"truncated: {len(error.partial):,} bytes came, then the connection ended",
                         again=True) from None
    except (http.client.HTTPException, ConnectionError, ssl.SSLError, OSError) as error:
        raise FetchError(f"the connection broke: {type(error).__name__}: {error}", again=True) from None
    except ValueError as error:  # a redirect to something that is no address
        raise FetchError(f"not an address: {error}") from None
    body = _unpack(body, packed)
    if not body.strip():
        raise FetchError("the body is empty", again=True)
    if looks_like_html(body, kind):
        raise FetchError(f"an HTML page came instead of data: {_title(body)}")
    return body


def _read(reply, patience: Patience) -> bytes:
    """The body in pieces, against the clock; FetchError when shorter than announced or endless."""
    announced = reply.headers.get("Content-Length")
    begun, parts, size = patience.clock(), [], 0
    while piece := reply.read1(_CHUNK):  # what is there now: a full read would wait out a drip, clock unseen
        parts.append(piece)
        size += len(piece)
        if size > MOST_BYTES:
            raise FetchError(f"more than {MOST_BYTES:,} bytes: not a series")
        if patience.left <= 0 or patience.clock() - begun > 4 * patience.request_seconds:
            raise FetchError(f"too slow: {size:,} bytes in {patience.clock() - begun:.0f} s", again=True)
    if announced is not None and announced.strip().isdigit() and size != int(announced):
        raise FetchError(f"truncated: {size:,} of {int(announced):,} bytes came", again=True)
    return b"".join(parts)


def _unpack(body: bytes, packed: str) -> bytes:
    if packed in ("", "identity"):
        return body
    if packed not in ("gzip", "x-gzip", "deflate"):
        raise FetchError(f"packed in a way that was not asked for: {packed}")
    try:
        return _inflate(body)
    except (EOFError, zlib.error) as error:
        raise FetchError(f"truncated or damaged: it does not unpack ({error})", again=True) from None


def _inflate(body: bytes) -> bytes:
    """gzip (one member after another) or zlib; FetchError beyond MOST_BYTES, EOFError when the end is
    missing."""
    parts, size = [], 0
    while body:
        machine = zlib.decompressobj(zlib.MAX_WBITS | 32)
        parts.append(machine.decompress(body, MOST_BYTES + 1 - size))
        size += len(parts[-1])
        if size > MOST_BYTES:
            raise FetchError(f"it unpacks to more than {MOST_BYTES:,} bytes: not a series")
        if not machine.eof:
            raise EOFError("the end is missing")
        body = machine.unused_data.lstrip(b"\0")  # padding
    return b"".join(parts)


def looks_like_html(body: bytes, kind: str = "") -> bool:
    """True for a web page: declared as one, or beginning like one (behind blanks, a byte order mark …)."""
    start = body[:2048].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return start.startswith((b"<!doctype html", b"<html", b"<head", b"<body", b"<?xml-stylesheet")) or (
        kind in ("text/html", "application/xhtml+xml") and b"<" in start[:1]) or b"<html" in start


def _title(body: bytes) -> str:
    """What the page calls itself, shortened."""
    text = body[:4096].decode("utf-8", "replace")
    low = text.lower()
    if "<title>" in low and "</title>" in low:
        inner = text[low.index("<title>") + 7:low.index("</title>")]
        return "'" + " ".join(inner.split())[:80] + "'"
    return "without a title"


def _unreachable(reason: object, silence: float) -> FetchError:
    if isinstance(reason, (TimeoutError, socket.timeout)):
        return FetchError(f"no answer within {silence:g} s", again=True, unreachable=True)
    if isinstance(reason, socket.gaierror):
        return FetchError("the name of the server cannot be resolved: no network, or a proxy is needed "
                          "(https_proxy)", unreachable=True)
    if isinstance(reason, ConnectionRefusedError):
        return FetchError("the connection was refused (by the server or the proxy)", again=True,
                          unreachable=True)
    if isinstance(reason, ssl.SSLCertVerificationError):
        return FetchError(f"its certificate is not trusted: {reason.verify_message} (behind a proxy that "
                          "re-encrypts, set SSL_CERT_FILE)", unreachable=True)
    if isinstance(reason, OSError):
        tunnel = "tunnel" in str(reason).lower()
        return FetchError(f"the proxy refused: {reason}" if tunnel else f"no connection: {reason}",
                          again=not tunnel, unreachable=True)
    return FetchError(f"no connection: {reason}", unreachable=True)


def _retry_after(error: urllib.error.HTTPError) -> float | None:
    value = (error.headers.get("Retry-After") or "").strip() if error.headers else ""
    return float(value) if value.isdigit() else None
