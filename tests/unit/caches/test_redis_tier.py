"""The Redis tier against a real server: never a wrong answer, never a long wait, and back by itself."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from llm_schema_registry_server import settings
from llm_schema_registry_server.caches.redis import RedisTier
from llm_schema_registry_server.errors import Unavailable
from llm_schema_registry_server.factories import breaker_log
from tests.support.certificates import issue
from tests.support.ports import HeldPort
from tests.support.redis import RedisServer
from tests.support.waiting import until
from tests.unit.conftest import LogLines

FAST: dict[str, Any] = {"timeout_seconds": 0.2, "breaker_failures": 3, "breaker_seconds": 0.1}
GENEROUS: dict[str, Any] = {"timeout_seconds": 20}


Start = Callable[..., Awaitable[RedisServer]]


@pytest_asyncio.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Starts servers with the given options; they are gone after the test."""
    started: list[RedisServer] = []

    async def run(**values: str | HeldPort) -> RedisServer:
        made = RedisServer(tmp_path, {name.replace("_", "-"): value for name, value in values.items()})
        started.append(made)
        await made.start()
        return made

    yield run
    for each in started:
        each.kill()


@pytest_asyncio.fixture
async def server(start: Start) -> RedisServer:
    return await start()


def options(server: RedisServer, **values: Any) -> settings.RedisSettings:
    return settings.RedisSettings.model_validate({"url": server.url, **GENEROUS, **values})


@pytest_asyncio.fixture
async def tier(server: RedisServer) -> AsyncIterator[RedisTier]:
    made = RedisTier(options(server))
    yield made
    await made.close()


@pytest_asyncio.fixture
async def hasty(server: RedisServer) -> AsyncIterator[RedisTier]:
    """A tier that gives up soon."""
    made = RedisTier(options(server, **FAST))
    yield made
    await made.close()


async def recovered(tier: RedisTier, key: str) -> bytes | None:
    """What the tier answers once its breaker lets calls through again."""
    found: bytes | None = None

    async def answered() -> bool:
        nonlocal found
        before = tier.counts.errors + tier.counts.skipped
        found = await tier.get(key)
        return before == tier.counts.errors + tier.counts.skipped

    await until(answered)
    return found


async def useful(tier: RedisTier) -> bool:
    try:
        await tier.probe()
    except Unavailable:
        return False
    return True


async def test_what_was_put_is_found_until_it_is_discarded(tier: RedisTier) -> None:
    await tier.put("a", b"\x00 value")
    assert await tier.get("a") == b"\x00 value"

    await tier.discard("a")
    assert await tier.get("a") is None
    assert (tier.counts.hits, tier.counts.misses, tier.counts.errors) == (1, 1, 0)


async def test_another_instance_finds_it(server: RedisServer, tier: RedisTier) -> None:
    other = RedisTier(options(server))
    await tier.put("a", b"value")

    assert await other.get("a") == b"value"
    await other.close()


async def test_an_empty_value_is_a_value(tier: RedisTier) -> None:
    await tier.put("a", b"")

    assert await tier.get("a") == b""


async def test_keys_have_the_prefix_and_an_end(server: RedisServer) -> None:
    tier = RedisTier(options(server, prefix="mine", ttl_seconds=100))
    await tier.put("a", b"value")

    with server.client() as redis:
        assert redis.keys("*") == [b"mine:1:a"]
        assert 0 < redis.pttl("mine:1:a") <= 100_000
    await tier.close()


async def test_a_value_above_the_cap_is_not_put_and_one_at_the_cap_is(server: RedisServer) -> None:
    tier = RedisTier(options(server, value_bytes=1024))
    await tier.put("large", b"x" * 1025)
    await tier.put("fits", b"x" * 1024)

    assert await tier.get("large") is None
    assert await tier.get("fits") == b"x" * 1024
    assert tier.counts.too_large == 1
    await tier.close()


