"""Parses mutants of good schemas in this process and says what came of them.

    PYTHONPATH=.:server python -m tests.formats.protobuf.mutants SEED COUNT

A mutant that kills the process was the last line of standard output: its source in base64.
"""

from __future__ import annotations

import base64
import random
import re
import sys

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from llm_schema_engines.formats.engine import SchemaSource
from llm_schema_engines.formats.protobuf import ProtobufEngine
from llm_schema_engines.model.compatibility import CompareOptions, Strictness
from llm_schema_engines.protoc.in_process import InProcessProtoc
from llm_schema_registry_server.errors import InvalidSchema
from tests.formats.protobuf.test_canonical import ROUND_TRIP
from tests.formats.protobuf.test_validate import ORDER, STRICT2

TOKEN = re.compile(r'"(?:\\.|[^"])*"|\w+|\S')
SEEDS = [TOKEN.findall(text) for text in (*ROUND_TRIP.values(), ORDER, STRICT2)]
EXTRA = TOKEN.findall(
    r'"\377" "\0" "\xff" -1 536870911 19000 max 0x1F 1e400 inf nan group extend oneof map reserved extensions '
    r'required import public weak option features . default packed edition "2024" export local stream'
)
WORDS = [token for tokens in SEEDS for token in tokens] + EXTRA
SUFFIXES = ["_x", "1", "é", "\\", '"', "'", "\x01"]


def mutate(tokens: list[str], chance: random.Random) -> list[str]:
    """One change: a token replaced, added, dropped, marred, or a run of them repeated."""
    place = chance.randrange(len(tokens))
    change = chance.randrange(5)
    if change == 0:
        tokens[place] = chance.choice(WORDS)
    elif change == 1:
        tokens.insert(place, chance.choice(WORDS))
    elif change == 2 and len(tokens) > 1:
        del tokens[place]
    elif change == 3:
        tokens[place] += chance.choice(SUFFIXES)
    else:
        tokens[place:place] = tokens[place : place + 12]
    return tokens


def text_mutant(chance: random.Random) -> bytes:
    tokens = list(chance.choice(SEEDS))
    for _ in range(chance.choice([1, 1, 2, 4])):
        tokens = mutate(tokens, chance)
    return " ".join(tokens).encode()


def descriptor_mutant(artifact: bytes, chance: random.Random) -> bytes:
    data = bytearray(FileDescriptorSet.FromString(artifact).file[-1].SerializeToString())
    for _ in range(chance.choice([1, 2, 4])):
        data[chance.randrange(len(data))] = chance.randrange(256)
    return base64.b64encode(data)


def main(seed: int, count: int) -> None:
    chance = random.Random(seed)
    engine = ProtobufEngine(InProcessProtoc())
    artifacts: list[bytes] = []
    for _ in range(count):
        described = artifacts and chance.random() < 0.5
        source = descriptor_mutant(chance.choice(artifacts), chance) if described else text_mutant(chance)
        print(base64.b64encode(source).decode(), flush=True)
        try:
            parsed = engine.parse(SchemaSource(source))
        except InvalidSchema:
            continue
        again = engine.parse(SchemaSource(parsed.canonical))
        assert again.canonical == parsed.canonical, source
        artifacts.append(parsed.artifact)
        writer = SchemaSource(b"", artifact=chance.choice(artifacts))
        for strictness in Strictness:
            engine.compare(SchemaSource(b"", artifact=parsed.artifact), writer, CompareOptions(strictness))
    print(f"accepted {len(artifacts)}")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
