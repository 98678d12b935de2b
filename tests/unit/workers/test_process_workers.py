"""Whatever a schema does to its compiler, the server answers, goes on and leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any

import psutil
import pytest
import uvloop

from llm_schema_engines.formats.engine import DataValidator, ParsedSchema, ReferencedSchema, SchemaSource
from llm_schema_engines.model.compatibility import CompareOptions, Direction, Verdict
from llm_schema_engines.model.schema import SchemaType
from llm_schema_engines.model.validation import Encoding
from llm_schema_registry_server.errors import (
    Code,
    InternalError,
    InvalidSchema,
    LimitExceeded,
    ReferenceNotFound,
    SchemaTooLarge,
    ShuttingDown,
    Unavailable,
)
from llm_schema_registry_server.queues import caller as callers
from llm_schema_registry_server.queues.caller import Caller
from llm_schema_registry_server.queues.fair_queue import Cost
from llm_schema_registry_server.settings import WorkersSettings as Bounds
from llm_schema_registry_server.telemetry import context
from llm_schema_registry_server.telemetry.context import CallContext
from llm_schema_registry_server.workers.processes import ProcessWorkers
from llm_schema_registry_server.workers.task import Task
from llm_schema_registry_server.workers.tasks import Compare, Diff, Parse, Validate
from llm_schema_registry_server.workers.template import Template, TemplateAway
from llm_schema_registry_server.workers.validators import ValidatorCache
from llm_schema_registry_server.workers.worker_process import WorkerProcess, WorkerProcessEnded
from tests.unit.conftest import LogLines

from .fakes import ISSUES, ObedientEngine

pytestmark = pytest.mark.slow  # each test starts processes of its own

J = SchemaType.JSON
HASTY = {"parse_seconds": 0.3, "compare_seconds": 0.3}
FACTORY = "tests.unit.workers.fakes:make"
BOUNDS = Bounds(
    processes=2,
    parse_seconds=30,
    compare_seconds=30,
    memory_bytes=1 << 29,
    queue=50,
    patience_seconds=0.1,
    slow_processes=1,
)


def children() -> list[psutil.Process]:
    """The workers of this process, and their template, also dead ones that nobody has waited for; not what other tests have started,
    nor what that starts meanwhile, as a database server does."""
    found = []
    for child in psutil.Process().children():
        if child not in OTHERS:
            found.append(child)
            with suppress(psutil.NoSuchProcess):
                found += child.children(recursive=True)
    return found


def template() -> psutil.Process:
    """That of the workers of this process."""
    (found,) = (p for p in psutil.Process().children() if p not in OTHERS)
    return found


OTHERS: set[psutil.Process] = set()


@pytest.fixture(autouse=True)
def note_what_others_started() -> None:
    OTHERS.clear()
    OTHERS.update(psutil.Process().children())


@asynccontextmanager
async def pool(**bounds: float) -> AsyncIterator[ProcessWorkers]:
    workers = ProcessWorkers(BOUNDS.model_copy(update=bounds), FACTORY, J)
    await workers.start()
    try:
        yield workers
    finally:
        await workers.stop()
    assert not children()


@pytest.fixture
async def workers() -> AsyncIterator[ProcessWorkers]:
    async with pool() as workers:
        yield workers


def src(command: str) -> SchemaSource:
    return SchemaSource(command.encode())


async def parse(workers: ProcessWorkers, command: str) -> ParsedSchema:
    return await workers.run(Parse(J, src(command)))


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what another process does; the test's own time-out bounds it."""
    while not condition():  # noqa: ASYNC110  # another process has no asyncio.Event
        await asyncio.sleep(0.005)


async def test_a_result_comes_back_whole(workers: ProcessWorkers) -> None:
    source = SchemaSource(
        b"hello", (ReferencedSchema("dep", "id", b"x", (ReferencedSchema("leaf", "id2", b"y"),)),), {"k": "v"}
    )
    parsed = await workers.run(Parse(J, source, strict=False))

    assert parsed.canonical == b"hello"
    assert (parsed.names, parsed.dependencies, parsed.warnings) == (("a", "b"), ("dep",), ISSUES)
    assert (parsed.options["k"], parsed.options["strict"]) == ("v", "False")
    assert parsed.options["pid"] != str(os.getpid())


