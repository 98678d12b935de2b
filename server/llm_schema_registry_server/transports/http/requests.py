"""The request messages of the HTTP twin: from path, query and body, or from each line of a body."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from functools import partial

from google.protobuf.message import Message

from ...calls.call import Call
from ...errors import InvalidRequest, RegistryError
from .asgi import Scope
from .bodies import Bodies, lines
from .errors import RequestTooLarge
from .json_in import line_message, request_message
from .options import HttpOptions
from .routes import Route

# The field of a request that resumes a stream, and the header in which a browser says where it was.
_RESUME_FIELD, _RESUME_HEADER = "from_revision", "last-event-id"


class Requests:
    """Makes messages within the limits of `options`; large ones wait for the thread of `bodies`."""

    def __init__(self, options: HttpOptions, bodies: Bodies) -> None:
        self._bodies = bodies
        self._max_bytes, self._required = options.max_body_bytes, options.required
        values, escapes, items = options.max_values, options.max_escapes, options.max_items
        self._request = partial(request_message, most_values=values, most_escapes=escapes, most_items=items)
        self._line = partial(line_message, most_values=values, most_escapes=escapes, most_items=items)

    async def message(
        self,
        route: Route,
        captured: Mapping[str, str],
        scope: Scope,
        body: bytes,
        defaults: Mapping[str, str] | None = None,
    ) -> Message | RegistryError:
        """The request, or what is wrong with it: in either form the pipeline takes it."""
        query = scope["query_string"].decode("utf-8", "surrogateescape")
        try:
            message = await self._bodies.message(
                len(body), self._request, route, captured, query, body, defaults
            )
        except RegistryError as error:
            return error
        return self._lacking(route, message, body) or message

    async def line_messages(self, route: Route, body: bytes) -> AsyncIterator[Message | RegistryError]:
        """Each line, or what is wrong with it."""
        limit = self._max_bytes
        async for number, line in lines(body):
            if len(line) > limit:
                yield RequestTooLarge(f"line {number}", limit, "http.max_body_bytes")
                continue
            try:
                yield await self._bodies.message(len(line), self._line, route, number, line)
            except RegistryError as error:
                yield error

    def _lacking(self, route: Route, message: Message, body: bytes) -> InvalidRequest | None:
        """What says that the body lacks a field without which the request means nothing; None when it does not."""
        name = self._required.get(route.method.path)
        if name is None or getattr(message, name) or b'"%b"' % name.encode() in body:
            return None
        return InvalidRequest(name, "is missing")


def resumed(route: Route, call: Call) -> Mapping[str, str]:
    """Where a browser's event source wants to go on, as a field of the request."""
    resume = call.metadata.get(_RESUME_HEADER)
    if resume is None or _RESUME_FIELD not in route.method.request_type.DESCRIPTOR.fields_by_name:
        return {}
    return {_RESUME_FIELD: resume}
