"""CertifyCompatibility: the verdict of a check, signed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from hashlib import sha256
from pathlib import Path

import llm_schema_engines
from llm_schema_engines.model.compatibility import CompatibilityReport

from ..audit.notes import PublicKey, Signer
from ..audit.verdicts import Judge, sign_verdict
from ..errors import StorageUnavailable
from .checking import Checking, CompatibilityQuestion


@dataclass(frozen=True, slots=True)
class Certificate:
    """A report, its verdict as a signed note, and the key that verifies that."""

    report: CompatibilityReport
    note: str
    key: PublicKey


class Certifying:
    """signer: the key of the registry; None where there is none (audit.enabled is false). registry_id: asked once the store is open."""

    def __init__(
        self,
        checking: Checking,
        signer: Callable[[], Signer] | None,
        registry_id: Callable[[], str],
        version: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._checking, self._signer, self._registry_id = checking, signer, registry_id
        self._version, self._clock = version, clock

    async def __call__(self, question: CompatibilityQuestion) -> Certificate:
        """Raises what a check raises, and StorageUnavailable where nothing is signed."""
        if self._signer is None:
            raise StorageUnavailable("this server signs no verdicts: audit.enabled is false")
        examined = await self._checking.examine(question)
        signer, rules = self._signer(), await asyncio.to_thread(rules_digest)
        judge = Judge(self._registry_id(), self._version, rules)
        return Certificate(
            examined.report, sign_verdict(examined, judge, self._clock(), signer), signer.public
        )


@cache
def rules_digest() -> str:
    """The SHA-256 of the source of the engines: two servers with the same one judge alike."""
    found = sha256()
    root = Path(llm_schema_engines.__file__).parent
    for file in sorted(root.rglob("*.py")):
        found.update(file.relative_to(root).as_posix().encode() + b"\0" + sha256(file.read_bytes()).digest())
    return f"sha256:{found.hexdigest()}"
