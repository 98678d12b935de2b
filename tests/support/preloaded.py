"""A process that has imported all that a server needs, and forks one for whoever asks: Python's start and the imports cost more than
all else that a server does in most tests.

Run as a program; its standard input is the socket on which it is asked (tests/support/forking.py). A forked process becomes what
`python -m llm_schema_registry_server ARGUMENTS` would be: it has the environment, the folder and the files that were asked for, a
session of its own, and it ends as a program does.
"""

from __future__ import annotations

import array
import importlib
import json
import os
import secrets
import selectors
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from llm_schema_engines.protoc.confinement import die_with

MOST_BYTES = 1 << 16
FILES = 3
"""Sent with what is asked: where the process tells of itself, its standard output and its standard error."""
MODULES = ("app", "cli", "__main__", "audit_maintenance", "maintenance", "own_health")
MADE_ANEW: Mapping[tuple[str, str], Callable[[], str]] = {
    ("llm_schema_registry_server.calls.call", "_PREFIX"): lambda: os.urandom(6).hex(),
    ("llm_schema_registry_server.audit.recording", "_PREFIX"): lambda: secrets.token_hex(8),
}
"""What distinguishes one process from another and is made by an import. tests/house/test_support.py holds it against the sources."""


def main() -> None:
    """Forks until nobody can ask any more. In a forked process it returns, and the server runs."""
    for name in MODULES:
        importlib.import_module(f"llm_schema_registry_server.{name}")
    control = socket.socket(fileno=os.dup(0))
    selector = selectors.DefaultSelector()
    selector.register(control, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj is not control:  # a process has ended
                pid, tell = key.data
                with suppress(OSError):  # nobody waits for it any more
                    tell.send(str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])).encode())
                tell.close()
                selector.unregister(key.fileobj)
                os.close(key.fd)
                continue
            data, ancillary, _, _ = control.recvmsg(MOST_BYTES, socket.CMSG_SPACE(FILES * 4))
            if not data:
                sys.exit()
            files = array.array("i", ancillary[0][2])
            parent = os.getpid()
            pid = os.fork()
            if pid == 0:
                die_with(
                    parent
                )  # which ends when nobody can ask any more, even where the keeper was killed too
                # Closed here: an object that is collected later would close what has its number by then.
                for each in list(selector.get_map().values()):
                    if each.fileobj is not control:
                        each.data[1].close()
                        os.close(each.fd)
                selector.close()
                control.close()
                _become(json.loads(data), files)
                return
            tell = socket.socket(fileno=files[0])
            tell.send(str(pid).encode())
            selector.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, tell))
            os.close(files[1])
            os.close(files[2])


def _become(asked: Mapping[str, Any], files: array.array[int]) -> None:
    os.setsid()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(files[1], 1)
    os.dup2(files[2], 2)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    sys.argv = asked["arguments"]
    for (module, name), make in MADE_ANEW.items():
        setattr(sys.modules[module], name, make())
    signal.set_wakeup_fd(-1)


if __name__ == "__main__":
    main()
    from llm_schema_registry_server.__main__ import main as serve

    serve()
