"""The keys that tokens are verified with, each with the one algorithm that it is for.

A key never serves two algorithms: a public RSA key must not be taken for the secret of an HMAC (RFC 8725 3.1).
"""

from __future__ import annotations

import json
import warnings
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey

# The library warns of weak keys, which are refused below, and of the name EdDSA, which RFC 9864 replaces by Ed25519 and which is
# what tokens carry in practice.
warnings.filterwarnings("ignore", category=SecurityWarning)

_TYPES: Mapping[str, type[Any]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey, "oct": OctKey}
ALGORITHMS: Mapping[str, frozenset[str]] = {
    "RSA": frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}),
    "EC": frozenset({"ES256", "ES384", "ES512"}),
    "OKP": frozenset({"EdDSA", "Ed25519"}),
    "oct": frozenset({"HS256", "HS384", "HS512"}),
}
"""What a key of a type may be for (RFC 7518 3.1, RFC 8037 3.1, RFC 9864)."""
_USUAL = {"RSA": "RS256", "OKP": "EdDSA", "oct": "HS256"}
_BY_CURVE = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}
_ED25519 = frozenset({"EdDSA", "Ed25519"})
"""Two names of one algorithm."""
_LEAST_SECRET_BYTES = 32
_LEAST_RSA_BITS = 2048
MOST_KEYS = 100
MOST_BYTES = 256 * 1024
"""Of a key set."""


class KeySetError(ValueError):
    """A key set cannot be used; the message says which key and why, without its contents."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One key; `kid` is None when its set gives it no name."""

    kid: str | None
    algorithms: frozenset[str]
    key: Key


class SigningKeys:
    """The keys of one issuer."""

    def __init__(self, keys: tuple[SigningKey, ...]) -> None:
        self._keys = keys
        self._by_id = {key.kid: key for key in keys if key.kid is not None}

    def __len__(self) -> int:
        return len(self._keys)

    def find(self, kid: str | None, algorithm: str) -> SigningKey | None:
        """The key for a token's header. A token without a key id is served when just one key is for its algorithm."""
        if kid is not None:
            key = self._by_id.get(kid)
            return key if key is not None and algorithm in key.algorithms else None
        fitting = [key for key in self._keys if algorithm in key.algorithms]
        return fitting[0] if len(fitting) == 1 else None


def read_key_set(text: bytes) -> SigningKeys:
    """A JSON Web Key Set (RFC 7517 5): its keys for signatures. Raises KeySetError."""
    if len(text) > MOST_BYTES:
        raise KeySetError(f"the key set has {len(text)} bytes; at most {MOST_BYTES} are read")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise KeySetError("the key set is not JSON") from error
    listed = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(listed, list) or not all(isinstance(key, dict) for key in listed):
        raise KeySetError('the key set must be {"keys": [...]} (RFC 7517 5)')
    if len(listed) > MOST_KEYS:
        raise KeySetError(f"the key set has {len(listed)} keys; at most {MOST_KEYS} are read")
    keys = [key for key in (_read(place, key) for place, key in enumerate(listed)) if key is not None]
    names = [key.kid for key in keys if key.kid is not None]
    for name in names:
        if names.count(name) > 1:
            raise KeySetError(f"two keys of the set are called {name!r}")
    if not keys:
        raise KeySetError("the key set has no key for signatures that can be used")
    return SigningKeys(tuple(keys))


def secret_key(secret: str) -> bytes:
    """The key set of a secret that is shared with an issuer who signs with HS256."""
    encoded = urlsafe_b64encode(secret.encode()).rstrip(b"=").decode()
    return json.dumps({"keys": [{"kty": "oct", "alg": "HS256", "k": encoded}]}).encode()


def _read(place: int, given: Mapping[str, Any]) -> SigningKey | None:
    """A key of a set; None for one that is for something else, which a set may hold too (RFC 7517 5)."""
    kind, kid, algorithm = given.get("kty"), given.get("kid"), given.get("alg")
    name = f"key {kid!r}" if isinstance(kid, str) else f"key number {place + 1}"
    if given.get("use", "sig") != "sig" or not isinstance(kind, str) or kind not in _TYPES:
        return None
    if kid is not None and not isinstance(kid, str):
        raise KeySetError(f"{name}: its `kid` must be a string")
    if algorithm is None:
        algorithm = _BY_CURVE.get(str(given.get("crv"))) if kind == "EC" else _USUAL[kind]
    if algorithm not in ALGORITHMS[kind]:
        return None
    try:
        key = _TYPES[kind].import_key(dict(given))
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise KeySetError(f"{name}: it cannot be read as a key of type {kind}") from error
    _demand_strength(name, key)
    return SigningKey(kid, _ED25519 if algorithm in _ED25519 else frozenset({algorithm}), key)


def _demand_strength(name: str, key: Key) -> None:
    if isinstance(key, OctKey) and len(key.raw_value) < _LEAST_SECRET_BYTES:
        raise KeySetError(f"{name}: a secret needs at least {_LEAST_SECRET_BYTES} bytes (RFC 7518 3.2)")
    if isinstance(key, RSAKey) and key.raw_value.key_size < _LEAST_RSA_BITS:
        raise KeySetError(f"{name}: an RSA key needs at least {_LEAST_RSA_BITS} bits (RFC 7518 3.3)")
