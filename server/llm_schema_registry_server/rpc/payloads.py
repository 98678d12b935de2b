"""From requests to what is to be validated."""

from __future__ import annotations

from llm_schema_engines.model.validation import Encoding
from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry.v1 import tools_pb2

from ..errors import InvalidRequest
from ..registry.validating import Payload


def payload_of(request: pb.ValidateDataRequest | tools_pb2.ValidateItemsRequest, data: bytes) -> Payload:
    """What is to be validated. Raises InvalidRequest for an encoding that is none."""
    try:
        encoding = Encoding(request.encoding)
    except ValueError:
        raise InvalidRequest("encoding", f"{request.encoding} is not a value of DataEncoding") from None
    return Payload(
        schema_id=request.schema_id,
        subject=request.subject,
        version=request.version,
        data=data,
        strict=request.strict,
        encoding=encoding,
        message_name=request.message_name,
        max_errors=request.max_errors,
    )
