"""The resident process: started on demand, one at a time, safe against others, garbage and stale sockets; same bits."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import struct
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from riskengine.base.errors import InputError, ModelError
from riskengine.execution import Serial
from riskengine.resident.request import WhatIfRequest
from riskengine.workflows import resident_process
from riskengine.workflows.resident_process import (
    Unreachable, ask, code_hash, receive, resident_status, runtime_folder, send, socket_path, stop_resident,
)
from riskengine.workflows.resident_server import Server
from riskengine.workflows.questions import answer_question
from riskengine.workflows.what_if import SessionPool, Setup

pytestmark = pytest.mark.skipif(not hasattr(socket, "SO_PEERCRED"), reason="Unix sockets with peer credentials")
QUESTION = {"scenario": "fed_response", "trades": ["buy 250m UST 10Y"], "detail": False}


@pytest.fixture(scope="module")
def runtime(tmp_path_factory):
    """A runtime folder of its own, short enough for a socket, whose process ends with the module."""
    import shutil
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="re-"))
    patch = pytest.MonkeyPatch()
    patch.setenv("XDG_RUNTIME_DIR", str(folder))
    yield folder
    stop_resident()
    patch.undo()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def server(runtime, tmp_path, monkeypatch):
    """A server in a thread of this process whose answers are canned."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="re-") as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        made = Server(socket_path(), _echo, lambda: ["held"], code_hash(), idle=30.0)
        thread = threading.Thread(target=made.run, daemon=True)
        thread.start()
        _until(lambda: resident_status()["running"])
        yield made
        made.stop()
        thread.join(5)
        assert not thread.is_alive()


def _echo(message):
    if message["op"] != "what_if":
        return {"answer": message["question"]}
    setup, requests = message["setup"], message["requests"]
    if requests[0] == "wrong":
        raise InputError("told so")
    if requests[0] == "defect":
        raise ZeroDivisionError("oops")
    if requests[0] == "slow":
        time.sleep(0.3)
    return {"answers": [{"setup": setup, "request": r} for r in requests]}


def _until(true, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.02)


def without_clock(answer):
    return {k: v for k, v in answer.items() if k not in ("seconds", "seconds_solving")}


def _raw(data: bytes, read: bool = True):
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(os.fspath(socket_path()))
        client.sendall(data)
        return receive(client) if read else None


# ---------------------------------------------------------------- the process itself
def test_it_starts_on_demand_gives_the_same_bits_and_is_asked_again(runtime):
    setup = {"paths": 512}
    assert resident_status()["running"] is False
    code = code_hash()
    first = ask({"op": "what_if", "setup": setup, "requests": [QUESTION]})
    again = ask({"op": "what_if", "setup": setup, "requests": [QUESTION, QUESTION]})
    assert again["pid"] == first["pid"] or code_hash() != code, "only an edited program may replace the process"
    assert again["pid"] != os.getpid() and len(again["answers"]) == 2
    want = SessionPool(Serial()).answer(Setup(paths=512), [WhatIfRequest.from_json(QUESTION)])[0]
    for found in (first["answers"][0], *again["answers"]):
        assert {**found, "seconds": 0} == {**want, "seconds": 0}
    status = resident_status()
    assert status["running"] and status["pid"] == again["pid"] and "512 paths" in status["held"][0]


def test_reverse_stress_and_hedges_have_the_same_bits_as_without_it(runtime):
    setup = {"paths": 1024}
    questions = {
        "reverse": {"lose": "100m", "horizon": "13w", "top": 2, "desk": None, "quantile": None},
        "hedge": {"instruments": "UST 10Y, ES", "request": {"scenario": "dollar_minus_10"}, "measure": "es"},
    }
    for operation, question in questions.items():
        message = {"op": operation, "setup": setup, "question": question}
        found, again = ask(message)["answer"], ask(message)["answer"]
        want = json.loads(json.dumps(answer_question(SessionPool(Serial()), message)))["answer"]
        assert without_clock(found) == without_clock(again) == without_clock(want)
    assert "in_sample" in want and want["out_of_sample"]["seed"] == want["seed"] + 1


