"""The answering side of the resident process: ``python -m riskengine.workflows.resident_server``.

One thread per client; questions about one session queue there.  The process leaves when nobody has asked for
*idle* seconds, when it is told to, and when somebody asks with other code than it was started from.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import gc
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from riskengine.base.errors import InputError, RiskEngineError
from riskengine.workflows.resident_process import (
    IDLE_SECONDS, MESSAGE_SECONDS, code_hash, peer_user, receive, send, socket_path,
)

OPERATIONS = ("what_if", "reverse", "hedge")
MOST_CLIENTS = 32
TAKING_OVER_SECONDS = 60.0
"""How long a new process waits for the lock of one that does not listen."""


class Server:
    """Listens on *path* until idle.  answer : message of one of OPERATIONS → reply; held : labels."""

    def __init__(self, path: Path, answer: Callable[[dict], dict], held: Callable[[], list[str]],
                 code: str, idle: float = IDLE_SECONDS):
        self.path, self.answer, self.held, self.code, self.idle = path, answer, held, code, idle
        self.started = self.last = time.monotonic()
        self.asked = 0
        self._active = 0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._slots = threading.BoundedSemaphore(MOST_CLIENTS)

    def run(self) -> bool:
        """Serve; False when another process already does.

        A process that leaves gives up socket and lock first, so that another may start, and then finishes the
        questions it is answering, however long they take.
        """
        with open(self.path.with_suffix(".lock"), "ab") as lock:
            os.chmod(self.path.with_suffix(".lock"), 0o600)
            if not self._alone(lock):
                return False
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
                with contextlib.suppress(FileNotFoundError):
                    self.path.unlink()  # of a process that was killed: the lock says nobody listens
                before = os.umask(0o177)
                try:
                    listener.bind(os.fspath(self.path))
                finally:
                    os.umask(before)
                listener.listen(16)
                listener.settimeout(0.25)
                try:
                    self._accept(listener)
                finally:
                    with contextlib.suppress(OSError):
                        self.path.unlink()
        while self._active:
            time.sleep(0.02)
        return True

    def _alone(self, lock: BinaryIO) -> bool:
        """Take the lock; wait for a process that holds it but no longer listens, give way to one that
        does."""
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except OSError:
                with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
                    other.settimeout(1.0)
                    try:
                        other.connect(os.fspath(self.path))
                        return False
                    except OSError:
                        time.sleep(0.05)
            if time.monotonic() - self.started > TAKING_OVER_SECONDS:
                return False

    def stop(self) -> None:
        """Leave after the questions being answered (a second signal: at once)."""
        self._stop.set()

    @property
    def leaving(self) -> bool:
        """Has it been told to leave?"""
        return self._stop.is_set()

    def _accept(self, listener: socket.socket) -> None:
        while not self._stop.is_set():
            with self._lock:
                if not self._active and time.monotonic() - self.last > self.idle:
                    return
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            except OSError:
                if self._stop.is_set():
                    return
                raise
            if peer_user(connection) not in (None, os.getuid()) or not self._slots.acquire(blocking=False):
                connection.close()
                continue
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        """One client, question after question, until it hangs up."""
        try:
            with connection:
                while not self._stop.is_set():
                    connection.settimeout(self.idle)
                    connection.recv(1, socket.MSG_PEEK)
                    connection.settimeout(MESSAGE_SECONDS)
                    try:
                        message = receive(connection)
                    except ValueError as error:
                        self._reply(connection, {"error": f"not a message: {error}"})
                        return
                    if message is None:
                        return
                    with self._lock:
                        self._active += 1
                        self.asked += 1
                    try:
                        reply = self._handle(message)
                        self._reply(connection, reply)
                    finally:
                        with self._lock:
                            self._active -= 1
                            self.last = time.monotonic()
                    if reply.get("stale") or reply.get("stopped"):
                        self.stop()
                        return
        except (OSError, RecursionError):
            pass  # the client went away
        finally:
            self._slots.release()

    @staticmethod
    def _reply(connection: socket.socket, reply: dict) -> None:
        connection.settimeout(MESSAGE_SECONDS)
        send(connection, reply)

    def _handle(self, message: dict) -> dict:
        operation = message.get("op")
        if operation == "stop":
            return {"stopped": True}
        if operation == "status":
            return {"pid": os.getpid(), "code": self.code, "socket": str(self.path), "held": self.held(),
                    "seconds_up": time.monotonic() - self.started, "questions": self.asked,
                    "answering": self._active - 1,
                    "idle_limit_seconds": self.idle, "memory_mb": _memory_mb(),
                    "current": message.get("code") == self.code}
        if message.get("code") != self.code:
            return {"stale": True}
        if operation not in OPERATIONS:
            return {"error": f"unknown operation {str(operation)[:40]!r}; known: {', '.join(OPERATIONS)}, status, "
                             "stop"}
        try:
            return {**self.answer(message), "pid": os.getpid()}
        except InputError as error:
            keys = ("rule", "file", "row", "field", "got", "accepted")
            return {"problems": [{k: getattr(p, k) for k in keys} for p in error.problems]}
        except RiskEngineError as error:
            return {"error": str(error)}
        except Exception as error:  # noqa: BLE001 - one bad question must not end the process
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            return {"error": f"a defect of the program, please report it: {type(error).__name__}: {error}"}


def _memory_mb() -> float:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


def main(arguments: list[str] | None = None) -> int:
    """Serve until idle; 0 also when another process already serves."""
    parser = argparse.ArgumentParser(prog="riskengine resident process")
    parser.add_argument("--idle", type=float, default=IDLE_SECONDS)
    options = parser.parse_args(arguments)
    gc.set_threshold(50_000, 20, 20)  # as on the command line (``__main__``)
    pool_lock, pools = threading.Lock(), []

    def pool():
        with pool_lock:
            if not pools:
                from riskengine.workflows.what_if import SessionPool

                pools.append(SessionPool())
        return pools[0]

    def answer(message: dict) -> dict:
        from riskengine.workflows.questions import answer_question

        return answer_question(pool(), message)

    server = Server(socket_path(), answer, lambda: pools[0].held if pools else [], code_hash(), options.idle)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: os._exit(1) if server.leaving else server.stop())
    threading.Thread(target=pool, daemon=True).start()  # imports while the first question is on its way
    server.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
