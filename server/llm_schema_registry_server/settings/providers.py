"""Settings about providers of language models."""

from __future__ import annotations

from pydantic import Field

from .auth import Names
from .section import Section


class ProvidersSettings(Section):
    files: Names = ()
    """Files with profiles of your own, as JSON; they count as if they came with the server, and cannot be put or deleted. All
    servers of a database need the same ones."""
    profiles: int = Field(100, ge=0, le=1000)
    """Most profiles that PutProfile may store."""
    profile_bytes: int = Field(64 * 1024, ge=1024, le=64 * 1024)
    """Largest document of one profile that PutProfile takes."""
    prove_seconds: float = Field(2.0, ge=0, le=30)
    """Processor time, in a subprocess, that CompileForProvider and GrammarFor may use for proofs beside `workers.compare_seconds`."""
    watch_seconds: float = Field(10.0, ge=0)
    """How often one of the servers judges what is new by all profiles, and everything by a profile that has changed; 0: never. Verdicts
    are listed by ListProfileVerdicts."""
    watch_share: float = Field(0.2, gt=0, le=1)
    """Share of the time that this judging may take, of one subprocess."""
    form_bytes: int = Field(3 * 1024 * 1024, ge=64 * 1024)
    """Largest compiled form, grammar or decoder, and most bytes of the findings of one CheckProfile. Keep it below what clients accept
    in one message."""
