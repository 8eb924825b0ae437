"""The resident process: one per user and installation, holding compiled worlds, asked over a Unix socket.

A message is a 4-byte big-endian length and that many bytes of JSON, at most MOST_BYTES.  A question names the
hash of the program that asks; a process of other code answers ``stale``, leaves, and a new one is started.
Everything else an answer depends on (configuration, portfolio, data store) is hashed by ``workflows.what_if``
at every question, so a changed file means a newly built world.

Safety: the socket lies in the user's runtime folder ($XDG_RUNTIME_DIR, else a folder of mode 700 in the
temporary folder, refused unless it belongs to the user and nobody else may write), has mode 600, and the
peer's user id is checked.  Clients start one process between them (a lock file), and a second lock leaves one
of two processes started at the same moment by other means.  A client
that hangs up, sends garbage or too much costs its own connection only.  Standard library only, so that asking is quick;
numpy is loaded by the process that answers.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from riskengine.base.errors import InputError, ModelError, Problem, RiskEngineError

try:
    import fcntl
except ImportError:  # no Unix sockets there either: runtime_folder says so before a lock is needed
    fcntl = None

MOST_BYTES = 32 * 1024 * 1024
"""Of one message."""
IDLE_SECONDS = 15 * 60.0
START_SECONDS = 60.0
"""How long a client waits for a process it has started to listen."""
FOLDERS = ("HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "RISKENGINE_CACHE", "NUMBA_CACHE_DIR")
"""Environment variables that say where data and caches lie: a process serves those who have the same."""
MESSAGE_SECONDS = 10.0
"""A client that starts a message must finish it within this time."""


class Unreachable(RiskEngineError):
    """No resident process can be used here; the caller answers by itself."""


# ---------------------------------------------------------------- where it listens, what it is
def runtime_folder() -> Path:
    """The user's runtime folder, made if needed; Unreachable when it is not the user's own."""
    if not hasattr(os, "getuid") or not hasattr(socket, "AF_UNIX"):
        raise Unreachable("no Unix sockets on this platform")
    chosen = os.environ.get("XDG_RUNTIME_DIR")
    folder = Path(chosen) / "riskengine" if chosen and Path(chosen).is_dir() else (
        Path(tempfile.gettempdir()) / f"riskengine-{os.getuid()}")
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise Unreachable(f"{folder} cannot be used: {error.strerror}") from None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise Unreachable(f"{folder} does not belong to this user")
    if found.st_mode & 0o077:
        raise Unreachable(f"{folder} is open to others (mode {stat.S_IMODE(found.st_mode):o}; must be 700)")
    return folder


def socket_path() -> Path:
    """One socket per installation, interpreter and set of the user's folders."""
    here = Path(__file__).resolve().parents[1]
    folders = [os.environ.get(name, "") for name in FOLDERS]
    name = hashlib.sha256("\0".join((str(here), sys.prefix, sys.version, *folders)).encode()).hexdigest()[:16]
    path = runtime_folder() / f"{name}.sock"
    if len(os.fsencode(path)) > 100:
        raise Unreachable(f"{path} is too long for a socket")
    return path