async def test_a_comparison_comes_back_whole(workers: ProcessWorkers) -> None:
    comparison = await workers.run(Compare(J, src("a"), src("b"), CompareOptions(apply_defaults=True)))

    first, second = comparison.violations
    assert comparison.verdict is Verdict.NO
    assert (first.message, first.witness and first.witness.data) == ("WIRE/OPEN/defaults", b"\xff")
    assert (second.direction, second.undecided) == (Direction.FORWARD, True)


async def test_errors_of_the_family_cross_intact(workers: ProcessWorkers) -> None:
    with pytest.raises(InvalidSchema) as invalid:
        await parse(workers, "invalid")
    with pytest.raises(ReferenceNotFound) as missing:
        await parse(workers, "missing")
    with pytest.raises(SchemaTooLarge) as large:
        await workers.run(Compare(J, src("large"), src("x"), CompareOptions()))

    there = InvalidSchema(ISSUES, "new_schema")
    assert (invalid.value.issues, invalid.value.message) == (ISSUES, there.message)
    assert (invalid.value.violations, invalid.value.metadata) == (there.violations, there.metadata)
    assert (missing.value.metadata["name"], missing.value.metadata["field"]) == ("x", "references[0].name")
    assert large.value.message == SchemaTooLarge("schema_content", 11, 10).message


@pytest.mark.parametrize(
    ("command", "cause"),
    [
        ("abort", "SIGABRT"),
        ("segfault", "SIGSEGV"),
        ("eat", "out of memory"),
        ("exit 3", "status 3"),
        ("bug", "status 1"),
        ("recurse", "status 1"),
        ("nonsense", "cannot be decoded"),
        ("flood", "announced an answer of more than 64 MiB"),
    ],
)
async def test_a_schema_that_kills_its_compiler_is_invalid_and_the_next_one_is_served(
    workers: ProcessWorkers, command: str, cause: str
) -> None:
    with pytest.raises(InvalidSchema) as caught:
        await parse(workers, command)

    assert caught.value.issues[0].rule == "COMPILER_CRASHED"
    assert cause in caught.value.message
    assert (await parse(workers, "hello")).canonical == b"hello"
    assert workers.facts()["crashed"] == "1"


@pytest.mark.parametrize("command", ["spin"])
async def test_a_schema_that_takes_too_long_is_invalid_and_its_child_is_killed(command: str) -> None:
    async with pool(**HASTY) as workers:
        with pytest.raises(InvalidSchema) as caught:
            await parse(workers, command)

        assert caught.value.issues[0].rule == "COMPILER_TIMEOUT"
        assert "0.3 s" in caught.value.message
        assert workers.facts()["timed_out"] == "1"


async def test_a_comparison_that_takes_too_long_is_undecided_with_the_reason() -> None:
    async with pool(**HASTY) as workers:
        timed_out = await workers.run(Compare(J, src("spin"), src("x"), CompareOptions()))

    assert timed_out.verdict is Verdict.UNDECIDED
    assert timed_out.violations[0].rule == "COMPARISON_TIMEOUT"
    assert timed_out.violations[0].undecided


def every_task(command: str) -> list[Task[Any]]:
    """One task of each kind that an engine does for a caller, all with the same fate."""
    return [
        Compare(J, src(command), src("x"), CompareOptions()),
        Diff(J, src(command), src("x")),
        validation(command),
    ]


def validation(command: str, schema: str = "schema", **how: Any) -> Validate:
    fields = {"encoding": Encoding.AUTO, "strict": False, "max_errors": 20, "message_name": ""} | how
    return Validate(J, f"key of {schema}", src(schema), command.encode(), **fields)


@pytest.mark.parametrize("command", ["abort", "segfault", "exit 3", "bug", "nonsense"])
async def test_a_crash_is_a_fault_of_the_server_that_is_logged_and_never_a_verdict(
    workers: ProcessWorkers, log_lines: LogLines, command: str
) -> None:
    for task in every_task(command):
        with pytest.raises(InternalError) as caught:
            await workers.run(task)
        assert (caught.value.code, caught.value.reason) == (Code.INTERNAL, "INTERNAL")

    crashes = [line["task"] for line in log_lines() if line["event"] == "task_crashed"]
    assert crashes == ["Compare", "Diff", "Validate"]


