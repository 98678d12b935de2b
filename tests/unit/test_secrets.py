"""No secret of the settings reaches a log or a terminal, however a driver spells it."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from redis.asyncio import Redis

from llm_schema_registry_server.settings import Settings, SettingsError, load
from llm_schema_registry_server.settings.urls import REDIS_OPTIONS, REDIS_TLS_OPTIONS, secrets_of
from llm_schema_registry_server.telemetry import logs, secrets

PASSWORD = "p/w:d[@]'%\\x"


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(secrets, "_known", set())
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    yield
    logging.getLogger().handlers[:] = handlers
    logging.getLogger().setLevel(level)


def settings() -> Settings:
    return load(
        environ={
            "SCHEMA_REGISTRY_STORAGE__KIND": "postgres",
            "SCHEMA_REGISTRY_STORAGE__POSTGRES__DSN": f"postgresql://me:{quote(PASSWORD, safe='')}@db.inside/registry",
            "SCHEMA_REGISTRY_CACHES__REDIS__URL": "redis://:hunter2secret@cache.inside/0",
            "SCHEMA_REGISTRY_CACHES__REDIS__SIGNING_KEY": "k" * 20,
        }
    )


def test_every_secret_of_the_settings_is_found() -> None:
    found = list(secrets_of(settings()))

    assert quote(PASSWORD, safe="") in found
    assert {"hunter2secret", "k" * 20} <= set(found)


@pytest.mark.parametrize("form", [str, lambda p: quote(p, safe=""), repr], ids=["plain", "encoded", "repr"])
def test_a_password_is_masked_in_every_form(form: object) -> None:
    secrets.hide(secrets_of(settings()))
    assert callable(form)

    masked = secrets.masked(f"cannot use {form(PASSWORD)} at db.inside")
    assert masked.startswith("cannot use ")
    assert secrets.HIDDEN in masked
    assert masked.endswith(" at db.inside")
    assert "w:d[" not in masked


@pytest.mark.parametrize("format", ["json", "text"])
def test_a_stack_in_the_log_has_no_password(format: str) -> None:
    secrets.hide(secrets_of(settings()))
    stream = io.StringIO()
    logs.configure("info", format, stream)  # type: ignore[arg-type]
    try:
        raise ValueError("no such host: hunter2secret@cache.inside")
    except ValueError:
        logs.get("test").exception("failed", url="redis://:hunter2secret@cache.inside/0")

    assert "hunter2secret" not in stream.getvalue()
    assert "cache.inside" in stream.getvalue()


DSN, REDIS = "SCHEMA_REGISTRY_STORAGE__POSTGRES__DSN", "SCHEMA_REGISTRY_CACHES__REDIS__URL"
S3 = "SCHEMA_REGISTRY_BLOBS__S3__"


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        (DSN, "host=db password=sesame", "must begin with postgresql:// or postgres://"),
        (DSN, "postgresql://me:ses/ame@db/registry", "is not a URL; in user and password percent-encode"),
        (DSN, "postgresql://me:ses[ame@db/registry", "is not a URL"),
        (DSN, "postgresql://me:sesame#1@db/registry", "is not a URL"),
        (DSN, "postgresql://me:sesame@x@db/registry", "is not a URL"),
        (DSN, "postgresql://me:sesame@db:port/registry", "is not a URL"),
        (DSN, "postgresql://me:sesame@db/registry?sslmode=always", "its sslmode must be one of disable"),
        (REDIS, "http://cache", "must begin with redis:// or rediss:// or unix://"),
        (REDIS, "redis://:sesame@cache/0?colour=red", "has an unknown option 'colour'; there are db"),
        (REDIS, "redis://cache/0?ssl_cert_reqs=none", "has an unknown option 'ssl_cert_reqs'"),
        (REDIS, "redis://cache/zero", "must end with the number of a database"),
        (REDIS, "redis://cache/0?db=one", "its option db must be a whole number"),
        (REDIS, "redis://cache:99999/0", "is not a URL"),
        (f"{S3}ENDPOINT", "minio:9000", "must begin with http:// or https://"),
        (f"{S3}ENDPOINT", "http://:9000", "names no host"),
        (f"{S3}BUCKET", "a bucket", "should match pattern"),
        (f"{S3}REGION", "eu west", "should match pattern"),
        (f"{S3}CA_FILE", "/no/such/file.pem", "ca_file names no file"),
        (f"{S3}KMS_KEY", "k", "kms_key needs encryption"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_without_quoting_it(
    variable: str, value: str, said: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load(environ={variable: value})

    assert said in str(caught.value)
    assert variable.removeprefix("SCHEMA_REGISTRY_").split("__")[0] in str(caught.value).upper()
    for piece in ("sesame", "ses/ame", "ses[ame"):
        assert piece not in str(caught.value)
        assert piece not in repr(caught.value.__cause__)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        (DSN, "postgresql:///registry?host=/var/run/postgresql"),
        (DSN, "postgres://me:p%40ss@db1:5432,db2:5433/registry?sslmode=verify-full&sslrootcert=/a.pem"),
        (DSN, "postgresql://[::1]:5432/registry"),
        (REDIS, "redis://cache"),
        (REDIS, "rediss://me:secret@cache:6380/3?ssl_cert_reqs=none&protocol=3"),
        (REDIS, "unix:///run/redis.sock?db=1"),
        (f"{S3}ENDPOINT", "https://s3.example.com"),
        (f"{S3}BUCKET", "my-bucket.of_things"),
    ],
)
def test_an_address_that_can_be_used_is_taken(variable: str, value: str) -> None:
    load(environ={variable: value})


@pytest.mark.parametrize("option", sorted(REDIS_OPTIONS | REDIS_TLS_OPTIONS))
def test_the_redis_client_takes_every_option_that_the_settings_take(option: str) -> None:
    value = "none" if option == "ssl_cert_reqs" else "3" if option == "protocol" else "1"
    client = Redis.from_url(f"rediss://cache/0?{option}={value}")

    assert client.connection_pool.make_connection() is not None
