"""`make load`: every scenario makes its calls on a real server, and a wrong answer fails the run."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import grpc
import pytest

from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry.v1 import schema_registry_pb2_grpc
from tests.api.server import ServerProcess
from tests.loadtest import ROOT

assert ROOT  # puts loadtest/ on the path
import load  # noqa: E402
from loads import corpus  # noqa: E402
from loads.plan import CLOSED, OPEN, Plan  # noqa: E402
from loads.records import DELIVERY, Record  # noqa: E402
from loads.scenarios import SCENARIOS  # noqa: E402

pytestmark = pytest.mark.slow
SUBJECTS = 10


class Target:
    """A server with the corpus in it."""

    def __init__(self, server: ServerProcess) -> None:
        self.ports = {"grpc": server.ports["grpc"], "http": server.ports["http"]}
        self.metrics, self.pid = server.metrics, server.process.pid
        self.entries = asyncio.run(load.fill(server.ports["grpc"], SUBJECTS))

    def plan(self, folder: Path, scenario: str, wire: str, loop: str = CLOSED) -> Plan:
        name = f"{scenario}-{wire}-{loop}"
        return Plan(
            scenario=scenario,
            wire=wire,
            host="127.0.0.1",
            port=self.ports[wire],
            loop=loop,
            seconds=2.0,
            warm_up=0.2,
            users=4,
            rate=40.0,
            shape="sustained",
            zipf=1.1,
            seed=1,
            subscribers=5,
            run=name,
            result=str(folder / f"{name}.json"),
            processes={"server": self.pid},
            metrics=self.metrics,
            corpus=self.entries,
        )


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    server = ServerProcess(tmp_path_factory.mktemp("server"))
    yield Target(server)
    server.stop()


def run(plans: Sequence[Plan]) -> Mapping[str, tuple[int, Record, str]]:
    """Exit code, record and output of each, made at the same time; by wire and loop."""
    started = [load.start_generator(plan, Path(plan.result + ".plan")) for plan in plans]
    done = {}
    for plan, process in zip(plans, started, strict=True):
        out, _ = process.communicate()
        assert Path(plan.result).exists(), out
        done[f"{plan.wire} {plan.loop}"] = process.returncode, Record.read(Path(plan.result)), out
    return done


@pytest.mark.parametrize("scenario", [name for name in SCENARIOS if name != load.CEILING])
def test_a_scenario_makes_its_calls_on_every_wire_and_all_answers_are_right(
    target: Target, tmp_path: Path, scenario: str
) -> None:
    plans = [target.plan(tmp_path, scenario, wire, loop) for wire, loop in (("grpc", CLOSED), ("http", OPEN))]

    for code, record, out in run(plans).values():
        assert (code, record.wrong, record.errors) == (0, [], {}), out
        made = {name for name in record.calls if name != DELIVERY}
        assert made <= set(SCENARIOS[scenario].weights)
        assert record.done > 0
        assert record.seconds >= 2
        assert {"generator", "server", "workers"} <= set(record.processor)
        if SCENARIOS[scenario].watchers:
            assert bool(record.calls.get(DELIVERY)) or "RegisterSchema" not in made
        if scenario == "reads":
            assert record.hits > 0


def other_contents(plan: Plan) -> Plan:
    """One that takes other contents for right."""
    return replace(plan, corpus=tuple(replace(e, content=e.content + " ") for e in plan.corpus))


def other_verdicts(plan: Plan) -> Plan:
    """One that takes invalid data for valid."""
    return replace(plan, corpus=tuple(replace(e, valid=e.invalid) for e in plan.corpus))


def other_types(plan: Plan) -> Plan:
    """One that takes ids for numbers, and so schemas for compatible that are not."""
    entries = (e for e in plan.corpus if e.schema_type == corpus.JSON)
    changed = (
        replace(e, content=e.content.replace('"id": {"type": "string"', '"id": {"type": "integer"'))
        for e in entries
    )
    return replace(plan, corpus=tuple(changed))


@pytest.mark.parametrize(
    ("scenario", "tamper"),
    [("reads", other_contents), ("validate", other_verdicts), ("compatibility", other_types)],
)
def test_a_wrong_answer_fails_the_run(
    target: Target, tmp_path: Path, scenario: str, tamper: Callable[[Plan], Plan]
) -> None:
    plans = [replace(tamper(target.plan(tmp_path, scenario, wire)), seconds=0.5) for wire in ("grpc", "http")]

    for code, record, out in run(plans).values():
        assert code == 1, out
        assert record.wrong_count > 0
        assert "and not" in record.wrong[0]


def test_a_version_that_was_there_before_is_no_right_answer_to_a_registration(
    target: Target, tmp_path: Path
) -> None:
    plan = replace(target.plan(tmp_path, "storm", "grpc"), run="twice", seconds=0.5)
    ((code, _, out),) = run([plan]).values()
    assert code == 0, out

    ((code, record, _),) = run([plan]).values()

    assert code == 1
    assert any("`created`" in text or "ordinal" in text for text in record.wrong)


@pytest.mark.parametrize("wire", ["grpc", "http"])
def test_a_subscriber_that_misses_a_version_fails_the_run(target: Target, tmp_path: Path, wire: str) -> None:
    plan = replace(target.plan(tmp_path, "watch", wire), run=f"missed-{wire}", seconds=1.0)
    with grpc.insecure_channel(f"127.0.0.1:{target.ports['grpc']}") as channel:
        stub = schema_registry_pb2_grpc.SchemaRegistryStub(channel)
        subject = f"storm.{plan.run}.of-another-writer"
        ordinals = itertools.count(1)

        def write() -> None:
            content = corpus.growing(subject, next(ordinals)).encode()
            request = pb.RegisterSchemaRequest(
                subject=subject, schema_content=content, schema_type=pb.SCHEMA_TYPE_JSON
            )
            stub.RegisterSchema(request)

        write()  # before anybody is told of it
        process = load.start_generator(plan, tmp_path / "plan")
        while process.poll() is None:
            write()
            time.sleep(0.05)

    record = Record.read(Path(plan.result))
    assert process.returncode == 1
    assert any(f"of {subject} came after version 0" in text for text in record.wrong), record.wrong


def test_the_report_has_tables_and_pictures(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "loadtest/load.py",
        "--scenarios",
        "reads",
        "--wires",
        "http",
        "--runs",
        "2",
        "--seconds",
        "1",
    ]
    command += ["--warm-up", "0.2", "--schemas", "10", "--stores", "sqlite", "--results", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    page = (tmp_path / "load.md").read_text()
    assert "none was wrong" in page
    assert "| http |" in page
    for name in ("latency", "throughput", "memory"):
        assert f"load/reads-{name}.svg" in page
        assert (tmp_path / "load" / f"reads-{name}.svg").read_text().startswith("<svg")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--scenarios", "raeds"], "'raeds' is not a list of: reads, storm"),
        (["--runs", "0"], "--runs is 0; it must be above 0"),
    ],
)
def test_an_option_that_makes_no_sense_is_named(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        load.options(arguments)

    assert said in capsys.readouterr().err


def test_a_variable_that_makes_no_sense_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOAD_SHAPE", "square")
    with pytest.raises(SystemExit):
        load.options([])

    assert "LOAD_SHAPE is 'square'; use one of sustained, ramp, spike, soak" in capsys.readouterr().err
