"""Settings of the storage and the object store."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from .section import Section
from .urls import check_http, check_postgres


class PostgresSettings(Section):
    dsn: SecretStr = SecretStr("")
    """`postgresql://user:password@host:port/database?sslmode=verify-full`; every option of libpq's URIs."""
    replica_dsn: SecretStr = SecretStr("")
    """A streaming replica of the database. It answers lists, searches and dependents as long as it has every change that this
    server has seen; the database itself does otherwise."""
    pool_max: int = Field(10, ge=1, le=1000)
    """Most connections of one server, opened when needed; one more listens for changes."""
    connect_seconds: float = Field(5.0, gt=0)
    """Longest wait for a connection."""
    statement_seconds: float = Field(10.0, gt=0)
    """A statement that takes longer is ended."""
    lock_seconds: float = Field(5.0, gt=0)
    """Longest wait for a lock that another transaction holds."""
    idle_seconds: float = Field(30.0, gt=0)
    """A transaction in which nothing happens for this long is ended."""
    poll_seconds: float = Field(0.25, gt=0)
    """How often to look for changes of other servers when no notification comes."""
    migrate: bool = True
    """Whether a server that starts may bring the database to its schema; else only `migrate` does."""
    transaction_pooler: bool = False
    """Whether a pooler in transaction mode (PgBouncer) is in front of the database."""

    @field_validator("dsn", "replica_dsn")
    @classmethod
    def _names_a_database(cls, dsn: SecretStr) -> SecretStr:
        if dsn.get_secret_value():
            check_postgres(dsn.get_secret_value())
        return dsn


class StorageSettings(Section):
    kind: Literal["sqlite", "postgres", "memory"] = "sqlite"
    """Back end: `sqlite` stores everything in one file, `postgres` in a database that several servers share, `memory`
    loses everything when the server ends."""
    path: Path = Path("data/registry.db")
    """The database file of `sqlite`; its directory is made when missing."""
    synchronous: Literal["full", "normal"] = "full"
    """`full` survives a power failure, `normal` only the death of the process (and is faster)."""
    lock_seconds: float = Field(5.0, gt=0)
    """Longest wait for another process that writes to the file of `sqlite`."""
    readers: int = Field(4, ge=1, le=64)
    """Most read transactions at a time on the file of `sqlite`."""
    list_readers: int = Field(2, ge=1, le=64)
    """Most of them that may be lists and searches, so that look-ups never wait for those."""
    postgres: PostgresSettings = PostgresSettings()

    @field_validator("path")
    @classmethod
    def _is_a_file_name(cls, path: Path) -> Path:
        if "\0" in str(path):
            raise ValueError("must not contain NUL characters")
        return path

    @model_validator(mode="after")
    def _names_its_database(self) -> Self:
        if self.kind == "postgres" and not self.postgres.dsn.get_secret_value():
            raise ValueError("kind postgres needs postgres.dsn")
        return self


class S3Settings(Section):
    bucket: str = Field("", pattern=r"^([a-zA-Z0-9._-]{1,255}|arn:[!-~]{1,500})?$")
    """The bucket; it must exist."""
    prefix: str = Field("llm-schema-registry/", pattern=r"^[!-~]*$", max_length=200)
    """First part of every key."""
    endpoint: str | None = None
    """URL of a service that speaks S3; Amazon's when not given."""
    region: str | None = Field(None, pattern=r"^[a-zA-Z0-9-]{1,63}$")
    """Region; the environment's when not given."""
    access_key: SecretStr | None = None
    """Access key id; found as the AWS tools do (variables, profile, instance role) when not given."""
    secret_key: SecretStr | None = None
    """Secret access key."""
    session_token: SecretStr | None = None
    """Token of temporary credentials."""
    path_style: bool = False
    """Whether the bucket is in the path of URLs instead of the host name (MinIO, Ceph and others)."""
    ca_file: Path | None = None
    """Certificates of the authorities to trust (PEM)."""
    encryption: Literal["AES256", "aws:kms", "aws:kms:dsse"] | None = None
    """Server-side encryption; the bucket's default when not given."""
    kms_key: str | None = None
    """Key for `aws:kms`; the account's default when not given."""
    part_bytes: int = Field(8 * 1024 * 1024, ge=5 * 1024 * 1024)
    """Larger contents are sent in parts of this size."""
    timeout_seconds: float = Field(3.0, gt=0)
    """Longest wait for one request, its repetition included."""
    connections: int = Field(32, ge=1)
    """Most requests at the same time."""
    breaker_failures: int = Field(3, ge=1)
    """After so many failures in a row no requests are sent for `breaker_seconds` (circuit breaker)."""
    breaker_seconds: float = Field(5.0, gt=0)
    """How long no request is sent before one tries again."""

    @field_validator("endpoint")
    @classmethod
    def _is_an_address(cls, endpoint: str | None) -> str | None:
        if endpoint is not None:
            check_http(endpoint)
        return endpoint

    @model_validator(mode="after")
    def _can_be_used(self) -> Self:
        if self.ca_file is not None and not self.ca_file.is_file():
            raise ValueError("ca_file names no file")
        if self.kms_key is not None and self.encryption not in ("aws:kms", "aws:kms:dsse"):
            raise ValueError("kms_key needs encryption aws:kms or aws:kms:dsse")
        return self


class BlobsSettings(Section):
    kind: Literal["inline", "s3"] = "inline"
    """Where large contents are: `inline` in the storage with everything else, `s3` in an object store."""
    threshold: int = Field(1024 * 1024, ge=0)
    """Contents, canonical forms and compiled forms longer than this, in bytes, go to the object store."""
    memory_bytes: int = Field(64 * 1024 * 1024, ge=0)
    """Memory for contents that were read from the object store."""
    s3: S3Settings = S3Settings()

    @model_validator(mode="after")
    def _names_its_bucket(self) -> Self:
        if self.kind == "s3" and not self.s3.bucket:
            raise ValueError("kind s3 needs s3.bucket")
        if (self.s3.access_key is None) != (self.s3.secret_key is None):
            raise ValueError("s3.access_key and s3.secret_key go together")
        return self
