"""Protobuf without a server: what kills the compiler, or holds it up, costs one child and gives one clear refusal."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from llm_schema_engines import EngineLimits, InvalidSchema, LocalEngines, SupervisedProtoc, Unavailable
from llm_schema_engines.formats.protobuf import ProtobufLimits
from llm_schema_engines.model.compilation import Compiled, CompileJob, CompilerMessage
from llm_schema_engines.protoc import supervised
from llm_schema_engines.protoc.in_process import InProcessProtoc
from llm_schema_engines.protoc.messages import MalformedAnswer, decode_answer, encode_answer
from tests.formats.protobuf.hostile import HOSTILE

MANY = 1 << 40
UNGUARDED = EngineLimits(
    protobuf=ProtobufLimits(
        source=MANY, total=MANY, brackets=MANY, identifier=MANY, statements=MANY, names=MANY
    )
)
GOOD = 'syntax = "proto3"; message Good { int32 a = 1; }'
JOB = CompileJob("good.proto", {"good.proto": GOOD.encode()})


def rule(local: LocalEngines, text: str) -> str:
    with pytest.raises(InvalidSchema) as caught:
        local.parse(text, "PROTOBUF")
    return caught.value.issues[0].rule


def children_of_ours() -> set[str]:
    return {
        pid for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()
    }


def open_files() -> set[str]:
    """What this process holds open, by name: pipes and sockets have unique ones."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):
            found.add(os.readlink(f"/proc/self/fd/{name}"))
    return found


def test_a_child_answers_what_the_compiler_answers_here() -> None:
    broken = CompileJob("a.proto", {"a.proto": b'syntax = "proto3";\nmessage M { Foo a = 1; }'})
    unused = CompileJob(
        "a.proto", {"a.proto": b'syntax = "proto3"; import "b.proto"; message M {}', "b.proto": b""}
    )

    for job in (JOB, broken, unused):
        assert SupervisedProtoc().compile(job) == InProcessProtoc().compile(job)


@pytest.mark.parametrize("name", ["option nested 100 deep", "option nested 6000 deep"])
def test_a_schema_that_aborts_the_compiler_is_refused(name: str) -> None:
    local = LocalEngines(limits=UNGUARDED)

    assert rule(local, HOSTILE[name]) == "COMPILER_CRASHED"
    assert local.validate(GOOD, {"a": 1})


def test_a_schema_that_takes_too_long_is_refused() -> None:
    quadratic = "message M {" + "".join(f"optional int32 f{i} = 1;" for i in range(60_000)) + "}"
    local = LocalEngines(limits=UNGUARDED, compiler=SupervisedProtoc(seconds=0.5))

    assert rule(local, quadratic) == "COMPILER_TIMEOUT"


def started_child(before: set[str]) -> int:
    """The process id of the child that is started next."""
    while not (new := children_of_ours() - before):
        time.sleep(0.001)
    return int(new.pop())


@pytest.mark.skipif(sys.platform != "linux", reason="processor time is measured on Linux")
def test_a_machine_that_is_busy_for_longer_than_the_limit_refuses_nothing() -> None:
    before, compiler = children_of_ours(), SupervisedProtoc(seconds=3.0)
    found: list[Compiled] = []
    work = threading.Thread(target=lambda: found.append(compiler.compile(JOB)))
    work.start()

    child = started_child(before)
    os.kill(child, signal.SIGSTOP)  # as if others had the processor
    time.sleep(4.0)
    assert found == []
    os.kill(child, signal.SIGCONT)
    work.join()

    assert found == [InProcessProtoc().compile(JOB)]


def test_a_compilation_that_does_not_get_the_processor_may_be_tried_again() -> None:
    with pytest.raises(
        Unavailable, match=r"too busy: compiling did not get 3 s .* within 0\.001 s; try again"
    ):
        SupervisedProtoc(seconds=3.0, clock_seconds=0.001).compile(JOB)


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGTERM])
def test_a_compilation_that_is_ended_from_outside_may_be_tried_again(by: signal.Signals) -> None:
    before, outcome = children_of_ours(), []

    def compile_it() -> None:
        try:
            outcome.append(SupervisedProtoc().compile(JOB))
        except Unavailable as error:
            outcome.append(error.message)

    work = threading.Thread(target=compile_it)
    work.start()
    os.kill(started_child(before), by)
    work.join()

    assert outcome == [f"the compiler was ended by {by.name} from outside; try again"]