@pytest.mark.parametrize(("operation", "question", "message"), [
    ("reverse", {"lose": "banana"}, "banana"), ("reverse", {}, "is missing"),
    ("reverse", {"lose": "5m", "top": "three"}, "must be int"), ("reverse", {"lose": "5m", "loose": 1}, "unknown key"),
    ("hedge", {"instruments": "5 eggs, 6 eggs"}, "2 problems|eggs"), ("hedge", [], "an object"),
    ("hedge", {"instruments": "ES", "check": 1}, "must be bool"),
])
def test_a_wrong_stress_question_is_answered_with_its_problems(runtime, operation, question, message):
    with pytest.raises(InputError, match=message):
        ask({"op": operation, "setup": {"paths": 512}, "question": question})


def test_an_interrupted_client_leaves_the_process_usable(runtime):
    pid = ask({"op": "status"})["pid"]
    line = [sys.executable, "-m", "riskengine", "reverse", "--lose", "77m"]
    client = subprocess.Popen(line, cwd=Path(__file__).resolve().parents[2], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)
    _until(lambda: ask({"op": "status"})["answering"] == 1, 60)
    client.send_signal(signal.SIGINT)
    _, errors = client.communicate(timeout=20)
    assert client.returncode == 130 and "interrupted" in errors and "Traceback" not in errors
    assert ask({"op": "what_if", "setup": {"paths": 512}, "requests": [QUESTION]})["pid"] == pid


def test_socket_and_folder_are_the_user_s_alone(runtime):
    ask({"op": "status"})
    assert stat.S_IMODE(os.stat(socket_path()).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(runtime_folder()).st_mode) == 0o700


def test_a_wrong_question_is_answered_with_its_problems(runtime):
    bad = {**QUESTION, "trades": ["buy 5 eggs"]}
    with pytest.raises(InputError, match="eggs"):
        ask({"op": "what_if", "setup": {"paths": 512}, "requests": [bad]})
    with pytest.raises(InputError, match="unknown key"):
        ask({"op": "what_if", "setup": {"pathz": 512}, "requests": [QUESTION]})
    with pytest.raises(ModelError, match="1 to 100"):
        ask({"op": "what_if", "setup": {}, "requests": []})


def test_after_kill_9_the_stale_socket_is_replaced(runtime):
    pid = ask({"op": "status"})["pid"]
    os.kill(pid, signal.SIGKILL)
    _until(lambda: not _alive(pid))
    assert socket_path().exists()
    fresh = ask({"op": "status"})
    assert fresh["pid"] != pid


def test_of_several_started_at_once_one_stays(runtime):
    stop_resident()
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: ask({"op": "status"})["pid"], range(4)))
    assert len(set(found)) == 1


def test_it_leaves_when_idle_and_when_told(runtime):
    stop_resident()
    assert stop_resident() is False
    child = subprocess.Popen([sys.executable, "-m", "riskengine.workflows.resident_server", "--idle", "0.3"],
                             cwd=Path(__file__).resolve().parents[2])
    assert child.wait(30) == 0
    assert not socket_path().exists()
    ask({"op": "status"})
    assert stop_resident() is True and not socket_path().exists()


def _alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z"


# ---------------------------------------------------------------- the protocol, against a server of this process
@pytest.mark.parametrize("garbage", [
    b"GET / HTTP/1.1\r\n\r\n", struct.pack(">I", 5) + b"hello", struct.pack(">I", 2) + b"[]", struct.pack(">I", 0),
    struct.pack(">I", 0xFFFFFFFF), struct.pack(">I", 4) + b"\xff\xfe\x00\x00",
    struct.pack(">I", 60000) + b"[" * 60000,
])
def test_garbage_costs_its_own_connection_only(server, garbage):
    try:
        reply = _raw(garbage)
    except (ConnectionError, TimeoutError):
        reply = None
    assert reply is None or "error" in reply
    assert ask({"op": "what_if", "setup": {}, "requests": ["x"]}, start=False)["answers"][0]["request"] == "x"


def test_a_client_that_hangs_up_in_the_middle_harms_nobody(server):
    _raw(struct.pack(">I", 100) + b"half", read=False)
    question = json.dumps({"op": "what_if", "code": code_hash(), "setup": {}, "requests": ["slow"]}).encode()
    _raw(struct.pack(">I", len(question)) + question, read=False)
    assert ask({"op": "what_if", "setup": {}, "requests": ["y"]}, start=False)["answers"]


