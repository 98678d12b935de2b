"""Many schemas in one answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from llm_schema_registry.v1 import tools_pb2 as pb

from ..calls.call import Call
from ..calls.failure import failure
from ..errors import InvalidRequest, PageTokenInvalid
from ..model.selector import parse_selector
from ..model.subject import Subject
from ..registry.fairness import Turns
from ..registry.paging import PageRoom
from ..registry.reading import FoundSchema, Reading
from .actors import learn
from .convert import MessageConverter
from .large_answers import LargeAnswers
from .protobuf.resources import schema, subject
from .protobuf.status import status

_PARALLEL = 16
"""Schemas that are looked for at a time."""

Item = pb.BatchGetSchemasResponse.Item


class ManySchemas:
    """Answers BatchGetSchemas. `count_read` is told of each schema that is handed out, by its id."""

    def __init__(
        self, reading: Reading, wire: MessageConverter, large: LargeAnswers, count_read: Callable[[str], None]
    ) -> None:
        self._reading, self._wire, self._large, self._count_read = reading, wire, large, count_read

    async def __call__(self, request: pb.BatchGetSchemasRequest, call: Call) -> pb.BatchGetSchemasResponse:
        """The first schemas that fit into an answer, one at least. Raises InvalidRequest, PageTokenInvalid."""
        limits, selectors = self._reading.limits, request.selectors
        if not 0 < len(selectors) <= limits.page:
            raise InvalidRequest(
                "selectors",
                f"has {len(selectors)} items; it must have 1 to {limits.page} (setting limits.page)",
            )
        answer, room, turns = pb.BatchGetSchemasResponse(), PageRoom(limits.page_bytes), Turns()
        place = _place(request.page_token, len(selectors))
        while place < len(selectors):
            part = selectors[place : place + _PARALLEL]
            for item in await asyncio.gather(*(self._item(selector, call) for selector in part)):
                if not room.take(item.ByteSize()):
                    answer.next_page_token = str(place)
                    return answer
                if item.HasField("schema"):
                    self._count_read(item.schema.id)
                answer.items.append(item)
                place += 1
            await turns.pause_if_due()
        return answer

    async def _item(self, selector: pb.SchemaSelector, call: Call) -> Item:
        try:
            found = await self._found(selector, call)
            await self._large.turn(len(found.content))
        except Exception as error:
            return Item(error=status(failure(error, call.request_id)))
        return Item(schema=self._wire.schema(found))

    async def _found(self, selector: pb.SchemaSelector, call: Call) -> FoundSchema:
        if selector.id:
            if selector.name or selector.version:
                raise InvalidRequest("selectors.id", "cannot be given together with name and version")
            found = await self._reading.by_id(
                selector.id, lambda version: learn(version.subject, version.schema_id, call)
            )
        elif selector.name:
            name = Subject.parse(selector.name)
            call.touch(subject(name))
            found = await self._reading.by_version(name, parse_selector(selector.version or "latest"))
        else:
            raise InvalidRequest("selectors.id", "or name must be given")
        call.touch(schema(found.version.schema_id))
        return found


def _place(token: str, count: int) -> int:
    """The place among the selectors where an answer goes on."""
    if not token:
        return 0
    if not (token.isascii() and token.isdigit() and len(token) < 10 and 0 < int(token) < count):
        raise PageTokenInvalid("page_token", "was not made for these selectors: begin again without one")
    return int(token)
