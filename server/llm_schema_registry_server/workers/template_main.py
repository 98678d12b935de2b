"""The process of which worker processes are copies: it has loaded what they need, and forks them when it is told to.

Run by `template` as `python -m llm_schema_registry_server.workers.template_main PARENT MODULE`, with one end of a socket pair (SOCK_SEQPACKET) as
standard input. To load the engines takes a process a third of a second, a copy some milliseconds: where processes end again and again, that is
what others wait for. It has one thread and does nothing else, so that a copy finds no lock that another thread holds.
"""

from __future__ import annotations

import gc
import importlib
import os
import select
import signal
import socket
import sys
import traceback
from contextlib import suppress

from llm_schema_engines.protoc.confinement import die_with

from . import worker_main
from .template_messages import ENDED, FORK, FORKED, NOT_FORKED, READY, REAP, parse, say

_MOST_BYTES = 256
_MOST_FDS = 2


def main() -> None:
    """Serves until the server leaves."""
    die_with(int(sys.argv[1]))
    importlib.import_module(sys.argv[2])
    control = worker_main.take_channel()
    gc.collect()
    gc.freeze()
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    control.send(say(READY))
    alive: set[int] = set()
    while True:
        ready, _, _ = select.select([control.fileno(), woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            for pid, status in _ended(alive):
                control.send(say(ENDED, pid, status))
        if control.fileno() in ready:
            data, descriptors, _, _ = socket.recv_fds(control, _MOST_BYTES, _MOST_FDS)
            if not data:
                return
            what, *numbers = parse(data)
            if what == FORK:
                _fork(control, (woken, wake), descriptors, alive)
            elif what == REAP:
                os.waitpid(numbers[0], 0)


def _ended(alive: set[int]) -> list[tuple[int, int]]:
    """Children that have ended since the last time, and how. They stay zombies until the server says that it has done with their
    number: no other process gets it before."""
    found = []
    for pid in tuple(alive):
        with suppress(ChildProcessError):
            result = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if result is not None:
                alive.discard(pid)
                exited = result.si_code == os.CLD_EXITED
                found.append((pid, result.si_status if exited else -result.si_status))
    return found


def _fork(control: socket.socket, pipe: tuple[int, int], descriptors: list[int], alive: set[int]) -> None:
    try:
        pid = os.fork()
    except OSError as error:
        control.send(say(NOT_FORKED, error.errno or 0))
    else:
        if pid == 0:
            _work(control, pipe, *descriptors)
        alive.add(pid)
        control.send(say(FORKED, pid))
    for descriptor in descriptors:
        os.close(descriptor)


def _work(control: socket.socket, pipe: tuple[int, int], channel: int, stderr: int) -> None:
    """The rest of the life of a copy."""
    status = 1
    try:
        parent = os.getppid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        control.close()
        for descriptor in pipe:
            os.close(descriptor)
        os.setsid()
        os.dup2(channel, 0)
        os.dup2(stderr, 2)
        os.close(channel)
        os.close(stderr)
        worker_main.work(worker_main.take_channel(), parent)
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(OSError):
            sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    main()
