"""What the quick proof (formats/json_schema/quick_proof) costs, and how many pairs it proves.

    PYTHONPATH=server python loadtest/engines/json_schema_quick_proof.py [PAIRS.jsonl]

Prints, as processor time of one thread: a plain pair and the same pair for the prover; the worst of the hostile pairs
below, filled up to several sizes (best of five, so that what else runs does not count); and of the pairs of PAIRS.jsonl
(see json_schema_pairs.py) how many of the small pairs that the prover proves are proved by the quick proof as well.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from time import thread_time
from typing import Any

from llm_schema_engines.formats.engine import SchemaSource
from llm_schema_engines.formats.json_schema import JsonSchemaEngine
from llm_schema_engines.model.compatibility import CompareOptions, Verdict
from llm_schema_engines.model.schema import SchemaType
from llm_schema_registry_server.errors import InvalidSchema
from llm_schema_registry_server.workers.tasks import QUICK_PROOF_BYTES

ENGINE = JsonSchemaEngine()
OPTIONS = CompareOptions()
SIZES = (2048, 4096, 8192)


def source(schema: Any) -> SchemaSource:
    return SchemaSource(json.dumps(schema, separators=(",", ":")).encode())


def version(number: int) -> SchemaSource:
    """Later versions allow longer ids; what loadtest/writes.py registers."""
    return source(
        {
            "type": "object",
            "properties": {"id": {"type": "string", "maxLength": 100 + number}, "n": {"type": "integer"}},
            "required": ["id"],
        }
    )


def nested(n: int, keyword: str, leaf: Any) -> Any:
    for i in range(min(n, 40)):
        leaf = {"anyOf": [{keyword: i}, leaf]}
    return leaf


Pair = tuple[Any, Any]
HOSTILE: dict[str, Callable[[int], Pair]] = {
    "unions of texts": lambda n: (
        {"anyOf": [{"type": "string", "minLength": i} for i in range(n)]},
        {"anyOf": [{"type": "string", "minLength": i + 1000} for i in range(n)]},
    ),
    "unions of anything": lambda n: ({"anyOf": [{}] * n}, {"anyOf": [{"type": "null"}] * n}),
    "unions of lists": lambda n: (
        {"anyOf": [{"enum": [*range(i, i + 20), 9999]} for i in range(n)]},
        {"anyOf": [{"enum": [*range(i, i + 20)]} for i in range(n)]},
    ),
    "constants": lambda n: (
        {"oneOf": [{"const": i} for i in range(n)]},
        {"oneOf": [{"const": i} for i in range(n)] + [{"const": -1}]},
    ),
    "fractions": lambda n: (
        {"enum": [i + 0.5 for i in range(n)]},
        {"enum": [i + 0.5 for i in range(n)] + [1]},
    ),
    "large numbers": lambda n: ({"enum": [10**390 + i for i in range(n)]}, {"enum": [10**390, 1]}),
    "unions in unions": lambda n: (nested(n, "minLength", {}), nested(n, "maxLength", {"type": "null"})),
    "required names": lambda n: (
        {"anyOf": [{"required": [str(i) for i in range(n)]}] + [{}] * n},
        {"anyOf": [{"required": [str(i) for i in range(1, n + 1)]}] * 2 + [{"required": ["q"]}] * (n // 2)},
    ),
    "all of several": lambda n: (
        {"type": "object", "properties": {f"a{i}": {"minLength": 1} for i in range(n)}},
        {"allOf": [{"properties": {f"a{i}": {"minLength": 0}}} for i in range(n)]},
    ),
    "unknown keywords": lambda n: ({f"x{i}": 1 for i in range(n)}, {f"x{i}": 1 for i in range(n)} | {"a": 1}),
    "malformed": lambda n: ({"allOf": [{"allOf": [{"type": 1}]}] * n}, {"allOf": [{"type": 1}] * n}),
    "brackets in a text": lambda n: ({"title": '\\"[{' * n}, {"title": '\\"[{' * n, "x-a": 1}),
}


def filled(make: Callable[[int], Pair], size: int) -> tuple[SchemaSource, SchemaSource]:
    """The largest pair of its kind of which each side has at most `size` bytes."""
    best = (source({}), source({}))
    for n in count(1):
        pair = source(make(n)[0]), source(make(n)[1])
        if n > 2000 or max(len(side.content) for side in pair) > size:
            return best
        best = pair
    return best


def fresh(reader: SchemaSource, writer: SchemaSource) -> Callable[[], object]:
    """Asks an engine that remembers neither side, the first time."""
    return partial(JsonSchemaEngine().quick_proof, reader, writer, OPTIONS)


def each(asks: Sequence[Callable[[], object]]) -> float:
    """Milliseconds of one call."""
    start = thread_time()
    for ask in asks:
        ask()
    return (thread_time() - start) / len(asks) * 1e3


def plain_pairs() -> None:
    pairs = [(version(i + 1), version(i)) for i in range(300)]
    for side in (side for pair in pairs for side in pair):
        ENGINE.parse(side)
    asks = [fresh(*pair) for pair in pairs]
    small, again = (each(asks) for _ in range(2))
    whole = each([partial(ENGINE.compare, *pair, OPTIONS) for pair in pairs])
    print(
        f"a plain pair: {small * 1e3:.0f} us, {again * 1e3:.0f} us when both were opened lately; "
        f"the prover: {whole * 1e3:.0f} us"
    )


def hostile_pairs() -> None:
    for size in SIZES:
        costs = []
        for name, make in HOSTILE.items():
            pair = filled(make, size)
            for reader, writer in (pair, pair[::-1]):
                costs.append((min(each([fresh(reader, writer)]) for _ in range(5)), name))
        print("the worst hostile pair of {} bytes a side: {:.1f} ms ({})".format(size, *max(costs)))


def real_pairs(path: Path) -> None:
    limit = QUICK_PROOF_BYTES[SchemaType.JSON]
    small = proved = quick_proof = 0
    for line in path.read_text(encoding="utf-8").splitlines():
        pair = json.loads(line)
        texts = (side if isinstance(side, str) else json.dumps(side) for side in (pair["old"], pair["new"]))
        old, new = (SchemaSource(text.encode()) for text in texts)
        if max(len(old.content), len(new.content)) > limit:
            continue
        try:
            ENGINE.parse(old), ENGINE.parse(new)
        except InvalidSchema:
            continue
        for reader, writer in ((new, old), (old, new)):
            small += 1
            proved += ENGINE.compare(reader, writer, OPTIONS).verdict is Verdict.YES
            quick_proof += ENGINE.quick_proof(reader, writer, OPTIONS) is not None
    print(
        f"{small} questions about pairs of at most {limit} bytes: {proved} proved, {quick_proof} of them by the quick proof"
    )


if __name__ == "__main__":
    plain_pairs()
    hostile_pairs()
    for argument in sys.argv[1:]:
        real_pairs(Path(argument))
