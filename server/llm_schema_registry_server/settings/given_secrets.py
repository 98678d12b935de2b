"""Secrets that stand elsewhere, or encrypted: `file:/run/secrets/dsn` and `encrypted:...` in the place of any secret of the settings."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, SecretStr

KEY_VARIABLE = "SCHEMA_REGISTRY_SETTINGS_KEY"
KEY_FILE_VARIABLE = "SCHEMA_REGISTRY_SETTINGS_KEY_FILE"
FILE, ENCRYPTED = "file:", "encrypted:"
_ABOUT = b"llm-schema-registry setting"
_MOST_BYTES = 64 * 1024
_NONCE_BYTES, _KEY_BYTES = 12, 32


class GivenSecretError(Exception):
    """A secret that cannot be had; the text says why, and quotes none."""


def resolved(
    tree: Mapping[str, Any], model: type[BaseModel], environ: Mapping[str, str], path: str = ""
) -> dict[str, Any]:
    """A tree of settings with the secrets that it refers to. Raises GivenSecretError."""
    found: dict[str, Any] = dict(tree)
    for name, field in model.model_fields.items():
        value = found.get(name)
        place = f"{path}{name}"
        kinds = (field.annotation, *get_args(field.annotation))
        if isinstance(value, str) and SecretStr in kinds:
            found[name] = _secret(value, place, environ)
        elif (
            isinstance(value, Mapping)
            and isinstance(field.annotation, type)
            and issubclass(field.annotation, BaseModel)
        ):
            found[name] = resolved(value, field.annotation, environ, f"{place}.")
    return found


def encrypt(secret: str, environ: Mapping[str, str]) -> str:
    """A secret as it may stand in the settings. Raises GivenSecretError when there is no key."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(_NONCE_BYTES)
    sealed = AESGCM(_key(environ)).encrypt(nonce, secret.encode(), _ABOUT)
    return ENCRYPTED + base64.b64encode(nonce + sealed).decode()


def _secret(value: str, place: str, environ: Mapping[str, str]) -> str:
    try:
        if value.startswith(FILE):
            return _read(Path(value.removeprefix(FILE)))
        if value.startswith(ENCRYPTED):
            return _decrypted(value.removeprefix(ENCRYPTED), environ)
    except GivenSecretError as error:
        raise GivenSecretError(f"{place}: {error}") from None
    return value


def _read(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            data = opened.read(_MOST_BYTES + 1)
        text = data.decode()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise GivenSecretError(f"the file {file} cannot be read: {why}") from None
    if len(data) > _MOST_BYTES:
        raise GivenSecretError(f"the file {file} is longer than {_MOST_BYTES} bytes")
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise GivenSecretError(f"the file {file} is empty")
    return text


def _decrypted(text: str, environ: Mapping[str, str]) -> str:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    key = _key(environ)
    try:
        sealed = base64.b64decode(text, validate=True)
        return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _ABOUT).decode()
    except (InvalidTag, ValueError):
        raise GivenSecretError(
            f"cannot be decrypted: it was altered, or {KEY_VARIABLE} is another key"
        ) from None


def _key(environ: Mapping[str, str]) -> bytes:
    text = environ.get(KEY_VARIABLE, "")
    if file := environ.get(KEY_FILE_VARIABLE):
        text = _read(Path(file))
    if not text:
        raise GivenSecretError(
            f"needs a key: base64 of 32 bytes in {KEY_VARIABLE}, or in the file that {KEY_FILE_VARIABLE} names"
        )
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != _KEY_BYTES:
        raise GivenSecretError(
            f"{KEY_VARIABLE} is not the base64 of {_KEY_BYTES} bytes (openssl rand -base64 32)"
        )
    return key
