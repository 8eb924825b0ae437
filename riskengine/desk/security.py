"""Who may ask: the host check against DNS rebinding, the token of a desk bound elsewhere, headers of
every reply.

A desk bound to loopback answers only requests whose Host is loopback.  One bound elsewhere answers only
those that carry the token, once in the printed link (``?token=…``), then in a cookie.
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
from collections.abc import Sequence
from urllib.parse import parse_qsl, urlencode

import flask

COOKIE = "riskengine_desk"
MOST_BODY = 6_000_000
"""Bytes of one request: an upload of 2 MB as base64 with room for the state."""
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


def is_loopback(host: str) -> bool:
    """Is *host* an address of this machine alone?"""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def new_token() -> str:
    """256 random bits as text."""
    return secrets.token_urlsafe(32)


def guard(server: flask.Flask, host: str, port: int, token: str | None, script_hashes: Sequence[str]) -> None:
    """Put the checks before, and the headers after, every request.

    token : None on loopback.  script_hashes : of the inline scripts of the page, for its content policy.
    """
    names = {f"{name}:{port}" for name in LOOPBACK} | {f"[{host}]:{port}" if ":" in host
                                                       else f"{host}:{port}"}
    policy = "; ".join((
        "default-src 'self'", "script-src 'self' " + " ".join(script_hashes),
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:", "font-src 'self' data:", "connect-src 'self'", "object-src 'none'",
        "base-uri 'none'",
        "form-action 'none'", "frame-ancestors 'none'",
    ))
    server.config["MAX_CONTENT_LENGTH"] = MOST_BODY

    @server.before_request
    def check() -> flask.Response | None:
        request = flask.request
        if token is None:
            if request.host not in names:
                return _refuse(421, "This desk answers on loopback only; use the address it printed.")
        else:
            given = request.args.get("token")
            if given is not None and same(given, token):
                return _welcome(token)
            if not same(request.cookies.get(COOKIE, ""), token):
                return _refuse(403, "This desk needs the link that was printed when it was started.")
        origin = request.headers.get("Origin")
        if request.method not in ("GET", "HEAD") and origin is not None:
            if origin.partition("://")[2] != request.host:
                return _refuse(403, "Requests from other pages are refused.")
        return None

    @server.after_request
    def seal(response: flask.Response) -> flask.Response:
        response.headers["Content-Security-Policy"] = policy
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["X-Frame-Options"] = "DENY"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        if response.mimetype in ("text/html", "application/json"):
            response.headers["Cache-Control"] = "no-store"
        return response


def same(given: str, token: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), token.encode())


def _welcome(token: str) -> flask.Response:
    """Into the cookie, and off the address."""
    query = flask.request.query_string.decode("utf-8", "replace")
    rest = [(k, v) for k, v in parse_qsl(query) if k != "token"]
    response = flask.redirect("/" + ("?" + urlencode(rest) if rest else ""), 303)
    response.set_cookie(COOKIE, token, httponly=True, samesite="Strict")
    return response


def _refuse(status: int, words: str) -> flask.Response:
    return flask.Response(words + "\n", status, mimetype="text/plain")