def code_hash() -> str:
    """16 hex digits over every source file of riskengine and factors, kernels included."""
    digest = hashlib.sha256()
    package = Path(__file__).resolve().parents[1]
    for root in (package, package.parent / "factors"):
        for file in sorted(root.rglob("*.py")):
            digest.update(str(file.relative_to(root)).encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


# ---------------------------------------------------------------- messages
def send(connection: socket.socket, message: dict) -> None:
    """One message; InputError when it is too long."""
    body = json.dumps(message, ensure_ascii=False, allow_nan=False).encode()
    if len(body) > MOST_BYTES:
        raise InputError(Problem("message too long", got=f"{len(body):,} bytes",
                                 accepted=f"at most {MOST_BYTES:,}"))
    connection.sendall(struct.pack(">I", len(body)) + body)


def receive(connection: socket.socket, most: int = MOST_BYTES) -> dict | None:
    """The next message, None when the peer has hung up; ValueError for anything that is not one."""
    head = _read(connection, 4)
    if head is None:
        return None
    (length,) = struct.unpack(">I", head)
    if not 0 < length <= most:
        raise ValueError(f"a message of {length:,} bytes; at most {most:,}")
    body = _read(connection, length)
    if body is None:
        return None
    message = json.loads(body)
    if not isinstance(message, dict):
        raise ValueError("a message is an object")
    return message


def _read(connection: socket.socket, count: int) -> bytes | None:
    parts = bytearray()
    while len(parts) < count:
        part = connection.recv(min(count - len(parts), 1 << 20))
        if not part:
            return None
        parts += part
    return bytes(parts)


def problems_of(reply: dict) -> InputError:
    """The error a reply carries."""
    return InputError([Problem(**p) for p in reply["problems"]])


# ---------------------------------------------------------------- the client's side
def ask(message: dict, start: bool = True, wait: float | None = None) -> dict:
    """The reply of the resident process, started when there is none and *start*.

    wait : seconds for the reply; None: as long as it takes (a process that dies hangs up, and a question may be
    abandoned at any time: the process finishes it and serves the next).

    Raises
    ------
    Unreachable : no process and none can be started.  InputError, ModelError : what the process answered.
    """
    path, code = socket_path(), code_hash()
    message = {**message, "code": code}
    for _attempt in range(3):
        with _connected(path, start) as connection:
            connection.settimeout(wait)
            try:
                send(connection, message)
                reply = receive(connection)
            except (ConnectionResetError, BrokenPipeError):
                reply = None  # it was just leaving
            except (OSError, ValueError) as error:
                raise Unreachable(f"the resident process does not answer: {error}") from None
        if reply is None or reply.get("stale"):
            _wait_until_gone(path)
            if not start:
                raise Unreachable("the resident process is leaving" if reply is None else
                                  "the resident process is of another version of the program")
            continue
        if "problems" in reply:
            raise problems_of(reply)
        if "error" in reply:
            raise ModelError(reply["error"])
        return reply
    raise Unreachable("the resident process leaves as soon as it is asked")


@contextmanager
def _connected(path: Path, start: bool) -> Iterator[socket.socket]:
    connection = _connect(path)
    if connection is None:
        if not start:
            raise Unreachable("no resident process is running")
        connection = _start(path)
    with connection:
        yield connection


def _connect(path: Path) -> socket.socket | None:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(5.0)
    try:
        connection.connect(os.fspath(path))
        if peer_user(connection) not in (None, os.getuid()):
            raise Unreachable("the process behind the socket belongs to somebody else")
        return connection
    except (FileNotFoundError, ConnectionRefusedError):
        connection.close()
        return None
    except OSError as error:
        connection.close()
        raise Unreachable(f"the resident process does not answer: {error}") from None


def _start(path: Path) -> socket.socket:
    """Start a process and connect to it.  One client starts, the others wait for what it started: a second
    process, late to find the first one serving, would outlive a ``stop`` of the first."""
    deadline = time.monotonic() + START_SECONDS
    child, ours = None, False
    with open(path.with_suffix(".start"), "ab") as starting:
        os.chmod(path.with_suffix(".start"), 0o600)
        while time.monotonic() < deadline:
            if not ours:
                with suppress(BlockingIOError):
                    fcntl.flock(starting, fcntl.LOCK_EX | fcntl.LOCK_NB)  # free again when its owner returns
                    ours = True
            connection = _connect(path)  # after the lock: its last owner may have started one
            if connection is not None:
                return connection
            if ours and child is None:
                child = _spawn(path)
            elif child is not None and child.poll() not in (None, 0):
                raise Unreachable(f"the resident process could not start; see {path.with_suffix('.log')}")
            time.sleep(0.02)
    raise Unreachable(f"the resident process did not start within {START_SECONDS:.0f} s")


def _spawn(path: Path) -> subprocess.Popen:
    command = [sys.executable, "-m", "riskengine.workflows.resident_server"]
    with open(path.with_suffix(".log"), "ab") as log:
        os.chmod(path.with_suffix(".log"), 0o600)
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                start_new_session=True,
                                cwd="/", env={**os.environ, "PYTHONPATH": _python_path()})


def _python_path() -> str:
    """The child must import the same package whatever its working folder."""
    here = str(Path(__file__).resolve().parents[2])
    return os.pathsep.join([here, *filter(None, [os.environ.get("PYTHONPATH")])])


def _wait_until_gone(path: Path, seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        connection = _connect(path)
        if connection is None:
            return
        connection.close()
        time.sleep(0.05)


def peer_user(connection: socket.socket) -> int | None:
    """User id of the process at the other end; None where the platform cannot tell."""
    if not hasattr(socket, "SO_PEERCRED"):
        return None
    size = struct.calcsize("3i")
    _, user, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return user


def resident_status() -> dict[str, Any]:
    """What the process holds; {'running': False} when there is none."""
    try:
        return ask({"op": "status"}, start=False) | {"running": True}
    except Unreachable as reason:
        return {"running": False, "reason": str(reason)}


def stop_resident() -> bool:
    """End the process; False when none was running."""
    try:
        ask({"op": "stop"}, start=False)
    except Unreachable:
        return False
    _wait_until_gone(socket_path())
    return True
