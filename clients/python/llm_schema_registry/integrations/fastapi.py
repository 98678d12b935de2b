"""FastAPI: bodies of requests that are valid under a subject.

A class of `registry.model("orders@^1")` is a body, a response model and a part of OpenAPI as any pydantic class is. `SchemaBody` needs no
class, and follows new versions while the service runs:

    cache = registry.cached(["orders"])                   # of an AsyncSchemaRegistry
    @app.post("/orders", openapi_extra=openapi_body(version))
    async def create(order: Annotated[dict, Depends(SchemaBody(cache, "orders@^1"))]): ...
"""

from __future__ import annotations

import json
from typing import Any

from .._async_live import AsyncLiveCache
from .._pointers import tokens
from .._reference import selected
from ..results import SchemaContent, ValidationReport
from .errors import needs
from .inlining import inlined

try:
    from fastapi import HTTPException, Request
    from fastapi.exceptions import RequestValidationError
except ModuleNotFoundError as error:
    raise needs("fastapi", "fastapi", error) from error

MOST_BYTES = 1024 * 1024


class SchemaBody:
    """A dependency: the JSON body of the request, valid under the version that the selector chooses at that moment.

    A body that is not valid is answered as FastAPI answers such bodies: 422 with a place and a message for each error.
    """

    def __init__(
        self, cache: AsyncLiveCache, schema: str | tuple[str, str | int], *, max_bytes: int = MOST_BYTES
    ) -> None:
        """schema: `subject@selector`. max_bytes: of a body; larger ones are answered 413 before they are read to their end."""
        chosen = selected(schema)
        if not isinstance(chosen, tuple):
            raise TypeError(
                "schema: a subject and a selector are expected; a version never changes: use `registry.model`"
            )
        self._cache = cache
        self._subject, self._selector = chosen
        self._max_bytes = max_bytes

    async def __call__(self, request: Request) -> Any:
        body = await self._body(request)
        report = await self._cache.validate(self._subject, body, version=self._selector)
        if not report.valid:
            raise RequestValidationError(errors_of(report))
        return json.loads(body)

    async def _body(self, request: Request) -> bytes:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > self._max_bytes:
                raise HTTPException(413, f"the body is larger than {self._max_bytes} bytes")
        return bytes(body)


def errors_of(report: ValidationReport) -> list[dict[str, Any]]:
    """A report as FastAPI lists errors of a body."""
    return [
        {
            "type": error.error_type.replace("/", "_"),
            "loc": ("body", *(int(t) if t.isdigit() else t for t in tokens(error.path))),
            "msg": error.message,
        }
        for error in report.errors
    ]


def openapi_body(version: SchemaContent) -> dict[str, Any]:
    """For `openapi_extra` of a route: the body with the schema of a version, its definitions written in place. A recursive schema and
    one that refers to other documents is told by its name alone."""
    whole = inlined(json.loads(version.content))
    if whole is None:
        whole = {"description": f"version {version.version} of {version.subject} in the schema registry"}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": whole}}}}
