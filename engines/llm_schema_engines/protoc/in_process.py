"""protoc, called inside this process on files that exist only in memory.

Load this module only in a process that is supervised: a hostile schema can abort or exhaust the process, and nothing here can
prevent that. It uses file descriptor 2 of the process while it compiles.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

os.environ.setdefault("GRPC_PYTHON_DISABLE_DYNAMIC_STUBS", "1")  # else the import below hooks sys.meta_path

import grpc_tools
from grpc_tools import _protoc_compiler

from ..model.compilation import LANGUAGE_FEATURES, Compiled, CompileJob, CompilerMessage
from .messages import check_paths

MAX_STDERR = 64 * 1024
"""Bytes of protoc's messages that are read; it can write megabytes."""

# What the job need not bring: the features of languages, which exist only as text.
_INCLUDE = [
    os.fsencode(f"-I{path}={Path(grpc_tools.__file__).parent / '_proto' / path}")
    for path in LANGUAGE_FEATURES
]
_DESCRIPTOR_PATH = re.compile(r"/proc/self/fd/\d+")
_LOG = re.compile(r"[IWEF]\d{4} |WARNING: All log messages")  # absl's own log, such as "no syntax specified"
_LOGGED_ERROR = re.compile(r"[EF]\d{4} [^\]]*\] (?P<text>.+)")
_NO_MESSAGE = CompilerMessage("protoc failed without a message")
_LINE = re.compile(
    r"(?P<file>[^:\n]+?)(?::(?P<line>\d+):(?P<column>\d+))?: (?P<warning>warning: )?(?P<text>.+)"
)


class InProcessProtoc:
    """A Compiler over the protoc of grpcio-tools. One compilation at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def compile(self, job: CompileJob) -> Compiled:
        """Compiles `job`; raises ValueError for an import path that protoc's command line would misread."""
        check_paths(job)
        with self._lock, ExitStack() as stack:
            files = {path: stack.enter_context(_memory(text)) for path, text in job.sources.items()}
            known = stack.enter_context(_memory(job.descriptors))
            out = stack.enter_context(_memory(b""))
            arguments = [b"protoc"]
            arguments += [f"-I{path}={_path(fd)}".encode() for path, fd in files.items()]
            arguments += [*_INCLUDE, f"--descriptor_set_in={_path(known)}".encode()]
            arguments += [f"--descriptor_set_out={_path(out)}".encode()]
            arguments += [b"--include_imports", b"--include_source_info", job.root.encode()]
            status, stderr = _run(arguments)
            names = {_path(fd): path for path, fd in files.items()}
            messages = tuple(_messages(stderr, names))
            if status:
                return Compiled(b"", messages or tuple(_logged(stderr)) or (_NO_MESSAGE,))
            return Compiled(os.pread(out, os.fstat(out).st_size, 0), messages)


@contextmanager
def _memory(data: bytes) -> Iterator[int]:
    fd = os.memfd_create("schema")
    try:
        with open(fd, "wb", closefd=False) as file:
            file.write(data)
        os.lseek(fd, 0, os.SEEK_SET)
        yield fd
    finally:
        os.close(fd)


def _path(fd: int) -> str:
    return f"/proc/self/fd/{fd}"


def _run(arguments: list[bytes]) -> tuple[int, str]:
    """protoc's exit status and what it wrote to file descriptor 2."""
    with _memory(b"") as captured:
        saved = os.dup(2)
        os.dup2(captured, 2)
        try:
            status = _protoc_compiler.run_main(arguments)
        finally:
            os.dup2(saved, 2)
            os.close(saved)
        return status, os.pread(captured, MAX_STDERR, 0).decode("utf-8", "replace")


def _messages(stderr: str, names: dict[str, str]) -> Iterator[CompilerMessage]:
    """The messages in protoc's output, with the users' file names in place of descriptors' paths."""
    for line in stderr.splitlines():
        if _LOG.match(line):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            yield CompilerMessage(_hide_paths(line, names))
            continue
        file = match["file"]
        yield CompilerMessage(
            _hide_paths(match["text"], names),
            names.get(file, file),
            int(match["line"] or 0),
            int(match["column"] or 0),
            warning=bool(match["warning"]),
        )


def _logged(stderr: str) -> Iterator[CompilerMessage]:
    """The errors that protoc only writes to its log, such as two imports that define one name."""
    for line in stderr.splitlines():
        match = _LOGGED_ERROR.match(line)
        if match is not None:
            yield CompilerMessage(_DESCRIPTOR_PATH.sub("an import", match["text"]))


def _hide_paths(text: str, names: dict[str, str]) -> str:
    return _DESCRIPTOR_PATH.sub(lambda match: names.get(match[0], "the schema"), text)