async def test_garbage_under_our_keys_is_a_miss(server: RedisServer, tier: RedisTier) -> None:
    await tier.put("a", b"value")
    with server.client() as redis:
        (name,) = (key.decode() for key in redis.keys("*"))
        place = name.removesuffix("a")
        redis.set(f"{place}bytes", b"\x80\x04garbage")
        redis.set(f"{place}huge", b"x" * 10_000_000)
        redis.rpush(f"{place}list", "x")
        redis.set(f"{place}moved", redis.get(name))
        redis.setrange(f"{place}cut", 0, redis.get(name)[:-1])

    for key in ("bytes", "huge", "list", "moved", "cut"):
        assert await tier.get(key) is None
    assert tier.counts.damaged == 5
    assert tier.counts.errors == 0
    assert not tier.open

    await tier.put("list", b"ours")  # and can be put right
    assert await tier.get("list") == b"ours"


async def test_many_are_put_and_found_together(server: RedisServer) -> None:
    tier = RedisTier(options(server, value_bytes=1024, prefix="mine", ttl_seconds=100))
    values = {f"k{n}": bytes([n]) * n for n in range(100)}
    await tier.put_all({**values, "large": b"x" * 1025})
    with server.client() as redis:
        redis.set("mine:1:k7", b"\x80\x04garbage")
        redis.delete("mine:1:k8")
        redis.rpush("mine:1:k8", "x")
        assert 0 < redis.pttl("mine:1:k9") <= 100_000

    found = await tier.get_all([*values, "large", "nothing"])

    assert found == {key: value for key, value in values.items() if key not in ("k7", "k8")}
    assert await tier.get("k9") == values["k9"]
    assert (tier.counts.hits, tier.counts.misses) == (99, 4)
    assert (tier.counts.damaged, tier.counts.too_large, tier.counts.errors) == (2, 1, 0)
    server.kill()
    await tier.put_all(values)
    assert await tier.get_all(list(values)) == {}
    await tier.close()


async def test_what_others_without_the_secret_wrote_is_a_miss(server: RedisServer, tier: RedisTier) -> None:
    signing = RedisTier(options(server, signing_key="0123456789abcdef"))
    await tier.put("a", b"forged")
    assert await signing.get("a") is None

    await signing.put("a", b"real")
    assert await signing.get("a") == b"real"
    assert await tier.get("a") is None
    await signing.close()


async def test_a_flush_is_a_miss(server: RedisServer, tier: RedisTier) -> None:
    await tier.put("a", b"value")
    with server.client() as redis:
        redis.flushall()

    assert await tier.get("a") is None
    await tier.put("a", b"again")
    assert await tier.get("a") == b"again"


async def test_a_killed_server_means_misses_and_its_return_means_hits(
    server: RedisServer, hasty: RedisTier
) -> None:
    await hasty.put("a", b"value")
    server.kill()

    for _ in range(10):
        assert await hasty.get("a") is None
        await hasty.put("b", b"value")
    assert hasty.open
    assert hasty.counts.skipped > 0
    with pytest.raises(Unavailable, match="no use"):
        await hasty.probe()

    await server.start()
    assert await recovered(hasty, "a") is None  # the new one is empty
    await hasty.put("a", b"new")
    assert await hasty.get("a") == b"new"
    assert not hasty.open


async def test_a_restart_between_two_calls_is_not_even_noticed(server: RedisServer, tier: RedisTier) -> None:
    await asyncio.gather(*(tier.put(f"k{n}", b"value") for n in range(8)))
    server.kill()
    await server.start()

    await asyncio.gather(*(tier.put(f"k{n}", b"value") for n in range(8)))
    assert await tier.get("k0") == b"value"
    assert tier.counts.errors == 0


