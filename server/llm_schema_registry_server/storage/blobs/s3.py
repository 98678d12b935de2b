"""Blobs in Amazon S3, or in anything that speaks its API.

Every request has a time limit, is repeated once at most, and goes through a circuit breaker: while the service is away,
calls fail at once. What is read is verified against its digest; what is written is verified by the service.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar  # Any: botocore makes its clients at run time, and they have no types

import aiohttp
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError

from ... import settings
from ...caches.breaker import Breaker, BreakerOpen, OnChange
from ...errors import StorageUnavailable
from ...telemetry.work import Operations
from .blobs import BlobRef, StoredBlob, missing, not_ours, verified

T = TypeVar("T")

PAGE = 1000
"""Keys that one request lists (the most that S3 allows)."""
PROBE_SECONDS = 1.5
"""Longest wait for the probe: shorter than the time limit of the health report."""
PROBE_AGAIN_SECONDS = 10.0
"""How long a successful probe is valid, so that frequent health checks send no requests."""

_FAILURES = (BotoCoreError, ClientError, aiohttp.ClientError, OSError, TimeoutError)
_ABSENT = frozenset({"NoSuchKey", "404", "NotFound"})
_HINTS = {
    "NoSuchBucket": "create the bucket, or correct blobs.s3.bucket",
    "AccessDenied": "the credentials must allow s3:GetObject, PutObject, DeleteObject and ListBucket",
    "403": "the credentials must allow s3:ListBucket",
    "404": "create the bucket, or correct blobs.s3.bucket",
}


class S3Blobs:
    """See blobs.Blobs for the meaning of each method. A key in the bucket is `prefix` + the blob's key."""

    def __init__(
        self,
        options: settings.S3Settings,
        on_breaker: OnChange = lambda failure: None,
        operations: Operations | None = None,
    ) -> None:
        self._operations = operations or Operations()
        self._options = options
        self._breaker = Breaker(options.breaker_failures, options.breaker_seconds, on_change=on_breaker)
        self._bucket = {"Bucket": options.bucket}
        self._encryption = _given(ServerSideEncryption=options.encryption, SSEKMSKeyId=options.kms_key)
        self._opened = AsyncExitStack()
        self._client: Any = None
        self._probed_at = float("-inf")

    @property
    def broken(self) -> bool:
        return self._breaker.open

    async def open(self) -> None:
        try:
            self._client = await self._opened.enter_async_context(_client(self._options))
        except (BotoCoreError, ValueError) as error:
            raise StorageUnavailable("the settings in blobs.s3 cannot be used", inside=str(error)) from error

    async def close(self) -> None:
        await self._opened.aclose()

    async def put(self, ref: BlobRef, data: bytes) -> None:
        await self._put(ref, data)
        self._operations.s3_bytes.add("out", by=len(data))

    async def _put(self, ref: BlobRef, data: bytes) -> None:
        if len(data) > self._options.part_bytes:
            await self._put_in_parts(ref, data)
            return
        target = self._target(ref.key)
        checksum = {
            "ChecksumAlgorithm": "SHA256",
            "ChecksumSHA256": base64.b64encode(bytes.fromhex(ref.digest)).decode(),
        }
        await self._ask(
            "PutObject",
            target,
            lambda: self._client.put_object(**target, Body=data, **checksum, **self._encryption),
        )

    async def _put_in_parts(self, ref: BlobRef, data: bytes) -> None:
        target, size = self._target(ref.key), self._options.part_bytes
        begun = await self._ask(
            "CreateMultipartUpload",
            target,
            lambda: self._client.create_multipart_upload(**target, **self._encryption),
        )
        upload = {**target, "UploadId": begun["UploadId"]}
        try:
            parts = []
            for number, start in enumerate(range(0, len(data), size), 1):
                part = await self._put_part(upload, number, data[start : start + size])
                parts.append({"PartNumber": number, "ETag": part["ETag"]})
            await self._ask(
                "CompleteMultipartUpload",
                target,
                lambda: self._client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts}),
            )
        except BaseException:
            # Parts that nobody completes cost money for ever, unless the bucket has a rule against it.
            await asyncio.shield(self._abort(upload))
            raise

    async def _put_part(self, upload: Mapping[str, str], number: int, data: bytes) -> Mapping[str, Any]:
        md5 = base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
        return await self._ask(
            "UploadPart",
            upload,
            lambda: self._client.upload_part(**upload, PartNumber=number, Body=data, ContentMD5=md5),
        )

    async def _abort(self, upload: Mapping[str, str]) -> None:
        try:
            await self._ask(
                "AbortMultipartUpload", upload, lambda: self._client.abort_multipart_upload(**upload)
            )
        except StorageUnavailable:
            return  # the failure that led here is raised

    async def get(self, ref: BlobRef) -> bytes:
        target = self._target(ref.key)
        place = self._place(target)
        data = await self._ask("GetObject", target, lambda: self._read(target, place, ref.size))
        if data is None:
            raise missing(place)
        self._operations.s3_bytes.add("in", by=len(data))
        return await verified(place, ref, data)

    async def _read(self, target: Mapping[str, str], place: str, size: int) -> bytes | None:
        try:
            answer = await self._client.get_object(**target)
        except ClientError as error:
            if _code(error) in _ABSENT:
                return None
            raise
        async with answer["Body"] as body:
            if answer["ContentLength"] != size:
                raise not_ours(place, f"has {answer['ContentLength']} bytes instead of {size}")
            data: bytes = await body.read()
        return data

    async def find(self, key: str) -> StoredBlob | None:
        target = self._target(key)

        async def head() -> StoredBlob | None:
            try:
                found = await self._client.head_object(**target)
            except ClientError as error:
                if _code(error) in _ABSENT:
                    return None
                raise
            return StoredBlob(key, found["ContentLength"], found["LastModified"])

        return await self._ask("HeadObject", target, head)

    async def delete(self, key: str) -> None:
        target = self._target(key)
        await self._ask("DeleteObject", target, lambda: self._client.delete_object(**target))

    async def list(self, namespace: str) -> AsyncIterator[StoredBlob]:
        wanted: dict[str, Any] = {
            **self._bucket,
            "Prefix": f"{self._options.prefix}{namespace}/",
            "MaxKeys": PAGE,
        }
        more: dict[str, str] = {}
        while True:
            page = await self._ask(
                "ListObjectsV2",
                wanted,
                lambda: self._client.list_objects_v2(**wanted, **more),  # noqa: B023 # called at once
            )
            for found in page.get("Contents", ()):
                key = found["Key"].removeprefix(self._options.prefix)
                yield StoredBlob(key, found["Size"], found["LastModified"])
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    async def now(self) -> datetime:
        answer = await self._ask("HeadBucket", self._bucket, lambda: self._client.head_bucket(**self._bucket))
        return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])

    async def probe(self) -> Mapping[str, str]:
        facts = {"kind": "s3"}
        if not self._breaker.open and time.monotonic() - self._probed_at < PROBE_AGAIN_SECONDS:
            return facts
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await self._client.head_bucket(**self._bucket)
        except _FAILURES as error:
            self._probed_at = float("-inf")
            self._breaker.failed(error)
            raise self._away(self._bucket, error) from error
        self._probed_at = time.monotonic()
        self._breaker.succeeded()
        return facts

    def _target(self, key: str) -> dict[str, str]:
        return {**self._bucket, "Key": f"{self._options.prefix}{key}"}

    def _place(self, target: Mapping[str, str]) -> str:
        return f"s3://{target['Bucket']}/{target.get('Key', '')}"

    async def _ask(self, name: str, target: Mapping[str, str], request: Callable[[], Awaitable[T]]) -> T:
        """What the service answers; raises StorageUnavailable when it does not, or when the circuit breaker is open."""
        try:
            with self._breaker.call(*_FAILURES), self._operations.on_s3(name, _FAILURES):
                async with asyncio.timeout(self._options.timeout_seconds):
                    return await request()
        except BreakerOpen:
            raise StorageUnavailable(
                "the object store has failed repeatedly and is tried again in a few seconds",
                inside=self._place(target),
            ) from None
        except _FAILURES as error:
            raise self._away(target, error) from error

    def _away(self, target: Mapping[str, str], error: BaseException) -> StorageUnavailable:
        code = _code(error)
        if isinstance(error, TimeoutError):
            why = "does not answer in time"
        elif code:
            why = f"answers {code}" + (f" ({_HINTS[code]})" if code in _HINTS else "")
        else:
            why = "cannot be reached"
        return StorageUnavailable(
            f"the object store {why}", inside=f"{self._place(target)}: {error}", code=code or None
        )


def _client(options: settings.S3Settings) -> Any:
    def secret(value: Any) -> str | None:
        return value.get_secret_value() if value is not None else None

    config = AioConfig(
        # Two attempts fit into the time of one request.
        connect_timeout=options.timeout_seconds / 3,
        read_timeout=options.timeout_seconds / 2,
        retries={"mode": "standard", "total_max_attempts": 2},
        max_pool_connections=options.connections,
        s3={"addressing_style": "path" if options.path_style else "auto"},
        # Our own digests are enough; several services that speak S3 refuse the newer checksums.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    return get_session().create_client(
        "s3",
        region_name=options.region,
        endpoint_url=options.endpoint,
        aws_access_key_id=secret(options.access_key),
        aws_secret_access_key=secret(options.secret_key),
        aws_session_token=secret(options.session_token),
        verify=str(options.ca_file) if options.ca_file else None,
        config=config,
    )


def _given(**values: str | None) -> dict[str, str]:
    return {name: value for name, value in values.items() if value is not None}


def _code(error: BaseException) -> str:
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""
