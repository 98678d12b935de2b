"""What there is: the paths of the API as JSON, and which of them is nearest to one that there is not. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

import orjson

from ...rpc.protobuf.method import Method

MOST_SEGMENTS, MOST_CHARACTERS = 12, 60
"""Of a path that is compared with what is served; a longer one is near to nothing."""
_NEAR = 0.6


@dataclass(frozen=True, slots=True)
class ServedPath:
    """One binding: `GET /api/v1/schemas/{schema_id}` and the RPC behind it."""

    verb: str
    path: str
    rpc: str


def served(methods: Iterable[Method]) -> tuple[ServedPath, ...]:
    """Every binding, by path and verb."""
    found = (
        ServedPath(binding.verb, binding.path, method.name)
        for method in methods
        for binding in method.bindings
    )
    return tuple(sorted(found, key=lambda s: (s.path, s.verb)))


def listing(paths: Sequence[ServedPath], sockets: Iterable[str], version: str) -> bytes:
    """The body of `GET /api/v1`."""
    return orjson.dumps(
        {
            "name": "llm-schema-registry",
            "version": version,
            "documentation": "docs/http.md in the repository; protos/ for gRPC, which also has reflection (grpcurl ... list)",
            "health": "/health",
            "routes": [{"verb": s.verb, "path": s.path, "rpc": s.rpc} for s in paths],
            "websockets": list(sockets),
        }
    )


def nearest(paths: Sequence[ServedPath], verb: str, path: str) -> ServedPath | None:
    """The binding that the caller of a path with nothing behind it may have meant, one with its verb before others."""
    wanted = [segment[:MOST_CHARACTERS] for segment in path.strip("/").split("/", MOST_SEGMENTS)]
    if len(wanted) > MOST_SEGMENTS:
        return None
    best = max(paths, key=lambda s: (_likeness(wanted, s.path), s.verb == verb), default=None)
    return best if best is not None and _likeness(wanted, best.path) >= _NEAR else None


def _likeness(wanted: Sequence[str], template: str) -> float:
    """From 0 to 1: segments that are alike, in their order; what either has too many counts against it."""
    segments = template.strip("/").split("/")
    alike = sum(_alike(a, b) for a, b in zip(wanted, segments, strict=False))
    return float(alike / max(len(wanted), len(segments)))


def _alike(segment: str, pattern: str) -> float:
    name, capture, verb = pattern.partition("}")
    if capture:
        return 0.9 if segment.endswith(verb) and segment != verb else 0.0
    return 1.0 if segment == name else SequenceMatcher(None, segment, name).ratio() * 0.9
