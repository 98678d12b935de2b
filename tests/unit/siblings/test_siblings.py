"""What serving processes share, and what they tell each other."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace

import pytest
from pydantic import SecretStr

from llm_schema_registry_server.model.health import ComponentStatus
from llm_schema_registry_server.settings import AuthSettings, GrpcSettings, ServerSettings, Settings
from llm_schema_registry_server.siblings.joining import CannotJoin, fixed, join
from llm_schema_registry_server.siblings.place import Member, Place, State
from llm_schema_registry_server.siblings.siblings import Siblings
from llm_schema_registry_server.telemetry.metrics import Metrics

PORTS = {"grpc": 11, "http": 12, "metrics": 13}
TWO = Settings(server=ServerSettings(workers=2))
CALLS = "schema_registry_calls_total"
LABELS = {"method": "/s/M", "wire": "grpc", "code": "OK"}


@pytest.fixture
def place() -> Iterator[Place]:
    """Of a supervisor that is the parent of this process."""
    made = Place.made()
    made.write(State(2, os.getppid(), 1000.0, PORTS, fixed(TWO)))
    yield made
    shutil.rmtree(made.folder)


def counting(calls: int) -> Metrics:
    metrics = Metrics()
    for _ in range(calls):
        metrics.calls.of("/s/M", "grpc").ended("OK", 0.1)
    return metrics


class TestJoining:
    def test_all_have_the_ports_of_the_supervisor_and_one_secret(self, place: Place) -> None:
        (_, one), (_, two) = join(place.folder, 0, TWO), join(place.folder, 1, TWO)

        assert (one.grpc.port, one.http.port, one.metrics.port) == (11, 12, 13)
        assert one.auth.ticket_secret == two.auth.ticket_secret
        assert one.auth.ticket_secret is not None

    def test_a_secret_of_the_settings_stays(self, place: Place) -> None:
        given = SecretStr("what replicas on other machines know, too")
        _, shared = join(place.folder, 0, TWO.model_copy(update={"auth": AuthSettings(ticket_secret=given)}))

        assert shared.auth.ticket_secret == given

    @pytest.mark.parametrize(
        ("changed", "named"),
        [
            ({"server": ServerSettings(workers=3)}, "server.workers was 2 and is 3"),
            ({"grpc": GrpcSettings(port=1)}, "grpc.port was 9090 and is 1"),
        ],
    )
    def test_settings_that_all_share_cannot_change_for_one(
        self, place: Place, changed: dict[str, object], named: str
    ) -> None:
        with pytest.raises(CannotJoin, match=named):
            join(place.folder, 0, TWO.model_copy(update=changed))

    def test_without_a_supervisor_there_is_nothing_to_join(self, place: Place) -> None:
        place.write(replace(place.read(), supervisor=1 << 22))
        with pytest.raises(CannotJoin, match="has ended"):
            join(place.folder, 0, TWO)
        with pytest.raises(CannotJoin, match="no supervisor"):
            join(place.folder / "nowhere", 0, TWO)


class TestPages:
    async def test_the_page_has_what_others_have_that_answer_that_do_not_and_that_have_ended(
        self, place: Place
    ) -> None:
        own, other = counting(1), counting(10)
        silent, ended = 1 << 22, "ended-1.page"
        members = (Member(0, os.getpid()), Member(1, 1 << 21, ready=True), Member(2, silent, ready=True))
        place.write(replace(place.read(), members=members, ended=ended, restarts={"crashed": 4}))
        siblings = Siblings(place, 0)
        await siblings.serve_page(own.registry)
        second = Siblings(place, 1)
        second._pid = 1 << 21  # as if it was another process
        await second.serve_page(other.registry)
        third = Siblings(place, 2)
        third._pid = silent
        third.leave(counting(100).registry)
        place.page(silent).rename(place.folder / ended)
        third.leave(counting(1000).registry)

        page = await siblings.gathered()
        assert page.get_sample_value(CALLS, LABELS) == 1111
        assert page.get_sample_value("schema_registry_serving_processes", {"state": "missing"}) == 1
        assert page.get_sample_value("process_start_time_seconds") == 1000
        assert (
            page.get_sample_value("schema_registry_serving_process_restarts_total", {"why": "crashed"}) == 4
        )
        siblings.close()
        second.close()

    async def test_without_a_supervisor_the_page_is_of_one(self, place: Place) -> None:
        siblings = Siblings(place, 0)
        await siblings.serve_page(counting(3).registry)
        (place.folder / "state.json").unlink()

        assert (await siblings.gathered()).get_sample_value(CALLS, LABELS) == 3
        siblings.close()


class TestHealth:
    async def test_not_ready_until_all_have_been_and_only_degraded_later(self, place: Place) -> None:
        siblings, found = Siblings(place, 0), []
        starting = replace(place.read(), members=(Member(0, 11), Member(1, 12)))
        one = starting.told(11, ready=True)
        both = one.told(12, ready=True)
        for state in (starting, one, both, replace(both, members=(Member(0, 11, ready=True),))):
            place.write(state)
            found.append((await siblings.probe()).status)

        down, up, degraded = ComponentStatus.DOWN, ComponentStatus.UP, ComponentStatus.DEGRADED
        assert found == [down, down, up, degraded]

    async def test_a_supervisor_that_is_gone_is_told(self, place: Place) -> None:
        siblings = Siblings(place, 0)
        (place.folder / "state.json").unlink()
        found = await siblings.probe()

        assert (found.status, "supervisor" in found.message) == (ComponentStatus.DEGRADED, True)
