"""Attacks with lists: pages of large contents, lists of thousands of items, searches, names in every form."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from functools import cache
from typing import Any

from attacks.attack import (
    JSON,
    Outcomes,
    Target,
    address,
    ask,
    attack,
    calling,
    head,
    in_threads,
    json_request,
    register,
    together,
)
from attacks.grpc_port import reading
from llm_schema_registry.v1 import (
    admin_pb2,
    answers_pb2,
    config_pb2,
    fixes_pb2,
    lifecycle_pb2,
    providers_pb2,
    tickets_pb2,
    tools_pb2,
)
from llm_schema_registry.v1 import schema_registry_pb2 as pb
from tests.api.hostile import Place, encodings, escaped, places
from tests.support.raw_http2 import RawHttp2

Send = Callable[[Any, Target], Awaitable[Any]]
LARGE_CONTENTS = 60


async def large_contents(target: Target) -> Mapping[str, str]:
    """Schemas of a megabyte each."""
    rest = b'", "description": "' + b"x" * 1_000_000 + b'"}'
    await register(
        target,
        *((f"hostile.large.{n}", b'{"title": "%d' % n + rest, JSON) for n in range(LARGE_CONTENTS)),
    )
    return {}


@attack("pages of large contents", 11, prepare=large_contents)
async def large_pages(target: Target) -> Outcomes:
    """8 callers that search and list 60 schemas of a megabyte, a thousand to a page."""
    search = pb.SearchSchemasRequest(subject_pattern="hostile.large.*", limit=1000)

    async def listing(stub: Any, _: Target) -> None:
        async for _info in stub.ListSchemas(
            pb.ListSchemasRequest(subject_prefix="hostile.large.", limit=1000)
        ):
            pass

    return await calling(8, lambda stub, _: stub.SearchSchemas(search), lambda stub, t: listing(stub, t))(
        target
    )


MANY = [f"item-{n}" for n in range(20_000)]
PAIRS = dict.fromkeys(MANY, "value")
_JSON_BODIES = (
    ("/api/v1/search", {"tags": MANY}),
    ("/api/v1/search", {"metadata_filters": PAIRS}),
    ("/api/v1/schemas", {"subject": "hostile.many", "schema": {}, "schema_type": "JSON", "tags": MANY}),
    ("/api/v1/schemas", {"subject": "hostile.many", "schema": {}, "schema_type": "JSON", "metadata": PAIRS}),
    ("/api/v1/schemas", {"subject": "hostile.many", "schema": {}, "schema_type": "JSON", "references": [{"name": n, "subject": n} for n in MANY]}),
)  # fmt: skip


@attack("thousands of items", 11)
async def many_items(target: Target) -> Outcomes:
    """6 callers with 2,000 to 20,000 tags, pairs, references and patterns, as Protobuf, JSON and in the query of a URL."""
    references = [pb.SchemaReference(name=name, subject=name) for name in MANY]

    def asking(tags: int) -> Send:
        return lambda stub, _: stub.SearchSchemas(pb.SearchSchemasRequest(tags=MANY[:tags]))

    async def following(stub: Any, _: Target) -> None:
        async for _event in stub.StreamSchemaChanges(pb.StreamRequest(subjects=MANY)):
            return

    over_grpc = calling(
        3,
        *map(asking, (99, 2_000, 20_000)),
        lambda stub, _: stub.RegisterSchema(
            pb.RegisterSchemaRequest(
                subject="hostile.many", schema_content=b"{}", schema_type=JSON, references=references
            )
        ),
        lambda stub, target: following(stub, target),
    )
    requests = [json_request(path, json.dumps(body).encode()) for path, body in _JSON_BODIES]
    requests.append(
        head("GET", "/api/v1/changes?" + "&".join(f"subjects={n}" for n in MANY[:2500]), "connection: close")
    )

    async def one(target: Target, number: int, found: Outcomes) -> None:
        for request in itertools.cycle(requests):
            if target.over:
                return
            found[await ask(target.http, address(number), request)] += 1

    return sum(await asyncio.gather(over_grpc(target), together(target, 3, one)), Outcomes())


@attack("prefixes at the end of Unicode", 8)
async def last_prefixes(target: Target) -> Outcomes:
    """4 callers whose prefixes and patterns are U+10FFFF, wildcards or NUL, short and long."""
    texts = [part * size for part in ("\U0010ffff", "*a", "?", "\x00", "%_") for size in (1, 127, 100_000)]

    def asking(text: str) -> Iterator[Send]:
        yield lambda stub, _: stub.ListSubjects(pb.ListSubjectsRequest(prefix=text))
        yield lambda stub, _: stub.SearchSchemas(pb.SearchSchemasRequest(subject_pattern=text))
        yield lambda stub, _: stub.SearchSchemas(pb.SearchSchemasRequest(query=text))

    return await calling(4, *itertools.chain.from_iterable(map(asking, texts)))(target)


WORDS = [
    f"{a}{b}"
    for a in ("customer", "address", "invoice", "shipment", "embedding")
    for b in ("", "Id", "Name", "_at")
]


async def many_words(target: Target) -> Mapping[str, str]:
    """300 schemas with words to look for."""
    made = [
        (
            f"hostile.words.{n}",
            json.dumps({"properties": {f"{word}{n}": {"type": "string"} for word in WORDS}}).encode(),
            JSON,
        )
        for n in range(300)
    ]
    await register(target, *made)
    return {}


@attack("misspelt searches", 13, prepare=many_words)
async def misspelt(target: Target) -> Outcomes:
    """8 callers that search for words with a typing error, each another one."""
    chance = random.Random(8)

    def word() -> str:
        letters = list(chance.choice(WORDS) + str(chance.randrange(300)))
        letters[chance.randrange(len(letters))] = chance.choice("abcdefghijklmnopqrstuvwxyz")
        return "".join(letters)

    def send(stub: Any, _: Target) -> Any:
        return stub.SearchSchemas(pb.SearchSchemasRequest(query=" ".join(word() for _ in range(3))))

    return await calling(8, send)(target)


FILES = (
    pb,
    config_pb2,
    lifecycle_pb2,
    admin_pb2,
    tickets_pb2,
    tools_pb2,
    answers_pb2,
    fixes_pb2,
    providers_pb2,
)


ELSEWHERE = {
    "/schema_registry.v1.ConfigService/SetConfig": config_pb2.SetConfigRequest(
        context=".hostile"
    ).SerializeToString()
}
"""What follows a request, so that an open server refuses nothing to honest callers for what an attacker has set."""


@cache
def fields() -> tuple[tuple[str, Place], ...]:
    """Each field of the request of each RPC with a single request, and the path of its RPC."""
    return tuple(
        (f"/{service.full_name}/{method.name}", place)
        for file in FILES
        for service in file.DESCRIPTOR.services_by_name.values()
        for method in service.methods
        if not method.client_streaming
        for place in places(method.input_type)
    )


@attack("junk in every field", 6)
async def junk_in_fields(target: Target) -> Outcomes:
    """4 callers that put what is hostile into any field of any call, over gRPC; 2 that put it into paths and queries."""

    def one(target: Target, number: int, found: Outcomes) -> None:
        chance = random.Random(number)
        while not target.over:
            with suppress(OSError), RawHttp2(target.grpc, address(number)) as connection:
                reading(connection)
                connection.socket.settimeout(2.0)
                for _ in range(200):
                    path, place = chance.choice(fields())
                    for body in itertools.islice(encodings(place), chance.randrange(50), None, 17):
                        if not target.left:
                            return
                        connection.call(path, body + ELSEWHERE.get(path, b""))
                        found["sent over gRPC"] += 1

    async def over_http(target: Target, number: int, found: Outcomes) -> None:
        chance = random.Random(number)
        texts = [t for _, place in fields()[:40] for t in escaped(place.field)]
        while not target.over:
            text = chance.choice(texts)
            path = chance.choice(
                (
                    "/api/v1/config/subjects/{}",
                    "/api/v1/schemas/{}",
                    "/api/v1/schemas?subject_prefix={}",
                    "/api/v1/schemas?page_token={}",
                    "/api/v1/subjects/{}/versions",
                )
            )
            request = head("GET", path.format(text), "connection: close")
            found[await ask(target.http, address(number), request)] += 1

    found = await asyncio.gather(in_threads(target, 4, one), together(target, 2, over_http))
    return sum(found, Outcomes())
