"""S3 blobs against a real S3 API: what is read is what was put, or a clear error, and soon."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from llm_schema_registry_server import settings
from llm_schema_registry_server.errors import StorageDamaged, StorageUnavailable
from llm_schema_registry_server.storage.blobs import s3
from llm_schema_registry_server.storage.blobs.blobs import BlobRef
from llm_schema_registry_server.storage.blobs.s3 import S3Blobs
from tests.support.s3 import CREDENTIALS, Bucket, Fault, FaultyProxy, S3Server
from tests.support.waiting import until

MIB = 1 << 20


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    made = S3Server(tmp_path_factory.mktemp("s3"))
    asyncio.run(made.start())
    yield made
    made.stop()


@pytest_asyncio.fixture
async def bucket(service: S3Server) -> AsyncIterator[Bucket]:
    async with Bucket(service.endpoint) as made:
        yield made


@pytest_asyncio.fixture
async def proxy(service: S3Server) -> AsyncIterator[FaultyProxy]:
    async with FaultyProxy(service.port) as made:
        yield made


def options(bucket: Bucket, **values: Any) -> settings.S3Settings:
    return settings.S3Settings.model_validate(
        {
            "bucket": bucket.name,
            "endpoint": bucket.endpoint,
            "region": "us-east-1",
            "path_style": True,
            "timeout_seconds": 30,
            **CREDENTIALS,
            **values,
        }
    )


@pytest_asyncio.fixture
async def blobs(bucket: Bucket) -> AsyncIterator[S3Blobs]:
    made = S3Blobs(options(bucket))
    await made.open()
    yield made
    await made.close()


@pytest_asyncio.fixture
async def hasty(bucket: Bucket, proxy: FaultyProxy) -> AsyncIterator[S3Blobs]:
    """Behind the proxy, and soon at the end of its patience."""
    made = S3Blobs(
        options(bucket, endpoint=proxy.endpoint, timeout_seconds=0.5, breaker_failures=2, breaker_seconds=0.1)
    )
    await made.open()
    yield made
    await made.close()


def ref(data: bytes, namespace: str = "0a1b2c3d") -> BlobRef:
    return BlobRef(namespace, hashlib.sha256(data).hexdigest(), len(data))


async def put(blobs: S3Blobs, data: bytes, namespace: str = "0a1b2c3d") -> BlobRef:
    made = ref(data, namespace)
    await blobs.put(made, data)
    return made


@pytest.mark.parametrize("data", [b"", b"x", b"\x00\xff" * 700_000], ids=["empty", "small", "large"])
async def test_what_is_put_comes_back(blobs: S3Blobs, data: bytes) -> None:
    assert await blobs.get(await put(blobs, data)) == data


async def test_keys_say_whose_they_are_and_what_is_in_them(bucket: Bucket, blobs: S3Blobs) -> None:
    made = await put(blobs, b"content")

    assert await bucket.keys() == [f"llm-schema-registry/0a1b2c3d/{made.digest}"]


async def test_a_large_blob_goes_in_parts(bucket: Bucket, service: S3Server) -> None:
    blobs = S3Blobs(options(bucket, part_bytes=5 * MIB))
    await blobs.open()
    data = bytes(range(256)) * 4096 * 12  # 12 MiB
    made = await put(blobs, data)

    assert await blobs.get(made) == data
    head = await bucket.head(f"llm-schema-registry/{made.key}")
    assert head["ETag"].strip('"').endswith("-3")
    await blobs.close()


async def test_parts_that_are_never_completed_are_taken_back(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = S3Blobs(options(bucket, part_bytes=5 * MIB))
    await blobs.open()
    whole = blobs._put_part

    async def second_fails(upload: Mapping[str, str], number: int, data: bytes) -> Mapping[str, Any]:
        if number == 2:
            raise StorageUnavailable("gone in the middle")
        return await whole(upload, number, data)

    monkeypatch.setattr(blobs, "_put_part", second_fails)
    with pytest.raises(StorageUnavailable, match="in the middle"):
        await put(blobs, b"x" * 6 * MIB)

    assert await bucket.keys() == []
    assert not (await bucket.client.list_multipart_uploads(Bucket=bucket.name)).get("Uploads")
    await blobs.close()


async def test_encryption_settings_reach_the_service(bucket: Bucket) -> None:
    blobs = S3Blobs(options(bucket, encryption="aws:kms", kms_key="alias/ours"))
    await blobs.open()
    made = await put(blobs, b"secret")

    head = await bucket.head(f"llm-schema-registry/{made.key}")
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", "alias/ours")
    await blobs.close()


async def test_a_missing_blob_is_damage_that_names_the_key(bucket: Bucket, blobs: S3Blobs) -> None:
    made = await put(blobs, b"content")
    await bucket.delete(f"llm-schema-registry/{made.key}")

    with pytest.raises(StorageDamaged, match=f"missing.*{bucket.name}/llm-schema-registry/{made.key}"):
        await blobs.get(made)
    assert not blobs.broken


@pytest.mark.parametrize("wrong", [b"cOntent", b"content and more", b"", b"c"])
async def test_wrong_bytes_are_damage_and_right_ones_are_taken_again(
    bucket: Bucket, blobs: S3Blobs, wrong: bytes
) -> None:
    made = await put(blobs, b"content")
    await bucket.put(f"llm-schema-registry/{made.key}", wrong)
    with pytest.raises(StorageDamaged, match=made.digest):
        await blobs.get(made)
    assert not blobs.broken

    await put(blobs, b"content")
    assert await blobs.get(made) == b"content"


async def test_the_service_is_told_the_digest_so_that_it_can_refuse_damage(
    bucket: Bucket, blobs: S3Blobs
) -> None:
    made = await put(blobs, b"content")

    head = await bucket.head(f"llm-schema-registry/{made.key}")
    assert base64.b64decode(head["ChecksumSHA256"]).hex() == made.digest


async def test_a_listing_has_every_blob_of_a_namespace_with_its_age(bucket: Bucket, blobs: S3Blobs) -> None:
    made = {(await put(blobs, str(n).encode())).key for n in range(3)}
    await put(blobs, b"other", "ffffffff")

    found = [blob async for blob in blobs.list("0a1b2c3d")]
    assert {blob.key for blob in found} == made
    assert all(abs(blob.modified_at - datetime.now(UTC)) < timedelta(hours=1) for blob in found)
    assert abs(await blobs.now() - datetime.now(UTC)) < timedelta(hours=1)


async def test_a_listing_goes_on_past_a_page(blobs: S3Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "PAGE", 3)
    made = {(await put(blobs, str(n).encode())).key for n in range(8)}

    assert {blob.key async for blob in blobs.list("0a1b2c3d")} == made


async def test_what_is_deleted_is_gone_and_can_be_deleted_again(blobs: S3Blobs) -> None:
    made = await put(blobs, b"content")
    assert await blobs.find(made.key) is not None

    await blobs.delete(made.key)
    await blobs.delete(made.key)
    assert await blobs.find(made.key) is None


async def test_a_bucket_that_does_not_exist_is_named(bucket: Bucket) -> None:
    blobs = S3Blobs(options(bucket).model_copy(update={"bucket": "no-such-bucket-here"}))
    await blobs.open()

    with pytest.raises(StorageUnavailable, match=r"create the bucket.*no-such-bucket-here"):
        await blobs.put(ref(b"content"), b"content")
    with pytest.raises(StorageUnavailable, match=r"create the bucket.*no-such-bucket-here"):
        await blobs.probe()
    with pytest.raises(StorageUnavailable, match="no-such-bucket-here"):
        await blobs.get(ref(b"content"))
    await blobs.close()


@pytest.mark.parametrize("fault", [Fault.AWAY, Fault.SILENT, Fault.ERROR, Fault.CUT])
async def test_a_fault_is_an_error_soon_and_over_when_it_is_over(
    blobs: S3Blobs, hasty: S3Blobs, proxy: FaultyProxy, fault: Fault
) -> None:
    made = await put(blobs, b"content" * 10)
    proxy.fault = fault
    seen = proxy.seen
    for _ in range(20):
        with pytest.raises(StorageUnavailable, match=made.key):
            await hasty.get(made)
    assert hasty.broken
    assert proxy.seen - seen < 20  # most of the calls, repetitions aside, did not wait for the service
    if fault is not Fault.CUT:  # HEAD has no body to cut
        with pytest.raises(StorageUnavailable):
            await hasty.probe()

    proxy.fault = Fault.NONE

    async def back() -> bool:
        try:
            return await hasty.get(made) == b"content" * 10
        except StorageUnavailable:
            return False

    await until(back)
    assert await hasty.probe() == {"kind": "s3"}
    assert not hasty.broken


async def test_with_the_breaker_open_the_service_is_left_alone(
    blobs: S3Blobs, hasty: S3Blobs, proxy: FaultyProxy
) -> None:
    made = await put(blobs, b"content")
    proxy.fault = Fault.ERROR
    while not hasty.broken:
        with pytest.raises(StorageUnavailable):
            await hasty.get(made)
    seen = proxy.seen
    for _ in range(100):
        with pytest.raises(StorageUnavailable, match="tried again"):
            await hasty.get(made)

    assert proxy.seen <= seen + 4  # a probe or two, should the pause have passed
