"""The Dash application and its server."""

from __future__ import annotations

import errno
import logging
import socket
import threading
import webbrowser

from dash import Dash
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from riskengine.base.errors import InputError, Problem
from riskengine.desk.answers import answer_question
from riskengine.desk.callbacks import register
from riskengine.desk.layout import make_layout
from riskengine.desk.rooms import Rooms
from riskengine.desk.security import guard, is_loopback, new_token

_PAGE = """<!DOCTYPE html>
<html lang="en" data-theme="dark">
<head>{%metas%}<title>{%title%}</title>{%favicon%}{%css%}</head>
<body>{%app_entry%}<footer>{%config%}{%scripts%}{%renderer%}</footer></body>
</html>"""


class _Quiet(WSGIRequestHandler):
    """Keeps connections open (a dragged knob asks often) and logs nothing but errors."""

    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing: addresses may hold a link."""


def make_app(rooms: Rooms, host: str = "127.0.0.1", port: int = 8050, token: str | None = None) -> Dash:
    """The page with its checks; *token*: needed by every request when given."""
    app = Dash(
        __name__, title="riskengine desk", update_title="", serve_locally=True, index_string=_PAGE,
        assets_folder="assets", add_log_handler=False, suppress_callback_exceptions=False,
        meta_tags=[{"name": "viewport", "content": "width=device-width, initial-scale=1"}],
    )
    app.layout = lambda: make_layout(rooms)
    register(app, rooms)
    guard(app.server, host, port, token, app.csp_hashes())
    return app


def open_server(rooms: Rooms, host: str, port: int) -> tuple[BaseWSGIServer, str]:
    """(server, address to open).  port 0: any free one.  InputError when the port is taken."""
    token = None if is_loopback(host) else new_token()
    try:
        if port == 0:
            with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
                probe.bind((host, 0))
                port = probe.getsockname()[1]
        app = make_app(rooms, host, port, token)
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
        server = make_server(host, port, app.server, threaded=True, request_handler=_Quiet)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise InputError(Problem("the port is in use", field="--port", got=str(port),
                                     accepted="another --port, or 0 for any free one")) from None
        raise InputError(Problem("cannot listen there", field="--host", got=f"{host}:{port}",
                                 accepted=str(error.strerror))) from None
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    shown = socket.gethostname() if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host
    return server, f"http://{shown}:{port}/" + (f"?token={token}" if token else "")


def serve(rooms: Rooms, host: str = "127.0.0.1", port: int = 8050, browser: bool = True) -> None:
    """Print the address, open the browser, serve until interrupted."""
    server, address = open_server(rooms, host, port)
    print(f"riskengine desk on {address}  (Ctrl-C ends it)", flush=True)
    warm = threading.Thread(target=_warm, args=(rooms,), daemon=True)
    warm.start()
    if browser:
        threading.Timer(0.3, webbrowser.open, (address,)).start()
    try:
        server.serve_forever()
    finally:
        server.server_close()


def _warm(rooms: Rooms) -> None:
    """Hold both sessions before the first question comes; what is wrong is told when it does."""
    answer_question(rooms, {"state": {}})
