"""A server with the corpus in it, and processes that load it, for tests."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.api.server import ServerProcess
from tests.loadtest import ROOT

assert ROOT  # puts loadtest/ on the path
import load  # noqa: E402
from loads.plan import CLOSED, Plan  # noqa: E402
from loads.records import Record  # noqa: E402

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


def run(plans: Sequence[Plan]) -> Mapping[str, tuple[int, Record, str]]:
    """Exit code, record and output of each, made at the same time; by wire and loop."""
    started = [load.start_generator(plan, Path(plan.result + ".plan")) for plan in plans]
    done = {}
    for plan, process in zip(plans, started, strict=True):
        out, _ = process.communicate()
        assert Path(plan.result).exists(), out
        done[f"{plan.wire} {plan.loop}"] = process.returncode, Record.read(Path(plan.result)), out
    return done
