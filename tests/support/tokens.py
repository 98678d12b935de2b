"""Tokens as an issuer makes them, and as those make them who want to get in without one."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey

ISSUER = "https://issuer.example"
AUDIENCE = "llm-schema-registry"
ALGORITHMS = {"RS256": RSAKey, "ES256": ECKey, "EdDSA": OKPKey, "HS256": OctKey}


def new_key(algorithm: str, kid: str) -> Key:
    """A key for an algorithm."""
    parameters = {"kid": kid, "alg": algorithm, "use": "sig"}
    match algorithm:
        case "RS256":
            return RSAKey.generate_key(2048, parameters)
        case "ES256":
            return ECKey.generate_key("P-256", parameters)
        case "EdDSA":
            return OKPKey.generate_key("Ed25519", parameters)
        case _:
            return OctKey.generate_key(256, parameters)


class Issuer:
    """Keys of an issuer and what it signs with them."""

    def __init__(self, *algorithms: str) -> None:
        self.keys = {algorithm: new_key(algorithm, f"key of {algorithm}") for algorithm in algorithms}

    def key_set(self) -> bytes:
        """What a verifier is given: secrets whole, of key pairs the public half."""
        listed = [key.as_dict(private=algorithm == "HS256") for algorithm, key in self.keys.items()]
        return json.dumps({"keys": listed}).encode()

    def write(self, path: Path) -> Path:
        path.write_bytes(self.key_set())
        return path

    def token(
        self,
        algorithm: str = "ES256",
        header: Mapping[str, Any] | None = None,
        key: Key | None = None,
        **claims: Any,
    ) -> str:
        """A good token but for what is asked to be otherwise; a claim of None is left out."""
        now = time.time()
        whole = {"sub": "ada", "iss": ISSUER, "aud": AUDIENCE, "iat": now - 1, "exp": now + 600, **claims}
        used = key or self.keys[algorithm]
        return jwt.encode(
            {"alg": algorithm, "kid": used.kid, **(header or {})},
            {name: value for name, value in whole.items() if value is not None},
            used,
            algorithms=[algorithm],
        )
