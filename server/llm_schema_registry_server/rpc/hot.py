"""Which answers are cached, serialized, and the subjects whose change drops each of them."""

from __future__ import annotations

from collections.abc import Sequence

from google.protobuf.message import Message

from llm_schema_registry.v1 import schema_registry_pb2 as pb

from ..calls.answer_cache import AnswerCache, CachedAnswer
from ..model.subject import Subject
from ..registry.reading import FoundSchema
from .convert import Convert

_SERVICE = "/schema_registry.v1.SchemaRegistry/"

CACHED_METHODS = frozenset(
    _SERVICE + name for name in ("GetSchema", "GetSchemaByVersion", "GetLatestVersion", "CheckCompatibility")
)
"""Reads whose answer changes only when a subject does. Answers, not errors: a missing thing is looked for again."""


def schema_id(response: Message) -> str:
    """The id of the schema in an answer; "" when there is none."""
    return response.schema.id if isinstance(response, pb.GetSchemaResponse) else ""


def tags(request: Message, response: Message) -> Sequence[str]:
    """The subjects that an answer depends on, by qualified name; a change of any of them drops it."""
    if isinstance(response, pb.GetSchemaResponse):
        return (response.schema.subject,)
    assert isinstance(request, pb.CompatibilityCheckRequest)
    # References are selectors: another version of what they name may be chosen tomorrow.
    return tuple(str(Subject.parse(s)) for s in (request.subject, *(r.subject for r in request.references)))


class PreparedAnswers:
    """Answers over gRPC that are cached before the first request; see registry/warming.Answers. Those over HTTP are made when
    the first one asks."""

    def __init__(self, hot: AnswerCache, wire: Convert) -> None:
        self._hot, self._wire = hot, wire

    @property
    def room(self) -> bool:
        return self._hot.room

    def begin(self) -> int:
        return self._hot.begin()

    def keep(self, token: int, found: FoundSchema, *, latest: bool) -> None:
        request: pb.GetSchemaRequest | pb.GetLatestVersionRequest
        if latest:
            path, request = "GetLatestVersion", pb.GetLatestVersionRequest(subject=str(found.version.subject))
        else:
            path, request = "GetSchema", pb.GetSchemaRequest(schema_id=found.version.schema_id)
        response = pb.GetSchemaResponse(schema=self._wire.schema(found))
        self._hot.store(
            token,
            "grpc",
            _SERVICE + path,
            request.SerializeToString(),
            request,
            response,
            CachedAnswer(response.SerializeToString()),
            asked=False,
        )