async def test_a_task_without_enough_memory_is_refused_with_the_name_of_the_setting(
    workers: ProcessWorkers,
) -> None:
    for task in every_task("eat"):
        with pytest.raises(LimitExceeded) as caught:
            await workers.run(task)
        assert caught.value.metadata["setting"] == "workers.memory_bytes"
        assert "workers.memory_bytes" in caught.value.message


async def test_the_memory_of_all_processes_together_is_bounded_and_the_largest_is_ended(
    tmp_path: Path,
) -> None:
    gate = tmp_path / "gate"
    async with pool(total_memory_bytes=200 << 20, patience_seconds=120.0) as workers:
        small = asyncio.ensure_future(workers.run(validation(f"hold 90 {gate}")))
        large = asyncio.ensure_future(workers.run(validation(f"hold 150 {gate}")))
        with pytest.raises(LimitExceeded) as caught:
            await large
        gate.touch()

        assert (await small).errors[0].error_type == "told"
        assert (await workers.run(validation("hold 150 " + str(gate)))).errors[0].error_type == "told"
    assert caught.value.metadata["setting"] == "workers.total_memory_bytes"
    assert "workers.total_memory_bytes" in caught.value.message


@pytest.mark.parametrize("command", ["spin"])
async def test_a_validation_that_takes_too_long_is_refused_with_the_name_of_the_setting(command: str) -> None:
    async with pool(validate_seconds=0.2) as workers:
        with pytest.raises(LimitExceeded) as caught:
            await workers.run(validation(command))

        assert workers.facts()["timed_out"] == "1"
    assert caught.value.metadata["setting"] == "workers.validate_seconds"
    assert "0.2 s" in caught.value.message


async def test_the_time_of_a_task_is_what_the_processor_worked_for_it(tmp_path: Path) -> None:
    """One that only waits, as it does for the processor on a crowded machine, is not killed at its limit."""
    async with pool(validate_seconds=0.4, patience_seconds=0.05) as workers:
        waiting = asyncio.ensure_future(workers.run(validation(f"wait {tmp_path}/gate")))
        await asyncio.sleep(0.8)
        (tmp_path / "gate").touch()

        assert (await waiting).errors[0].error_type == "told"


async def test_the_deadline_of_the_caller_ends_a_validation(workers: ProcessWorkers) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await workers.run(validation("spin"))

    await until(lambda: workers.facts()["busy"] == "0")


async def test_a_report_comes_back_whole_and_a_process_compiles_a_schema_once() -> None:
    async with pool(processes=1) as workers:
        how = {"encoding": Encoding.BINARY, "strict": True, "max_errors": 7, "message_name": "m.N"}
        reports = [await workers.run(validation("hello", **how)) for _ in range(3)]
        other = await workers.run(validation("hello", "other"))

    told = [report.errors[0].got.split(" ", 2) for report in reports]
    assert {(report.valid, report.truncated, report.errors[0].path) for report in reports} == {
        (False, True, "/a")
    }
    assert {compiled for _, compiled, _ in told} == {"1"}
    assert {rest for _, _, rest in told} == {"BINARY True 7 m.N"}
    assert other.errors[0].got.split(" ")[1] in ("1", "2")


async def test_validators_of_many_schemas_do_not_fill_the_memory_of_a_process() -> None:
    cache, engine = ValidatorCache(max_bytes=3000), ObedientEngine(J)
    made: list[str] = []

    def compile_(key: str) -> DataValidator:
        made.append(key)
        return engine.compile_validator(src("large" if key == "huge" else key))

    for key in ["a", "b", "c", "a", "d", "b", "huge", "huge", "d"]:
        cache.get(engine, key, lambda key=key: compile_(key))  # type: ignore[misc]

    assert made == ["a", "b", "c", "d", "b", "huge", "huge"]


async def test_a_child_killed_from_outside_costs_the_schema_nothing(
    workers: ProcessWorkers, tmp_path: Path
) -> None:
    parsed = await parse(workers, f"suicide {tmp_path}/once")

    assert parsed.canonical.startswith(b"suicide")


async def test_what_a_task_raised_is_logged_with_the_request_id_of_its_call(
    workers: ProcessWorkers, log_lines: LogLines
) -> None:
    context.bind(CallContext("call-7"))
    with pytest.raises(InvalidSchema):
        await parse(workers, "bug")

    (line,) = [line for line in log_lines() if line["event"] == "worker_crashed"]
    written = json.loads(line["stderr"].splitlines()[-1])
    assert line["request_id"] == "call-7"
    assert (written["event"], written["task"], written["request_id"]) == ("task_raised", "Parse", "call-7")
    assert "a bug of the engine" in written["error"]


