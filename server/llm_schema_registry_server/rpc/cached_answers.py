"""Which answers are cached serialized, and those that are cached before anybody asks."""

from __future__ import annotations

from llm_schema_registry.v1 import schema_registry_pb2 as pb

from ..calls.answer_cache import AnswerCache, CachedAnswer
from ..registry.reading import FoundSchema
from .convert import MessageConverter
from .protobuf.resources import schema, subject

_SERVICE = "/schema_registry.v1.SchemaRegistry/"

CACHED_METHODS = frozenset(
    _SERVICE + name
    for name in (
        "GetSchema",
        "GetSchemaByVersion",
        "GetLatestVersion",
        "ListVersions",
        "GetSubjectVersions",
        "CheckCompatibility",
        "SearchSchemas",
    )
)
"""Reads whose answer changes only when a subject that they touch does. Answers, not errors: a missing thing is looked for
again. What these methods touch must therefore hold every subject that the answer depends on: references of
CheckCompatibility are selectors, and another version of what they name may be chosen tomorrow. A search that may tell of every
subject touches the registry, which any change changes; one of some subjects only touches nothing, and is not kept."""

GRPC = "grpc"
"""The face whose answers are prepared."""


class PreparedAnswers:
    """Answers over gRPC that are cached before anybody asks; see registry/warming.Answers. Those over HTTP are made when
    the first one asks."""

    def __init__(self, answers: AnswerCache, wire: MessageConverter) -> None:
        self._answers, self._wire = answers, wire

    @property
    def room(self) -> bool:
        return self._answers.room

    def begin(self) -> int:
        return self._answers.begin()

    def keep(self, token: int, found: FoundSchema, *, latest: bool) -> None:
        name, schema_id = subject(found.version.subject), found.version.schema_id
        request: pb.GetSchemaRequest | pb.GetLatestVersionRequest
        if latest:
            path, request = "GetLatestVersion", pb.GetLatestVersionRequest(subject=name.name)
            resources = (name, schema(schema_id))
        else:
            path, request = "GetSchema", pb.GetSchemaRequest(schema_id=schema_id)
            resources = (schema(schema_id), name)
        response = pb.GetSchemaResponse(schema=self._wire.schema(found))
        self._answers.store(
            token,
            (GRPC, _SERVICE + path, request.SerializeToString()),
            CachedAnswer(response.SerializeToString(), resources=resources, schema_id=schema_id, named=1),
            asked=False,
        )
