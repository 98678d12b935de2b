"""protoc in a child of its own for each compilation: bounded in processor time, memory and output, and killed when it exceeds
them."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from typing import IO

from ..errors import InvalidSchema, SchemaIssue, Unavailable
from ..model.compilation import Compiled, CompileJob
from .messages import (
    NOT_STARTED,
    OUT_OF_MEMORY,
    MalformedAnswer,
    check_paths,
    decode_answer,
    encode_job,
)
from .processor_time import STARVED_FACTOR, processor_seconds

MISSING = (
    "Protobuf schemas need the compiler of grpcio-tools, which is not installed: "
    "pip install 'llm-schema-registry[engines]'"
)
LAST_WORDS = 2000
"""Bytes of a child's standard error that go with an error."""

LEAST_WAIT = 0.005
"""Seconds between two looks at the processor time of a child."""

_WAY_OUT = "make the schema smaller or less deeply nested, or split it"


class SupervisedProtoc:
    """A Compiler that starts a child for each job. Safe to share between threads.

    seconds: processor time of one compilation, the start of the child included. clock_seconds: longest time by the clock, 15
    times as long when not given; it passes only where others have the processor. memory_bytes: address space of a child.
    output_bytes: largest answer. processes: most children at a time; whoever comes later waits.

    A schema that kills its child or exceeds a bound is an InvalidSchema with the rule COMPILER_CRASHED or
    COMPILER_TIMEOUT, as on the server. That the machine is too busy, or ends the child, says nothing about the schema: it is
    Unavailable, and the same call may be made again.
    """

    def __init__(
        self,
        *,
        seconds: float = 10.0,
        clock_seconds: float | None = None,
        memory_bytes: int = 1 << 30,
        output_bytes: int = 64 << 20,
        processes: int | None = None,
    ) -> None:
        self._seconds, self._memory_bytes, self._output_bytes = seconds, memory_bytes, output_bytes
        self._clock_seconds = STARVED_FACTOR * seconds if clock_seconds is None else clock_seconds
        self._seats = threading.BoundedSemaphore(processes or os.cpu_count() or 1)

    def compile(self, job: CompileJob) -> Compiled:
        """Raises InvalidSchema, Unavailable, ValueError for an import path that protoc would misread, ModuleNotFoundError when
        grpcio-tools is not installed, and RuntimeError when no child can be started."""
        check_paths(job)
        if importlib.util.find_spec("grpc_tools") is None:
            raise ModuleNotFoundError(MISSING, name="grpc_tools")
        with (
            self._seats,
            tempfile.TemporaryFile() as question,
            tempfile.TemporaryFile() as answer,
            tempfile.TemporaryFile() as stderr,
        ):
            question.write(encode_job(job))
            question.seek(0)
            status = self._run(question, answer, stderr)
            if status:
                raise _failure(status, _tail(stderr))
            answer.seek(0)
            try:
                return decode_answer(answer.read(self._output_bytes))
            except MalformedAnswer as error:
                raise _refused("COMPILER_CRASHED", f"the compiler wrote nonsense ({error})") from None

    def _run(self, question: IO[bytes], answer: IO[bytes], stderr: IO[bytes]) -> int:
        """The exit status of a child; raises InvalidSchema when it uses the processor for too long, and Unavailable when it does
        not get it."""
        bounds = os.getpid(), self._memory_bytes, self._output_bytes, self._seconds
        child = subprocess.Popen(
            [sys.executable, "-P", "-B", "-m", "llm_schema_engines.protoc.child", *map(str, bounds)],
            stdin=question, stdout=answer, stderr=stderr, cwd="/", env=_environment(), start_new_session=True,
        )  # fmt: skip
        try:
            return self._status(child)
        finally:
            if child.returncode is None:
                child.kill()
                child.wait()

    def _status(self, child: subprocess.Popen[bytes]) -> int:
        end = time.monotonic() + self._clock_seconds
        used_before = 0.0 if sys.platform == "linux" else processor_seconds(child.pid)
        while True:
            try:
                processor_left = self._seconds - (processor_seconds(child.pid) - used_before)
            except OSError:
                return child.wait()  # it has ended
            clock_left = end - time.monotonic()
            if processor_left <= 0:
                raise _refused("COMPILER_TIMEOUT", f"compiling takes longer than {self._seconds:g} s")
            if clock_left <= 0:
                raise Unavailable(
                    f"the machine is too busy: compiling did not get {self._seconds:g} s of the processor within "
                    f"{self._clock_seconds:g} s; try again"
                )
            try:
                return child.wait(max(min(processor_left, clock_left), LEAST_WAIT))
            except subprocess.TimeoutExpired:
                continue


def _environment() -> dict[str, str]:
    """All that a child may know of ours: where its modules are."""
    path = os.pathsep.join(os.path.abspath(entry) for entry in sys.path if entry)
    return {"PYTHONPATH": path, "LC_ALL": "C.UTF-8", "GRPC_PYTHON_DISABLE_DYNAMIC_STUBS": "1"}


def _tail(file: IO[bytes]) -> str:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - LAST_WORDS))
    return file.read(LAST_WORDS).decode("utf-8", "replace").strip()


def _failure(status: int, last_words: str) -> Exception:
    if status == NOT_STARTED:
        return RuntimeError(f"the Protobuf compiler cannot be started: {last_words}")
    if status in (
        -signal.SIGKILL,
        -signal.SIGTERM,
    ):  # not by us; the system itself is short of memory, or an operator
        return Unavailable(
            f"the compiler was ended by {signal.Signals(-status).name} from outside; try again"
        )
    if status == -signal.SIGXCPU:  # the kernel came first, at a limit some seconds later
        return _refused("COMPILER_TIMEOUT", "compiling took too much processor time")
    if status == OUT_OF_MEMORY:
        cause = "ran out of memory"
    else:
        cause = (
            f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
        )
    error = _refused("COMPILER_CRASHED", f"the compiler {cause}")
    if last_words:
        error.add_note(last_words)
    return error


def _refused(rule: str, message: str) -> InvalidSchema:
    return InvalidSchema([SchemaIssue(rule, f"{message}; {_WAY_OUT}")])
