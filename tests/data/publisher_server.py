"""A loopback server that replays publishers' layouts and, when told to, misbehaves."""

from __future__ import annotations

import gzip
import http.server
import io
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

HTML = b"<!DOCTYPE html><html><head><title>Service unavailable</title></head><body>sorry</body></html>"
SLT = """Table 1: U.S. Long-Term Securities Held by Foreign Residents
Millions of dollars
\t\t\tTotal U.S. Securities\tTotal U.S. Securities\tTotal U.S. Securities\tU.S. Treasuries\tU.S. Treasuries\tU.S. Treasuries
Country\tCountry Code\tDate\tHoldings\tNet U.S. Sales\tValuation Change\tHoldings\tNet U.S. Sales\tValuation Change
country\tcountry_code\tdate\tfor_lt_total_pos\tfor_lt_total_net\tfor_lt_total_valchg\tfor_lt_treas_pos\tfor_lt_treas_net\tfor_lt_treas_valchg
"""


@dataclass
class Publishers:
    """What the server says. answers : path or FRED id → bytes or a function of the handler."""

    answers: dict[str, bytes | Callable] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    base: str = ""

    def addresses(self) -> list[str]:
        """The --source-url of every source."""
        return [f"fred={self.base}/fred", f"tic_slt={self.base}/slt_table1.txt",
                f"tic_holders={self.base}/slt_table5.txt", f"ecb={self.base}/eurofxref-hist.zip"]


@contextmanager
def publishers() -> Iterator[Publishers]:
    """The server, for the length of a with block."""
    state = Publishers()

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            split = urlsplit(self.path)
            name = parse_qs(split.query).get("id", [split.path.strip("/")])[0]
            state.asked.append(name)
            answer = state.answers.get(name)
            if answer is None:
                self.send_error(404)
            elif callable(answer):
                answer(self)
            else:
                send(self, answer)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.base = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()


def send(handler, body: bytes, status: int = 200, length: int | None = -1, **headers: str) -> None:
    """An answer; length : announced, -1 for the true one, None for none."""
    handler.send_response(status)
    if length is not None:
        handler.send_header("Content-Length", str(len(body) if length == -1 else length))
    for key, value in headers.items():
        handler.send_header(key.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def truncated(body: bytes) -> Callable:
    """Announces all of *body* and sends two thirds of it."""
    return lambda handler: send(handler, body[:2 * len(body) // 3], length=len(body))


def packed(body: bytes) -> Callable:
    """Sent gzipped."""
    return lambda handler: send(handler, gzip.compress(body), Content_Encoding="gzip")


def packed_and_cut(body: bytes) -> Callable:
    """Sent gzipped, the end of the packed body missing although the length agrees."""
    return lambda handler: send(handler, gzip.compress(body)[:-20], Content_Encoding="gzip")


def page(handler) -> None:
    """A web page with status 200."""
    send(handler, HTML, Content_Type="text/html; charset=utf-8")


def slow(handler) -> None:
    """Sends a byte now and then and never ends by itself."""
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    for _ in range(100):
        try:
            handler.wfile.write(b"o")
            handler.wfile.flush()
        except OSError:
            return
        time.sleep(0.05)


def failing(times: int, then: bytes, status: int = 503) -> Callable:
    """Answers *status* the first *times*, then the body."""
    count = [0]

    def answer(handler) -> None:
        count[0] += 1
        if count[0] <= times:
            send(handler, b"later", status)
        else:
            send(handler, then)

    return answer


def zipped(text: str, name: str = "eurofxref-hist.csv") -> bytes:
    """A zip archive with one file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, text)
    return buffer.getvalue()
