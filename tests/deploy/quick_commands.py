"""The project's two commands without Python's start for each of them: a process that has imported them forks one that runs.

Run as a program with the path of a socket, it serves; `install` writes commands that use it.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

_MOST_BYTES = 1 << 20
_FDS = 3
_COMMAND = """#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect({place!r})
    asked = json.dumps([{name!r}, sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
    socket.send_fds(server, [asked], [0, 1, 2])
    told = server.recv(1)
    sys.exit(told[0] if told else 70)
"""


def install(folder: Path, place: Path) -> None:
    """Write the commands into a folder; they run what is served at `place`."""
    for name in ("schema-registry", "schema-registry-server"):
        command = folder / name
        command.write_text(_COMMAND.format(python=sys.executable, place=str(place), name=name))
        command.chmod(0o755)


def serve(place: str, programs: Mapping[str, Callable[[], None]]) -> None:
    """Fork a process for each command that is asked for."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them: each tells its own end
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(place)
        listener.listen(16)
        while True:
            caller, _ = listener.accept()
            with caller:
                if os.fork() == 0:
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    caller.sendall(bytes([_answer(caller, programs)]))
                    os._exit(0)


def _answer(caller: socket.socket, programs: Mapping[str, Callable[[], None]]) -> int:
    """Run what the caller asks for, with its files, and answer with its exit code."""
    asked, fds, _, _ = socket.recv_fds(caller, _MOST_BYTES, _FDS)
    name, arguments, folder, environ = json.loads(asked)
    for number, fd in enumerate(fds):
        os.dup2(fd, number)
        os.close(fd)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environ)
    sys.argv = [name, *arguments]
    try:
        programs[name]()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    sys.stdout.flush()
    sys.stderr.flush()
    return code


if __name__ == "__main__":
    # All that a command would import, so that none has to.
    from llm_schema_registry.cli import main as client
    from llm_schema_registry_server import audit_maintenance, maintenance, own_health  # noqa: F401
    from llm_schema_registry_server.cli import main as server

    serve(sys.argv[1], {"schema-registry": client, "schema-registry-server": server})