async def test_idle_children_that_die_are_replaced(workers: ProcessWorkers) -> None:
    before = children()
    for child in before:
        child.kill()
    answers = await asyncio.gather(*(parse(workers, f"hello {n}") for n in range(10)))

    assert len(answers) == 10
    assert not {p.pid for p in before} & {int(a.options["pid"]) for a in answers}


async def test_children_that_die_before_they_have_started_are_counted_apart(
    workers: ProcessWorkers, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def die(*_: Any) -> WorkerProcess:
        raise WorkerProcessEnded("was ended by SIGKILL")

    monkeypatch.setattr(WorkerProcess, "start", die)
    for child in children():
        child.kill()

    await until(lambda: int(workers.facts()["not_started"]) > 0)
    assert workers.facts()["crashed"] == "0"


async def test_workers_are_copies_of_a_template(workers: ProcessWorkers) -> None:
    copies = template().children()
    assert len(copies) == 3
    assert int((await parse(workers, "hello")).options["pid"]) in {p.pid for p in copies}
    before = template()
    copies[0].kill()
    await until(lambda: workers.facts()["started"] == "4")
    assert template() == before
    await until(lambda: len(template().children()) == 3)  # the dead one was waited for


async def test_a_template_that_has_ended_takes_its_copies_along_and_is_replaced(
    workers: ProcessWorkers, log_lines: LogLines
) -> None:
    before = children()
    template().kill()
    answers = await asyncio.gather(*(parse(workers, f"hello {n}") for n in range(10)))
    assert len(answers) == 10
    await until(lambda: workers.facts()["processes"] == "3")
    assert not set(children()) & set(before)
    assert [line for line in log_lines() if line["event"] == "worker_template_ended"]


async def test_without_a_template_each_process_loads_the_engines_itself(
    monkeypatch: pytest.MonkeyPatch, log_lines: LogLines
) -> None:
    async def away(*_: object) -> None:
        raise TemplateAway("no room for another process")

    monkeypatch.setattr(Template, "copy", away)
    async with pool() as workers:
        assert (await parse(workers, "hello")).canonical == b"hello"
        assert len(children()) == 3
    lines = [line for line in log_lines() if line["event"] == "worker_template_away"]
    assert {line["cause"] for line in lines} == {"no room for another process"}


async def test_a_copy_that_nobody_waits_for_any_more_is_ended() -> None:
    known = Template("tests.unit.workers.fakes")
    ours, theirs = socket.socketpair()
    with ours, theirs:
        kept = await known.copy(theirs.fileno(), theirs.fileno())
        asked = asyncio.ensure_future(known.copy(theirs.fileno(), theirs.fileno()))
        while known._running is not None and not known._running._asked:  # noqa: ASYNC110
            await asyncio.sleep(0)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        await until(lambda: [p.pid for p in template().children()] == [kept.pid])
        await known.stop()
    assert not children()
    assert await kept.wait() == -9


async def test_noise_on_the_standard_streams_disturbs_nothing(workers: ProcessWorkers) -> None:
    for n in range(5):
        await parse(workers, f"noise {n}")

    assert workers.facts()["started"] == "3"


async def test_the_same_parse_wanted_by_many_is_done_once(workers: ProcessWorkers, tmp_path: Path) -> None:
    begun, gate = tmp_path / "begun", tmp_path / "gate"
    callers = [asyncio.create_task(parse(workers, f"mark {begun}|{gate}")) for _ in range(20)]
    await until(begun.exists)
    gate.touch()
    await asyncio.gather(*callers)

    assert begun.read_text() == "x"


async def test_slow_tasks_leave_their_slots_to_quick_ones(tmp_path: Path) -> None:
    async with pool(processes=1) as workers:
        slow = asyncio.create_task(parse(workers, f"wait {tmp_path}/gate"))
        await asyncio.sleep(0)
        quick = await parse(workers, "hello")  # the only slot is taken until patience_seconds have passed

        assert (quick.canonical, workers.facts()["slow"], slow.done()) == (b"hello", "1", False)
        (tmp_path / "gate").touch()
        assert (await slow).canonical.startswith(b"wait")


async def test_more_tasks_than_the_queue_holds_are_refused_at_once(tmp_path: Path) -> None:
    callers.bind(Caller("10.0.0.7"))
    async with pool(slow_processes=0, processes=1, queue=3) as workers:
        tasks = [asyncio.create_task(parse(workers, f"wait {tmp_path}/gate {n}")) for n in range(4)]
        await until(lambda: workers.facts()["waiting"] == "3")
        with pytest.raises(LimitExceeded, match="3 schemas wait"):
            await parse(workers, "hello")
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

        assert (await parse(workers, "hello")).canonical == b"hello"


async def test_a_cancelled_call_gives_its_slot_back(workers: ProcessWorkers) -> None:
    calls = [asyncio.create_task(parse(workers, f"hang {n}")) for n in range(2)]
    await until(lambda: workers.facts()["busy"] == "2")
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)

    assert (await parse(workers, "hello")).canonical == b"hello"
    assert workers.facts()["timed_out"] == "0"


