"""All attacks, in the order in which they are run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attacks import grpc_port, http_port, pages, payloads, schemas, streams
from attacks.attack import ATTACKS, Attack

MODULES = (schemas, payloads, pages, streams, grpc_port, http_port)
"""What adds to ATTACKS when it is imported."""

ENGINES = ("native", "grpcio")


def chosen(only: Sequence[str]) -> Mapping[str, Attack]:
    """Those whose names hold one of these texts; all when there is none. Raises SystemExit when none is left."""
    found = {n: a for n, a in ATTACKS.items() if not only or any(text in n for text in only)}
    if not found:
        raise SystemExit(f"no attack has {' or '.join(map(repr, only))} in its name; --list names them")
    return found


def engines_of(attack: Attack, engines: Sequence[str]) -> Sequence[str]:
    """On which engines it tells something new: what does not attack the gRPC port is run on the first one alone."""
    return engines if attack.port == "grpc" else engines[:1]
