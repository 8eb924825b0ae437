"""Who may ask: loopback by name only, a token elsewhere, one message where the desk cannot start."""

from __future__ import annotations

import socket
import sys

import pytest

pytest.importorskip("dash", reason="the extra 'desk' is not installed")

from riskengine.base.errors import InputError
from riskengine.desk.answers import ALIVE, PLACE
from riskengine.desk.app import make_app, open_server
from riskengine.desk.security import COOKIE, MOST_BODY, is_loopback, new_token


@pytest.fixture(scope="module")
def local(rooms):
    return make_app(rooms, "127.0.0.1", 8050).server.test_client()


def test_loopback_answers_under_its_own_names_only(local):
    assert local.get("/", headers={"Host": "127.0.0.1:8050"}).status_code == 200
    assert local.get("/", headers={"Host": "localhost:8050"}).status_code == 200
    for host in ("evil.example:8050", "127.0.0.1:9999", "127.0.0.1.evil.example:8050"):
        assert local.get("/", headers={"Host": host}).status_code == 421


def test_headers_of_every_reply(local):
    reply = local.get("/", headers={"Host": "127.0.0.1:8050"})
    policy = reply.headers["Content-Security-Policy"]
    assert "script-src 'self' 'sha256-" in policy and "unsafe-eval" not in policy and "http" not in policy
    assert reply.headers["X-Frame-Options"] == "DENY" and reply.headers["Referrer-Policy"] == "no-referrer"
    page = reply.get_data(as_text=True)
    assert "<script src=\"http" not in page and "href=\"http" not in page  # everything comes from here


def test_other_pages_cannot_ask_and_large_bodies_are_refused(local):
    where = {"Host": "127.0.0.1:8050"}
    reply = local.post("/_dash-update-component", json={}, headers={**where, "Origin": "http://evil.example"})
    assert reply.status_code == 403
    reply = local.post("/_dash-update-component", data=b"x" * (MOST_BODY + 1), headers=where,
                       content_type="application/json")
    assert reply.status_code == 413


@pytest.mark.parametrize("body, kind, status, words", [
    (b"[" * 90_000 + b"]" * 90_000, "application/json", 400, "cannot be read"),
    (b"\xff", "application/json", 400, "read"),
    (b"{}" + b" " * 300_000, "application/json", 413, "at most"), (b"{}", "text/plain", 413, "is JSON"),
    (b"3", "application/json", 200, "object"),
    (b'{"state": {"constructor": 1}}', "application/json", 200, "unknown key"),
    (b'{"state": {"knobs": {"wht_rate": NaN}}}', "application/json", 200, "number"),
])
def test_questions_that_are_none(local, body, kind, status, words):
    reply = local.post(PLACE, data=body, headers={"Host": "127.0.0.1:8050"}, content_type=kind)
    assert reply.status_code == status and words in reply.get_json()["problems"][0]
    assert reply.headers["Cache-Control"] == "no-store"


def test_questions_of_other_pages_are_refused(local):
    reply = local.post(PLACE, json={"state": {}},
                       headers={"Host": "127.0.0.1:8050", "Origin": "http://evil.example"})
    assert reply.status_code == 403
    assert local.post(PLACE, json={"state": {}}, headers={"Host": "evil.example"}).status_code == 421
    assert local.get(ALIVE, headers={"Host": "127.0.0.1:8050"}).status_code == 204


def test_a_token_is_needed_elsewhere(rooms):
    token = new_token()
    client = make_app(rooms, "0.0.0.0", 8050, token).server.test_client()
    assert client.get("/").status_code == 403
    assert client.get("/?token=wrong").status_code == 403
    assert client.post(PLACE, json={"state": {}}).status_code == 403
    assert client.get("/assets/a_state.js").status_code == 403
    welcome = client.get(f"/?token={token}")
    assert welcome.status_code == 303 and token not in welcome.headers["Location"]
    assert "HttpOnly" in welcome.headers["Set-Cookie"] and "SameSite=Strict" in welcome.headers["Set-Cookie"]
    assert client.get("/").status_code == 200
    client.delete_cookie(COOKIE)
    client.set_cookie(COOKIE, "é" * 10)
    assert client.get("/").status_code == 403


def test_what_is_loopback():
    assert all(map(is_loopback, ("127.0.0.1", "localhost", "::1", "127.0.0.5")))
    assert not any(map(is_loopback, ("0.0.0.0", "192.168.1.2", "example.org", "::")))


def test_a_port_in_use_is_one_line(rooms):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(InputError, match="port is in use"):
            open_server(rooms, "127.0.0.1", taken.getsockname()[1])


def test_without_the_extra_the_command_says_what_to_install(monkeypatch):
    from riskengine.workflows.desk import desk_server

    monkeypatch.setitem(sys.modules, "dash", None)
    monkeypatch.delitem(sys.modules, "riskengine.desk.app", raising=False)
    monkeypatch.delitem(sys.modules, "riskengine.desk.callbacks", raising=False)
    with pytest.raises(InputError, match=r"riskengine\[desk\]"):
        desk_server()