async def test_a_call_cancelled_in_the_slow_lane_kills_its_child(workers: ProcessWorkers) -> None:
    call = asyncio.create_task(parse(workers, "hang"))
    await until(lambda: workers.facts()["slow"] == "1")
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    await until(lambda: workers.facts()["slow"] == "0")

    assert workers.facts()["timed_out"] == "0"


async def test_who_cancels_is_not_held_off_for_the_process_that_is_ended_then(
    workers: ProcessWorkers,
) -> None:
    callers.bind(Caller("10.0.0.7"))
    for number in range(4):
        call = asyncio.create_task(parse(workers, f"hang {number}"))
        await until(lambda: workers.facts()["slow"] == "1")
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        await until(lambda: workers.facts()["slow"] == "0")

    assert (await parse(workers, "hello")).canonical == b"hello"
    assert workers.facts()["crashed"] == "0"
    assert workers.facts()["held_off"] == "0"


async def test_stopping_ends_tasks_under_way_and_refuses_new_ones() -> None:
    workers = ProcessWorkers(BOUNDS, FACTORY, J)
    await workers.start()
    call = asyncio.create_task(parse(workers, "hang"))
    await until(lambda: workers.facts()["busy"] == "1")
    await workers.stop()

    with pytest.raises(ShuttingDown):
        await call
    with pytest.raises(ShuttingDown):
        await parse(workers, "hello")
    assert not children()


async def test_engines_that_cannot_be_made_are_reported_at_the_start() -> None:
    workers = ProcessWorkers(BOUNDS, "tests.unit.workers.fakes:broken")

    with pytest.raises(Unavailable, match="these engines cannot be made"):
        await workers.start()
    assert not children()


async def test_a_thousand_tasks_of_every_kind_all_get_an_answer(workers: ProcessWorkers) -> None:
    commands = ["abort" if n % 100 == 0 else "invalid" if n % 3 == 0 else "hello" for n in range(1000)]
    gate = asyncio.Semaphore(40)

    async def one(n: int, command: str) -> str:
        async with gate:
            try:
                await parse(workers, f"{command} {n}")
            except InvalidSchema as error:
                return error.issues[0].rule
            return "ok"

    answers = await asyncio.gather(*(one(n, c) for n, c in enumerate(commands)))
    expected = {"abort": "COMPILER_CRASHED", "invalid": "RULE_A", "hello": "ok"}

    assert answers == [expected[c] for c in commands]


def test_the_servers_own_loop_sees_deaths_and_overruns_too() -> None:
    async def story() -> list[str]:
        async with pool(**HASTY) as workers:
            rules = []
            for command in ("abort", "spin", "nonsense"):
                with pytest.raises(InvalidSchema) as caught:
                    await parse(workers, command)
                rules.append(caught.value.issues[0].rule)
            return [*rules, (await parse(workers, "hello")).canonical.decode()]

    assert uvloop.run(story()) == ["COMPILER_CRASHED", "COMPILER_TIMEOUT", "COMPILER_CRASHED", "hello"]