@pytest.mark.slow
async def test_a_frozen_server_holds_nobody_and_mixes_up_no_answers(
    server: RedisServer, hasty: RedisTier
) -> None:
    for n in range(50):
        await hasty.put(f"k{n}", f"value {n}".encode())
    server.freeze()
    during = await asyncio.gather(*(hasty.get(f"k{n % 50}") for n in range(500)))
    assert set(during) == {None}
    assert hasty.open
    assert hasty.counts.errors < 100  # those that had a connection; the others did not wait for an answer
    with pytest.raises(Unavailable, match="within"):
        await hasty.probe()

    server.thaw()
    assert await recovered(hasty, "k7") == b"value 7"
    after = await asyncio.gather(*(hasty.get(f"k{n}") for n in range(50)))
    assert all(found in (None, f"value {n}".encode()) for n, found in enumerate(after))
    assert await hasty.probe()


async def test_a_lost_redis_and_a_recovered_one_leave_one_line_each(
    server: RedisServer, log_lines: LogLines
) -> None:
    """Also when nothing but the health report asks for it."""
    clock = iter([100.0, 130.0]).__next__
    tier = RedisTier(
        options(server, breaker_failures=2, breaker_seconds=3600), breaker_log("redis", "slower", clock)
    )
    server.kill()
    for _ in range(5):
        with pytest.raises(Unavailable):
            await tier.probe()
    assert await tier.get("a") is None

    await server.start()
    for _ in range(3):
        await until(lambda: useful(tier))

    lost, recovered = [line for line in log_lines() if line["level"] != "debug"]
    assert (lost["event"], lost["level"], lost["consequence"]) == ("redis_lost", "warning", "slower")
    assert "onnect" in lost["error"]
    assert (recovered["event"], recovered["level"]) == ("redis_recovered", "info")
    assert recovered["away_seconds"] == 30.0
    await tier.close()


async def test_a_successful_probe_closes_the_breaker(server: RedisServer) -> None:
    tier = RedisTier(options(server, timeout_seconds=0.2, breaker_failures=1, breaker_seconds=3600))
    server.freeze()
    assert await tier.get("a") is None
    assert tier.open

    server.thaw()
    await until(lambda: useful(tier))
    assert not tier.open
    await tier.put("a", b"value")
    assert await tier.get("a") == b"value"
    await tier.close()


async def test_a_caller_who_gives_up_leaves_no_mess(server: RedisServer, tier: RedisTier) -> None:
    await tier.put("a", b"value a")
    await tier.put("b", b"value b")
    server.freeze()
    waiting = [asyncio.create_task(tier.get("a")) for _ in range(10)]
    await asyncio.sleep(0)
    for task in waiting:
        task.cancel()
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    server.thaw()

    assert all(isinstance(each, asyncio.CancelledError) for each in ended)
    assert await asyncio.gather(*(tier.get("b") for _ in range(20))) == [b"value b"] * 20
    assert not tier.open


async def test_a_full_server_refuses_writes_and_still_reads(server: RedisServer, tier: RedisTier) -> None:
    await tier.put("a", b"value")
    with server.client() as redis:
        redis.config_set("maxmemory", "1mb")
        redis.config_set("maxmemory-policy", "noeviction")

    for n in range(20):
        await tier.put(f"k{n}", b"x" * 100_000)
    assert tier.counts.errors > 0
    assert not tier.open
    assert await tier.get("a") == b"value"
    with pytest.raises(Unavailable, match="memory"):
        await tier.probe()


async def test_a_password_is_used_and_a_wrong_one_only_costs_the_tier(start: Start) -> None:
    server = await start(requirepass="sesame")
    right = RedisTier(options(server, password="sesame"))
    wrong = RedisTier(options(server, password="open"))

    await right.put("a", b"value")
    assert await right.get("a") == b"value"
    assert await wrong.get("a") is None
    with pytest.raises(Unavailable) as refused:
        await wrong.probe()
    assert "open" not in refused.value.message.split()
    await right.close()
    await wrong.close()