def test_a_schema_that_takes_too_much_memory_is_refused() -> None:
    names = "".join(f"message {'n' * 20_000}{i} {{" for i in range(30))
    large = names + "".join(f"optional int32 f{i} = {i + 1};" for i in range(10_000)) + "}" * 30
    local = LocalEngines(limits=UNGUARDED, compiler=SupervisedProtoc(memory_bytes=1 << 28))

    assert rule(local, large) == "COMPILER_CRASHED"


def test_an_answer_that_is_too_large_is_refused() -> None:
    local = LocalEngines(compiler=SupervisedProtoc(output_bytes=20_000))
    fields = "".join(f"int32 field_number_{i} = {i + 1};" for i in range(2_000))

    assert rule(local, f'syntax = "proto3"; message M {{ {fields} }}') == "COMPILER_CRASHED"
    assert local.parse(GOOD).names == ("Good", "a")


def test_a_missing_compiler_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    with pytest.raises(ModuleNotFoundError, match=re.escape("pip install 'llm-schema-registry[engines]'")):
        LocalEngines().parse(GOOD)


def test_a_compiler_that_cannot_be_loaded_is_no_fault_of_the_schema(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "grpc_tools").mkdir()
    (tmp_path / "grpc_tools" / "__init__.py").write_text("raise ImportError('built for another Python')")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])

    with pytest.raises(RuntimeError, match=r"cannot be started: (.|\n)*built for another Python"):
        LocalEngines().parse(GOOD)


def test_no_child_and_no_file_is_left_behind() -> None:
    local = LocalEngines(limits=UNGUARDED, compiler=SupervisedProtoc(seconds=0.5))
    files, children = open_files(), children_of_ours()

    rule(local, HOSTILE["option nested 100 deep"])
    rule(local, "message M {" + "".join(f"optional int32 f{i} = 1;" for i in range(60_000)) + "}")

    # What an earlier test left may be closed meanwhile; nothing may have come.
    assert open_files() <= files
    assert children_of_ours() <= children


def test_children_run_at_most_so_many_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    running, most, start = [0], [0], threading.Barrier(4)
    run = SupervisedProtoc._run

    def counted(self: SupervisedProtoc, *files: object) -> int:
        running[0] += 1
        most[0] = max(most[0], running[0])
        try:
            return run(self, *files)  # type: ignore[arg-type]
        finally:
            running[0] -= 1

    monkeypatch.setattr(SupervisedProtoc, "_run", counted)
    compiler = SupervisedProtoc(processes=1)

    def work() -> None:
        start.wait()
        compiler.compile(JOB)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (most, running) == ([1], [0])


@pytest.mark.parametrize("path", ["-I/etc", "a=b.proto", "@list", "a:b.proto", ""])
def test_a_path_that_the_command_line_would_misread_starts_no_child(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervised.subprocess, "Popen", None)

    with pytest.raises(ValueError, match="cannot be an import path"):
        SupervisedProtoc().compile(CompileJob(path, {path: b""}))


def test_an_answer_survives_the_way() -> None:
    compiled = Compiled(
        b"\0\xff", (CompilerMessage("text", "a.proto", 3, 4, warning=True), CompilerMessage("x"))
    )

    assert decode_answer(encode_answer(compiled)) == compiled


@pytest.mark.parametrize(
    "answer",
    [b"", b"\xff", b"[" * 100_000, *(json.dumps(v).encode() for v in (
        {}, [], ["", []][:1], ["?", []], [1, []], ["", {}], ["", [["text", "file", "1", 2, False]]],
        ["", [["text", "file", 1, 2, 0]]], ["", [["text"]]], ["", ["text"]],
    ))],
)  # fmt: skip
def test_what_is_no_answer_is_not_taken_for_one(answer: bytes) -> None:
    with pytest.raises(MalformedAnswer):
        decode_answer(answer)
