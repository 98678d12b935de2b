"""A server that answers as the secrets engine `transit` of Vault does, as far as its documentation says and we use it."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping

from aiohttp import web
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM


class Vault:
    """One key, of which `rotate` makes new versions. `token`: the one that is taken. `sealed`: it answers 503, as after a restart.
    `asked`: paths of the requests."""

    def __init__(self, key: str = "registry", mount: str = "transit") -> None:
        self.token = "s." + os.urandom(12).hex()
        self.sealed = False
        self.asked: list[str] = []
        self.oldest = 1
        """The oldest version that still decrypts (min_decryption_version)."""
        self._key, self._mount = key, mount
        self._versions = [AESGCM(os.urandom(32))]
        self._runner: web.AppRunner | None = None
        self.address = ""

    async def start(self) -> None:
        application = web.Application()
        for verb, answer in (("encrypt", self._encrypt), ("decrypt", self._decrypt)):
            application.router.add_post(f"/v1/{self._mount}/{verb}/{self._key}", self._guarded(answer))
        self._runner = web.AppRunner(application)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.address = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def rotate(self) -> None:
        self._versions.append(AESGCM(os.urandom(32)))

    def _guarded(self, answer):  # type: ignore[no-untyped-def]  # aiohttp's handlers have many types
        async def guarded(request: web.Request) -> web.Response:
            self.asked.append(request.path)
            if self.sealed:
                return _errors(503, "Vault is sealed")
            if request.headers.get("x-vault-token") != self.token:
                return _errors(403, "permission denied")
            return (
                web.json_response({"data": answer(await request.json())})
                if request.can_read_body
                else _errors(400)
            )

        async def translated(request: web.Request) -> web.Response:
            try:
                return await guarded(request)
            except (InvalidTag, ValueError, KeyError, IndexError, binascii.Error):
                return _errors(400, "invalid ciphertext: unable to decrypt")

        return translated

    def _encrypt(self, body: Mapping[str, str]) -> Mapping[str, object]:
        nonce = os.urandom(12)
        sealed = nonce + self._versions[-1].encrypt(
            nonce, base64.b64decode(body["plaintext"], validate=True), None
        )
        version = len(self._versions)
        return {"ciphertext": f"vault:v{version}:{base64.b64encode(sealed).decode()}", "key_version": version}

    def _decrypt(self, body: Mapping[str, str]) -> Mapping[str, object]:
        _, version, text = body["ciphertext"].split(":")
        number = int(version.removeprefix("v"))
        if number < self.oldest:
            raise ValueError("ciphertext version is disallowed by policy (too old)")
        sealed = base64.b64decode(text, validate=True)
        plain = self._versions[number - 1].decrypt(sealed[:12], sealed[12:], None)
        return {"plaintext": base64.b64encode(plain).decode()}


def _errors(status: int, *errors: str) -> web.Response:
    return web.json_response({"errors": list(errors)}, status=status)