@pytest.mark.slow
async def test_a_cluster_serves_as_well(start: Start) -> None:
    server = await start(cluster_enabled="yes", cluster_port=HeldPort())

    async def formed() -> bool:
        return bool(redis.cluster("INFO")["cluster_state"] == "ok")

    with server.client() as redis:
        redis.execute_command("CLUSTER ADDSLOTSRANGE 0 16383")
        await until(formed)
    tier = RedisTier(options(server, cluster=True))

    await tier.put("a", b"value")
    assert await tier.get("a") == b"value"
    await tier.discard("a")
    assert await tier.get("a") is None
    await tier.put_all({"b": b"1", "c": b"2"})
    assert await tier.get_all(["a", "b", "c"]) == {"b": b"1", "c": b"2"}
    assert await tier.probe() == {"kind": "cluster", "hits": "3"}
    assert tier.counts.errors == 0

    server.kill()
    assert await tier.get("a") is None
    await tier.close()


@pytest.mark.slow
async def test_a_node_of_a_cluster_that_dies_costs_only_its_keys(tmp_path: Path) -> None:
    nodes = []
    for number in range(3):
        home = tmp_path / str(number)
        home.mkdir()
        nodes.append(
            RedisServer(
                home,
                {
                    "cluster-enabled": "yes",
                    "cluster-port": HeldPort(),
                    "cluster-require-full-coverage": "no",
                    "cluster-node-timeout": "60000",
                },
            )
        )
    try:
        for number, node in enumerate(nodes):
            await node.start()
            with node.client() as redis:
                slots = 16384 * number // 3, 16384 * (number + 1) // 3 - 1
                redis.execute_command(f"CLUSTER ADDSLOTSRANGE {slots[0]} {slots[1]}")
                for other in nodes[:number]:
                    redis.execute_command(f"CLUSTER MEET 127.0.0.1 {other.port} {other.bus_port}")

        async def formed() -> bool:
            known = []
            for node in nodes:
                with node.client() as redis:
                    known.append(redis.cluster("INFO"))
            return all(
                (info["cluster_state"], info["cluster_known_nodes"], info["cluster_slots_assigned"])
                == ("ok", "3", "16384")
                for info in known
            )

        await until(formed)
        tier = RedisTier(options(nodes[0], cluster=True, breaker_failures=1000))
        names = [f"key {n}" for n in range(60)]
        for name in names:
            await tier.put(name, name.encode())
        sizes = []
        for node in nodes:
            with node.client() as redis:
                sizes.append(redis.dbsize())
        assert sum(sizes) == 60
        assert all(sizes)
        assert [await tier.get(name) for name in names] == [name.encode() for name in names]

        nodes[2].kill()
        found = [await tier.get(name) for name in names]

        assert sum(each is not None for each in found) == sizes[0] + sizes[1]
        assert all(each in (None, name.encode()) for name, each in zip(names, found, strict=True))
        await tier.close()
    finally:
        for node in nodes:
            node.kill()


async def test_tls_checks_the_server_and_shows_our_certificate(start: Start, tmp_path: Path) -> None:
    files = issue(tmp_path)
    port = HeldPort()
    await start(
        tls_port=port,
        tls_ca_cert_file=str(files.authority),
        tls_cert_file=str(files.certificate),
        tls_key_file=str(files.key),
        tls_auth_clients="yes",
    )
    url = f"rediss://127.0.0.1:{port}/0"
    tls = {
        "ca_file": files.authority,
        "certificate_file": files.certificate,
        "key_file": files.key,
    }

    def connecting(**changes: Any) -> RedisTier:
        values = {"url": url, "tls": {**tls, **changes}, **GENEROUS}
        return RedisTier(settings.RedisSettings.model_validate(values))

    right, nameless = connecting(), connecting(certificate_file=None, key_file=None)
    distrustful, trusting = connecting(ca_file=None), connecting(ca_file=None, verify=False)
    await right.put("a", b"value")

    assert await right.get("a") == b"value"
    assert await trusting.get("a") == b"value"
    assert await distrustful.get("a") is None
    assert await nameless.get("a") is None
    with pytest.raises(Unavailable, match=r"(?i)certificate"):
        await distrustful.probe()
    for each in (right, nameless, distrustful, trusting):
        await each.close()
