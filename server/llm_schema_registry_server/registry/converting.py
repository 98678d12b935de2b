"""ConvertSchema: a schema in another language, with what it could not carry. Nothing is stored."""

from __future__ import annotations

from dataclasses import dataclass

from llm_schema_engines.formats.engine import Engines
from llm_schema_engines.model.schema import SchemaType

from ..errors import InvalidRequest, UnsupportedSchemaType
from ..workers.tasks import Converted
from .diffing import Diffing, Operand
from .library import Library
from .limits import RequestLimits


@dataclass(frozen=True, slots=True)
class ConversionRequest:
    """What to convert into what. `message_name`: the message of a Protobuf source, "" its first one.

    `document`: JSON that is valid under the source, converted too; empty for none.
    """

    source: Operand
    target_type: SchemaType
    message_name: str = ""
    document: bytes = b""


class Converting:
    """The use case behind ConvertSchema."""

    def __init__(self, comparing: Diffing, library: Library, engines: Engines, limits: RequestLimits) -> None:
        self._comparing, self._library, self._engines, self._limits = comparing, library, engines, limits

    async def __call__(self, request: ConversionRequest) -> Converted:
        """Raises ConversionRefused, DataRefused, UnsupportedSchemaType, and what reading the source raises."""
        if request.target_type not in self._engines:
            raise UnsupportedSchemaType(request.target_type.name)
        if len(request.document) > self._limits.data_bytes:
            raise InvalidRequest(
                "data",
                f"is {len(request.document)} bytes long; the limit is {self._limits.data_bytes} (setting limits.data_bytes)",
            )
        schema = await self._comparing.known(request.source, "source")
        return await self._library.convert(
            schema, request.target_type, request.message_name, request.document
        )