async def test_whatever_happens_no_slot_and_no_process_is_lost() -> None:
    """Good, bad, slow, deadly and cancelled tasks, and children killed from outside, all at once."""
    random = Random(7)
    commands = ["hello", "hello", "invalid", "abort", "exit 3", "noise", "wait /dev/null", "spin"]

    async def one(workers: ProcessWorkers, n: int) -> None:
        await asyncio.sleep(random.random())
        try:
            async with asyncio.timeout(random.choice([0.01, 0.05, 60])):
                await parse(workers, f"{random.choice(commands)} {n}")
        except (InvalidSchema, TimeoutError, Unavailable):
            pass  # all are answers; Unavailable: a busy machine
        if n % 20 == 0:
            for child in children():
                with suppress(psutil.NoSuchProcess):
                    child.kill()

    async with pool(parse_seconds=0.15, patience_seconds=0.05, queue=1000) as workers:
        await asyncio.gather(*(one(workers, n) for n in range(80)))
        answers = await asyncio.gather(*(parse(workers, f"hello again {n}") for n in range(20)))
        await until(lambda: workers.facts()["busy"] == workers.facts()["waiting"] == "0")
        await until(lambda: workers.facts()["processes"] == "3")

        assert len(answers) == 20


async def test_a_task_that_uses_the_processor_loses_its_slot(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seconds = iter(range(100))
    monkeypatch.setattr(WorkerProcess, "cpu_seconds", lambda _: float(next(seconds)))
    async with pool() as workers:
        task = asyncio.create_task(parse(workers, f"wait {tmp_path}/gate"))
        await until(lambda: workers.facts()["slow"] == "1")
        (tmp_path / "gate").touch()
        await task


async def test_a_task_that_does_not_get_the_processor_keeps_its_slot(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    looks: list[WorkerProcess] = []

    def cpu_seconds(child: WorkerProcess) -> float:
        looks.append(child)
        if len(looks) == 2:  # once before the task, once when the patience was at its end, once for its cost
            (tmp_path / "gate").touch()
        return 0.0

    monkeypatch.setattr(WorkerProcess, "cpu_seconds", cpu_seconds)
    async with pool(patience_seconds=1) as workers:
        await parse(workers, f"wait {tmp_path}/gate")

        assert (len(looks), workers.facts()["slow"], workers.facts()["started"]) == (3, "0", "3")


@asynccontextmanager
async def calling_from(address: str) -> AsyncIterator[None]:
    before = callers.current()
    callers.bind(Caller(address))
    try:
        yield
    finally:
        callers.bind(before)


async def asked_by(address: str, workers: ProcessWorkers, command: str) -> ParsedSchema:
    async with calling_from(address):
        return await parse(workers, command)


async def test_a_caller_whose_task_was_dear_waits_in_the_slow_lane_and_others_do_not(tmp_path: Path) -> None:
    async with pool(processes=1) as workers:
        gate = tmp_path / "gate"
        dear = asyncio.create_task(asked_by("10.0.0.1", workers, f"work {gate}"))
        await until(lambda: workers.facts()["slow"] == "1")
        next_one = asyncio.create_task(asked_by("10.0.0.1", workers, "cheap this time"))
        await until(lambda: workers.facts()["waiting"] == "1")
        honest = [await asked_by("10.0.0.2", workers, f"hello {n}") for n in range(5)]

        assert len(honest) == 5
        assert not next_one.done()
        gate.touch()
        pids = [(await task).options["pid"] for task in (dear, next_one)]
        assert pids[0] == pids[1]  # the process with the lowest priority serves whoever waits for one
        await until(lambda: workers.facts()["processes"] == "2")


async def test_a_dear_task_that_finds_the_slow_lane_full_gives_its_slot_up_and_begins_anew(
    tmp_path: Path,
) -> None:
    async with pool(processes=1) as workers:
        gates = [tmp_path / f"gate {n}" for n in range(2)]
        first = asyncio.create_task(asked_by("10.0.0.1", workers, f"wait {gates[0]}"))
        await until(lambda: workers.facts()["slow"] == "1")
        second = asyncio.create_task(asked_by("10.0.0.2", workers, f"wait {gates[1]}"))
        await until(lambda: workers.facts()["waiting"] == "1")

        assert (await asked_by("10.0.0.3", workers, "hello")).canonical == b"hello"
        for gate in gates:
            gate.touch()
        assert (await first).canonical.endswith(b"gate 0")
        assert (await second).canonical.endswith(b"gate 1")


async def test_a_slot_whose_process_was_lost_is_not_given_away_before_there_is_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with pool(processes=1) as workers:
        begun, go_on = asyncio.Event(), asyncio.Event()
        start = WorkerProcess.start

        async def start_late(*arguments: Any) -> WorkerProcess:
            begun.set()
            await go_on.wait()
            return await start(*arguments)

        monkeypatch.setattr(WorkerProcess, "start", start_late)
        for n in range(2):  # the second one takes the process that is kept ready
            with pytest.raises(InvalidSchema):
                await parse(workers, f"abort {n}")
        await begun.wait()
        waiting = asyncio.create_task(parse(workers, "hello"))
        await until(lambda: workers.facts()["waiting"] == "1")
        go_on.set()

        assert (await waiting).canonical == b"hello"


async def test_a_task_that_does_not_get_the_processor_is_not_judged() -> None:
    async with pool(parse_seconds=0.1, compare_seconds=0.1) as workers:
        with pytest.raises(Unavailable, match="too busy"):
            await parse(workers, "hang")
        with pytest.raises(Unavailable, match="too busy"):
            await workers.run(Compare(J, src("hang"), src("x"), CompareOptions()))


async def test_what_ended_a_process_is_refused_without_another_one() -> None:
    async with pool() as workers:
        for _ in range(5):
            with pytest.raises(InvalidSchema) as caught:
                await parse(workers, "abort")
            assert caught.value.issues[0].rule == "COMPILER_CRASHED"
        assert workers.facts()["crashed"] == "1"
        assert (await parse(workers, "hello")).canonical == b"hello"


async def test_callers_who_keep_ending_processes_are_refused_for_a_while_and_nobody_else_is() -> None:
    refused: list[LimitExceeded] = []

    async def attack(workers: ProcessWorkers, number: int) -> None:
        callers.bind(Caller("attacker"))
        try:
            await parse(workers, f"abort {number}")
        except InvalidSchema:
            pass
        except LimitExceeded as error:
            refused.append(error)

    async with pool() as workers:
        # All at once: those that wait when the first ones end their processes are refused, too.
        await asyncio.gather(*(asyncio.create_task(attack(workers, n)) for n in range(20)))

        crashed = int(workers.facts()["crashed"])
        assert crashed + len(refused) == 20
        assert 2 <= crashed <= 2 + BOUNDS.processes + BOUNDS.slow_processes
        assert workers.facts()["held_off"] == str(len(refused))
        assert "setting workers.crash_back_off_seconds" in refused[0].message
        assert refused[0].retry_seconds is not None
        assert refused[0].retry_seconds > 0

        callers.bind(Caller("another"))
        assert (await parse(workers, "hello")).canonical == b"hello"
        callers.bind(Caller(""))
        assert (await parse(workers, "hello again")).canonical == b"hello again"


async def test_nobody_is_refused_for_a_while_when_the_setting_says_so() -> None:
    callers.bind(Caller("attacker"))
    async with pool(crash_back_off_seconds=0.0) as workers:
        for number in range(4):
            with pytest.raises(InvalidSchema):
                await parse(workers, f"abort {number}")


async def test_unknown_callers_who_end_processes_leave_one_for_those_who_are_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def never(*_: object) -> WorkerProcess:
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")

    async def attack(workers: ProcessWorkers, number: int) -> None:
        callers.bind(Caller(f"attacker {number}"))
        with suppress(InvalidSchema, LimitExceeded, ShuttingDown):
            for count in range(3):
                await parse(workers, f"abort {number} {count}")

    async with pool() as workers:
        callers.bind(Caller("known"))
        assert (await parse(workers, "hello")).canonical == b"hello"
        monkeypatch.setattr(WorkerProcess, "start", never)  # a busy machine takes seconds to start one
        attacks = [asyncio.create_task(attack(workers, number)) for number in range(6)]
        await until(lambda: workers.facts()["crashed"] != "0")

        for number in range(20):
            assert (await parse(workers, f"hello {number}")).canonical == f"hello {number}".encode()

        for task in attacks:
            task.cancel()
        await asyncio.gather(*attacks, return_exceptions=True)


async def test_what_others_do_to_the_machine_makes_nobody_s_tasks_dear() -> None:
    callers.bind(Caller("neighbour"))
    async with pool(parse_seconds=0.1) as workers:
        with pytest.raises(Unavailable, match="too busy"):
            await parse(workers, "hang")  # uses no processor

        assert workers._pool._history.cost(("neighbour", Parse)) is Cost.CHEAP