def test_several_clients_at_once(server):
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: ask({"op": "what_if", "setup": {"n": n}, "requests": ["slow"]}, start=False),
                              range(8)))
    assert [f["answers"][0]["setup"]["n"] for f in found] == list(range(8))


def test_errors_of_the_answering_side_reach_the_asking_side(server):
    with pytest.raises(InputError, match="told so"):
        ask({"op": "what_if", "setup": {}, "requests": ["wrong"]}, start=False)
    with pytest.raises(ModelError, match="ZeroDivisionError"):
        ask({"op": "what_if", "setup": {}, "requests": ["defect"]}, start=False)
    with pytest.raises(ModelError, match="unknown operation"):
        ask({"op": "dance"}, start=False)


def test_a_long_question_is_finished_by_a_process_that_leaves(server):
    with ThreadPoolExecutor(1) as pool:
        long = pool.submit(ask, {"op": "what_if", "setup": {}, "requests": ["slow"]}, start=False)
        _until(lambda: server._active > 0)
        server.stop()
        _until(lambda: not socket_path().exists())
        second = Server(server.path, _echo, list, code_hash(), idle=0.05)  # another starts meanwhile
        assert second.run() is True
        assert long.result(5)["answers"][0]["request"] == "slow"


def test_the_client_waits_as_long_as_it_takes(server, monkeypatch):
    waits = []
    plain = socket.socket.settimeout
    monkeypatch.setattr(socket.socket, "settimeout", lambda self, s: (waits.append(s), plain(self, s))[1])
    ask({"op": "reverse", "setup": {}, "question": {"a": 1}}, start=False)
    assert None in waits


def test_other_code_makes_the_process_leave(server, monkeypatch):
    monkeypatch.setattr(resident_process, "code_hash", lambda: "0" * 16)
    with pytest.raises(Unreachable):
        ask({"op": "what_if", "setup": {}, "requests": ["x"]}, start=False)
    _until(lambda: not socket_path().exists())


def test_a_second_server_gives_way(server):
    assert Server(server.path, _echo, list, "x").run() is False
    assert resident_status()["running"]


def test_another_user_is_not_served(server, monkeypatch):
    import riskengine.workflows.resident_server as module

    monkeypatch.setattr(module, "peer_user", lambda _: os.getuid() + 1)
    with pytest.raises(Unreachable):
        ask({"op": "what_if", "setup": {}, "requests": ["x"]}, start=False)


@pytest.mark.parametrize(("mode", "what"), [(0o755, "open to others"), (0o770, "open to others")])
def test_a_folder_open_to_others_is_refused(tmp_path, monkeypatch, mode, what):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "riskengine").mkdir(mode=0o700)
    (tmp_path / "riskengine").chmod(mode)
    with pytest.raises(Unreachable, match=what):
        runtime_folder()


def test_a_folder_of_somebody_else_or_a_link_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "riskengine").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Unreachable, match="does not belong"):
        runtime_folder()
    (tmp_path / "riskengine").unlink()
    (tmp_path / "riskengine").mkdir(mode=0o700)
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    with pytest.raises(Unreachable, match="does not belong"):
        runtime_folder()


def test_without_a_runtime_folder_the_temporary_one_serves(tmp_path, monkeypatch):
    import tempfile

    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    assert runtime_folder() == tmp_path / f"riskengine-{os.getuid()}"


def test_messages_have_a_limit(monkeypatch):
    left, right = socket.socketpair()
    with left, right:
        send(left, {"a": "ä"})
        assert receive(right) == {"a": "ä"}
        monkeypatch.setattr(resident_process, "MOST_BYTES", 10)
        with pytest.raises(InputError, match="too long"):
            send(left, {"a": "x" * 100})
        left.sendall(struct.pack(">I", 11))
        with pytest.raises(ValueError, match="at most"):
            receive(right, 10)


def test_the_client_needs_neither_numpy_nor_pydantic():
    code = ("import sys, riskengine.cli.what_if, riskengine.workflows.resident_process\n"
            "print([m for m in ('numpy', 'polars', 'numba') if m in sys.modules])")
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).resolve().parents[2], capture_output=True,
                          text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr
