"""Game days: things really break, the alert's own expression fires in a real Prometheus, what its runbook says is done, and the alert ends.

Of the rules only windows and waits are shortened. What a runbook does on a machine (`systemctl start ...`) each game day translates into
what that is here; a line of a runbook that no game day knows fails it.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress

import grpc
import httpx
import psutil
import pytest

from llm_schema_registry.v1 import schema_registry_pb2 as pb
from tests.support.disks import small_disk

from .registry_site import KEY, ORDER, SUBJECT, Site
from .runbooks import PAGES, RUN

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

BY_NAME = {page.name: page for page in PAGES}
SECONDS = 30
"""How long a call may take: it waits for what is broken."""
ELSEWHERE = None
"""What a line does that is for another kind of installation than this one."""
Console = Mapping[str, Callable[[], object] | None]
RESTART = "kubectl rollout restart deployment/registry-llm-schema-registry"


def mitigate(site: Site, page: str, console: Console) -> None:
    """Do what a runbook says under Mitigation."""
    for block in BY_NAME[page].blocks:
        if block.section != "Mitigation":
            continue
        if block.language == RUN:
            site.run(block.commands)
            continue
        for line in block.commands.splitlines():
            act = console[line]
            if act is not None:
                act()


def game_day(
    site: Site, page: str, alerts: set[str], produce: Callable[[], object], console: Console | None = None
) -> None:
    """The alerts are silent, something breaks and they fire, the runbook is followed and they are silent again."""
    wanted = {f"SchemaRegistry{alert}" for alert in alerts}
    site.until(lambda: not wanted & site.firing())
    produce()
    site.until(lambda: wanted <= site.firing())
    mitigate(site, page, console or {})
    site.until(lambda: not wanted & site.firing())


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """PostgreSQL, Redis and an object store under the server."""
    with Site(tmp_path_factory.mktemp("site") / "home", complete=True) as site:
        yield site


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """SQLite on a small disk, if one can be made. Few checks a second are allowed, and who crashes workers is not held off."""
    settings = {
        "rate_limits.mode": "on",
        "rate_limits.check.per_second": 5,
        "workers.crash_back_off_seconds": 0,
        "workers.processes": 3,
    }
    with small_disk(32) as disk:
        home = tmp_path_factory.mktemp("site") / "home"
        with Site(home, complete=False, disk=disk, **settings) as site:
            yield site


_numbers = itertools.count()


def register(site: Site, size: int = 10) -> None:
    """A new content under a subject of its own."""
    number = next(_numbers)
    content = {"title": f"{number}", "description": "x" * size}
    site.stub.RegisterSchema(
        pb.RegisterSchemaRequest(
            subject=f"game.s{number}",
            schema_content=json.dumps(content).encode(),
            schema_type=pb.SCHEMA_TYPE_JSON,
        ),
        metadata=site.as_admin,
        timeout=SECONDS,
    )


def compile_what_is_new(site: Site) -> None:
    """What a worker finds out is kept in Redis, which is asked for it before."""
    text = f'syntax = "proto3"; message M{next(_numbers)} {{}}'
    asked = pb.ValidateSchemaRequest(schema_content=text.encode(), schema_type=pb.SCHEMA_TYPE_PROTOBUF)
    site.stub.ValidateSchema(asked, metadata=site.as_admin, timeout=SECONDS)


def list_subjects(site: Site) -> None:
    """A read that no cache answers."""
    site.stub.ListSubjects(
        pb.ListSubjectsRequest(prefix=f"p{next(_numbers)}"), metadata=site.as_admin, timeout=SECONDS
    )


def look_up(site: Site) -> None:
    """A version that there is not."""
    asked = pb.GetSchemaByVersionRequest(subject=f"none.s{next(_numbers)}", version="1")
    with pytest.raises(grpc.RpcError):
        site.stub.GetSchemaByVersion(asked, metadata=site.as_admin, timeout=SECONDS)


# -- what lies under the server


def test_postgresql_away(production: Site) -> None:
    site = production
    with site.load(lambda: list_subjects(site), lambda: register(site)) as codes:
        game_day(
            site,
            "database-away",
            {"DatabaseErrors", "HealthCheckFailing", "HighErrorRate", "ChangeLogUnreadable"},
            site.database.kill,
            {"systemctl start postgresql": site.database.start},
        )
    assert codes["UNAVAILABLE"] > 0


def test_redis_away(production: Site) -> None:
    site = production
    with site.load(lambda: compile_what_is_new(site)) as codes:
        game_day(
            site,
            "redis-errors",
            {"RedisErrors", "BreakerOpen", "ComponentDegraded"},
            site.redis.kill,
            {"systemctl start redis-server": site.start_redis},
        )
    assert set(codes) == {"OK"}  # nobody noticed


def test_the_object_store_hangs(production: Site) -> None:
    site = production
    with site.load(lambda: register(site, size=1000)) as codes:
        game_day(
            site,
            "object-store",
            {"S3Errors", "BreakerOpen"},
            site.s3.freeze,
            {"systemctl start object-store": site.s3.thaw},
        )
    assert codes["UNAVAILABLE"] > 0


def test_the_pool_is_exhausted_by_a_forgotten_session(production: Site) -> None:
    site = production
    # Lists alone never take every connection.
    calls = [lambda: list_subjects(site), lambda: register(site), lambda: look_up(site)] * 3
    with site.session("BEGIN; LOCK TABLE versions IN ACCESS EXCLUSIVE MODE;") as lock, site.load(*calls):
        game_day(site, "database-pool", {"DatabasePoolExhausted", "DatabasePoolCritical"}, lock)


def test_the_server_has_ended(production: Site) -> None:
    game_day(
        production,
        "down",
        {"Down"},
        production.server.kill,
        {"systemctl start schema-registry": production.serve, RESTART: ELSEWHERE},
    )


# -- what callers do, and what happens to one file


def test_the_disk_is_full(small: Site) -> None:
    site = small
    if not os.path.ismount(site.data.parent):
        pytest.skip("only root may mount a small file system")

    def fill() -> None:
        """With an export of last week."""
        export = site.data / "last-week.jsonl.gz"
        done = subprocess.run(
            ["dd", "if=/dev/zero", f"of={export}", "bs=4096"], capture_output=True, text=True, check=False
        )
        assert "No space left" in done.stderr
        week_ago = time.time() - 7 * 24 * 3600
        os.utime(export, (week_ago, week_ago))

    with site.load(lambda: register(site)) as codes:
        game_day(
            site,
            "disk-full",
            {"DatabaseErrors", "HealthCheckFailing"},
            fill,
            {"systemctl start postgresql": ELSEWHERE},
        )
    assert codes["UNAVAILABLE"] > 0


def test_a_row_cannot_be_read(small: Site) -> None:
    site = small

    def damage() -> None:
        with sqlite3.connect(site.data / "registry.db", timeout=60) as file:
            file.execute("UPDATE versions SET state = 77 WHERE subject = ? AND ordinal = 1", [SUBJECT])
        file.close()

    def list_all() -> None:
        asked = pb.ListSchemasRequest(subject_prefix=SUBJECT)
        assert list(site.stub.ListSchemas(asked, metadata=site.as_admin, timeout=SECONDS))

    with site.load(list_all, pause=0.3):
        game_day(site, "unreadable-rows", {"UnreadableRows"}, damage)


@pytest.fixture
def keyed(small: Site) -> Iterator[Site]:
    """The key counts, before and after."""
    as_made = f"schema-registry keys enable {KEY}; schema-registry keys update {KEY} --role developer"
    small.run(as_made)
    yield small
    small.run(as_made)


def test_one_caller_crashes_the_workers(keyed: Site) -> None:
    """As the kernel ends them when what he sends takes all memory."""
    site, begun = keyed, threading.Event()
    # It takes some tenths of a second to be compiled, and to be refused.
    fields = "".join(f"map<int32, M> m{number} = {number + 1};" for number in range(9000))

    def validate() -> None:
        if begun.is_set():
            text = f'syntax = "proto3"; message M {{ {fields} }} // {next(_numbers)}'
            asked = pb.ValidateSchemaRequest(
                schema_content=text.encode(), schema_type=pb.SCHEMA_TYPE_PROTOBUF
            )
            site.stub.ValidateSchema(asked, metadata=site.as_key, timeout=SECONDS)

    def kill_who_is_at_work() -> None:
        page = httpx.get(site.server.metrics, timeout=SECONDS).text
        busy = re.search(r'^schema_registry_worker_processes\{state="busy"\} (\d+)', page, re.MULTILINE)
        assert busy is not None
        if int(busy[1]):
            for template in psutil.Process(site.server.process.pid).children():
                with suppress(psutil.NoSuchProcess):  # one that has ended since
                    for worker in template.children():
                        worker.kill()

    with site.load(validate, validate, validate, kill_who_is_at_work, pause=0.3) as codes:
        game_day(site, "workers-crashing", {"WorkersCrashing"}, begun.set)
    assert codes["UNAUTHENTICATED"] > 0  # then


def list_versions(site: Site) -> None:
    asked = pb.ListVersionsRequest(subject=SUBJECT)
    site.stub.ListVersions(asked, metadata=site.as_key, timeout=SECONDS)


def test_a_key_was_disabled_too_early(keyed: Site) -> None:
    site = keyed
    with site.load(lambda: list_versions(site)) as codes:
        game_day(
            site,
            "authentication-failures",
            {"AuthenticationFailures"},
            lambda: site.run(f"schema-registry keys disable {KEY}"),
        )
    assert codes["UNAUTHENTICATED"] > 0


def test_a_grant_is_missing(keyed: Site) -> None:
    site = keyed
    with site.load(lambda: list_versions(site)) as codes:
        game_day(
            site,
            "permissions-denied",
            {"PermissionsDenied"},
            lambda: site.run(f"schema-registry keys update {KEY} --role service"),
        )
    assert codes["PERMISSION_DENIED"] > 0


def check(site: Site, metadata: tuple[tuple[str, str], ...]) -> None:
    """Whether a version with one more property, another each time, would be compatible."""
    properties = {**ORDER["properties"], f"more_{next(_numbers)}": {"type": "string"}}
    new = json.dumps({**ORDER, "properties": properties}).encode()
    asked = pb.CompatibilityCheckRequest(subject=SUBJECT, new_schema=new)
    site.stub.CheckCompatibility(asked, metadata=metadata, timeout=SECONDS)


def test_a_caller_runs_wild(keyed: Site) -> None:
    site, begun = keyed, threading.Event()

    def run_wild() -> None:
        if begun.is_set():
            check(site, site.as_key)

    with site.load(run_wild, run_wild, run_wild, pause=0.02) as codes:
        game_day(site, "limits-hit", {"LimitsHit"}, begun.set)
    assert codes["RESOURCE_EXHAUSTED"] > 0


def test_a_team_adds_properties_to_open_objects(small: Site) -> None:
    site, begun = small, threading.Event()

    def propose() -> None:
        if begun.is_set():
            check(site, site.as_admin)

    with site.load(propose, pause=0.4):
        game_day(site, "compatibility-failures", {"CompatibilityFailures"}, begun.set)
