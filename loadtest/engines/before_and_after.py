"""The engines of two source trees side by side: how much processor time the same work takes in each.

    git worktree add /tmp/before COMMIT --detach
    PYTHONPATH=.:engines:server:clients/python python loadtest/engines/before_and_after.py /tmp/before [--runs 40] [--pairs PAIRS.jsonl ...]
        [--markdown loadtest/results/engines-before-and-after.md]

Each tree runs in a process of its own with this Python and its packages; the two take turns, operation by operation and run by run, so
that what else the machine does falls on both. Other programs make processor time longer, never shorter: a figure is the mean of the
fastest quarter of the runs. `speed` is before / after: 1.00 is as fast, 2.00 twice as fast, and below 0.98 somebody should look; beside
it stands the same for function calls, which no other program changes. Both trees see the same
schemas, and only those that both accept. Inputs are those of the other benchmarks here, and real revisions (json_schema_pairs.py).
"""

from __future__ import annotations

import argparse
import cProfile
import importlib
import io
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import fastavro

ROOT = Path(__file__).resolve().parents[2]
BATCH = 0.02
"""Seconds of processor time that one run of a small operation is repeated for."""
REAL = {
    "schemastore-pairs.jsonl": "JSON",
    "googleapis-pairs.jsonl": "PROTOBUF",
    "reader-writer-pairs.jsonl": "AVRO",
}
DATA = ROOT.parent / "shared" / "data"
MOST_BYTES = 60_000
"""Largest real schema: the others take seconds each."""

Operation = Callable[[], object]


class Tree:
    """The engines of the tree that is the working directory and on the path, whatever its packages are called."""

    def __init__(self) -> None:
        engines = Path("engines").is_dir()
        self.package = "llm_schema_engines" if engines else "llm_schema_registry_server"
        compiler = (
            "llm_schema_engines.protoc.in_process" if engines else "llm_schema_registry_server.workers.protoc"
        )
        found = Path(importlib.import_module(self.package).__file__ or "")
        assert found.is_relative_to(Path.cwd()), f"{found} is not in {Path.cwd()}"
        self.source = self.get("formats.engine", "SchemaSource")
        self.reference = self.get("formats.engine", "ReferencedSchema")
        options, self.strictness = (
            self.get("model.compatibility", "CompareOptions"),
            self.get("model.compatibility", "Strictness"),
        )
        self.options = [options(strictness) for strictness in self.strictness]
        self.encoding = self.get("model.validation", "Encoding")
        protoc = importlib.import_module(compiler).InProcessProtoc
        self.make: dict[str, Callable[[], Any]] = {
            "JSON": self.get("formats.json_schema", "JsonSchemaEngine"),
            "AVRO": self.get("formats.avro", "AvroEngine"),
            "PROTOBUF": lambda: self.get("formats.protobuf", "ProtobufEngine")(protoc()),
        }

    def get(self, module: str, name: str) -> Any:
        return getattr(importlib.import_module(f"{self.package}.{module}"), name)


# What is measured


def tool_call() -> tuple[Any, Any]:
    call = {
        "type": "object",
        "properties": {
            "name": {"type": "string", "pattern": "^[a-z_]{1,64}$"},
            "arguments": {
                "type": "object",
                "properties": {"city": {"type": "string", "minLength": 1}, "unit": {"enum": ["celsius", "fahrenheit"]},
                               "days": {"type": "integer", "minimum": 1, "maximum": 14}},
                "required": ["city"],
                "additionalProperties": False,
            },
        },
        "required": ["name", "arguments"],
        "additionalProperties": False,
    }  # fmt: skip
    return call, {"name": "get_weather", "arguments": {"city": "Oslo", "unit": "celsius", "days": 3}}


def entities(count: int) -> tuple[Any, Any]:
    """A tagged union in a list."""
    kinds: dict[str, dict[str, Any]] = {
        "person": {"name": {"type": "string"}, "age": {"type": ["integer", "null"]}},
        "place": {"name": {"type": "string"}, "lat": {"type": "number"}, "lon": {"type": "number"}},
        "event": {"title": {"type": "string"}, "tags": {"type": "array", "items": {"type": "string"}}},
    }
    branches = [
        {"type": "object", "properties": {"kind": {"const": kind}, **props}, "required": ["kind", *props], "additionalProperties": False}
        for kind, props in kinds.items()
    ]  # fmt: skip
    values: list[dict[str, Any]] = [
        {"kind": "person", "name": "Ada", "age": 36},
        {"kind": "place", "name": "Oslo", "lat": 59.9, "lon": 10.7},
        {"kind": "event", "title": "Launch", "tags": ["a", "b"]},
    ]
    schema = {
        "type": "object",
        "properties": {"entities": {"type": "array", "items": {"oneOf": branches}}},
        "required": ["entities"],
    }
    return schema, {"entities": [values[i % 3] for i in range(count)]}


def of_json(tree: Tree) -> Iterator[tuple[str, Operation]]:
    engine = tree.make["JSON"]()
    cases = (("tool call", tool_call()), ("10 entities", entities(10)), ("1,000 entities", entities(1000)))
    for name, (schema, value) in cases:
        schema = {"$schema": "http://json-schema.org/draft-07/schema#", **schema}
        source, narrower = (
            tree.source(json.dumps(s).encode()) for s in (schema, {**schema, "maxProperties": 1})
        )
        payload, bad = json.dumps(value).encode(), json.dumps(dict.fromkeys(value)).encode()
        validator = engine.compile_validator(source)
        yield f"JSON, {name}: valid payload", partial(validator.validate, payload)
        yield f"JSON, {name}: valid payload, strict", partial(validator.validate, payload, strict=True)
        yield f"JSON, {name}: invalid payload", partial(validator.validate, bad)
        if "1,000" not in name:
            yield f"JSON, {name}: compile", partial(engine.compile_validator, source)
            yield f"JSON, {name}: parse strictly", partial(engine.parse, source)
            yield f"JSON, {name}: compare, NO", partial(engine.compare, narrower, source, tree.options[0])
            yield f"JSON, {name}: compare, YES", partial(engine.compare, source, narrower, tree.options[0])


def of_avro(tree: Tree) -> Iterator[tuple[str, Operation]]:
    engine = tree.make["AVRO"]()
    micros = {"type": "long", "logicalType": "timestamp-micros"}
    kinds: list[tuple[Any, Any]] = [("long", 123456789), ("string", "some text"), (["null", "string"], "maybe"), ("double", 0.25),
             ({"type": "array", "items": "string"}, ["a", "b"]), (micros, 1_700_000_000_000_000), ("boolean", True)]  # fmt: skip
    for count in (10, 300):
        fields = [
            {"name": f"field_{i}", "type": kinds[i % 7][0], "doc": f"What {i} holds."} for i in range(count)
        ]
        value = {f"field_{i}": kinds[i % 7][1] for i in range(count)}
        old, new = (
            tree.source(json.dumps({"type": "record", "name": "Event", "namespace": "org.example", "fields": f}).encode())
            for f in (fields, [*fields, {"name": "added", "type": ["null", "int"], "default": None}])
        )  # fmt: skip
        validate = engine.compile_validator(old).validate
        plain = json.dumps(value).encode()
        tagged = json.dumps({k: {"string": v} if v == "maybe" else v for k, v in value.items()}).encode()
        case = f"Avro, {count} fields"
        yield f"{case}: parse strictly", partial(engine.parse, old)
        yield f"{case}: compare, YES", partial(engine.compare, new, old, tree.options[0])
        yield f"{case}: compile", partial(engine.compile_validator, old)
        yield f"{case}: plain JSON", partial(validate, plain, encoding=tree.encoding.JSON)
        yield f"{case}: Avro JSON", partial(validate, tagged, encoding=tree.encoding.AVRO_JSON)
        yield f"{case}: binary", partial(validate, written(old, value), encoding=tree.encoding.BINARY)


def written(source: Any, value: Any) -> bytes:
    schema = json.loads(source.content)
    for field in schema["fields"]:
        if isinstance(field["type"], dict):
            field["type"].pop("logicalType", None)
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), value)
    return out.getvalue()


SMALL = b"""syntax = "proto3"; package shop.v1; import "google/protobuf/timestamp.proto";
message Order { string id = 1; repeated Line lines = 2; google.protobuf.Timestamp created = 4; map<string, string> labels = 5; }
message Line { string sku = 1; int32 quantity = 2; }"""
ORDER = b"""{"id": "order-1", "lines": [{"sku": "a-1", "quantity": 2}, {"sku": "b-2", "quantity": 1}],
"created": "2024-05-06T07:08:09Z", "labels": {"channel": "web"}}"""
BINARY = b"\n\x07order-1\x12\x07\n\x03a-1\x10\x02\x12\x07\n\x03b-2\x10\x01*\x0e\n\x07channel\x12\x03web"


def large() -> bytes:
    """A thousand fields in 63 messages."""
    kinds = ("int32", "string", "double", "bool")
    text = 'syntax = "proto3"; package big.v1;\n'
    for m in range(63):
        lines = [f"  // What field {i} holds.\n  {kinds[i % 4]} field_{i} = {i + 1};\n" for i in range(15)]
        text += f"message M{m} {{\n{''.join(lines)}{f'  M{m - 1} before = 16;' if m else ''}\n}}\n"
    return text.encode()


def of_protobuf(tree: Tree) -> Iterator[tuple[str, Operation]]:
    engine = tree.make["PROTOBUF"]()
    cases = (("small", SMALL, b"message Line {"), ("1,000 fields", large(), b"message M30 {"))
    for name, content, place in cases:
        old = tree.source(content)
        changed = tree.source(content.replace(place, place + b" string added = 99;"))
        before, after = (engine.parse(s).artifact for s in (old, changed))
        reader, writer = tree.source(b"", artifact=after), tree.source(b"", artifact=before)
        case = f"Protobuf, {name}"
        yield f"{case}: parse", partial(engine.parse, old)
        yield f"{case}: read an artifact and compile", partial(compiled_anew, tree, writer)
        for strictness, options in zip(tree.strictness, tree.options, strict=True):
            yield f"{case}: compare, {strictness.name}", partial(engine.compare, reader, writer, options)
        if name == "small":
            validate = engine.compile_validator(writer).validate
            for what, payload, encoding in (
                ("binary", BINARY, tree.encoding.BINARY),
                ("JSON", ORDER, tree.encoding.JSON),
            ):
                for strict in (False, True):
                    assert validate(payload, encoding=encoding, strict=strict).valid
                    operation = partial(validate, payload, encoding=encoding, strict=strict)
                    yield f"{case}: {what}{', strict' if strict else ''}", operation


def compiled_anew(tree: Tree, source: Any) -> object:
    return tree.make["PROTOBUF"]().compile_validator(source)


def real(tree: Tree, path: Path, accepted: set[int] | None) -> tuple[set[int], list[tuple[str, Operation]]]:
    """The numbers of the lines of which both sides are accepted, and operations over those in `accepted`."""
    kind = REAL[path.name]
    engine = tree.make[kind]()
    found: dict[int, tuple[Any, Any]] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines()):
        pair = json.loads(line)
        sides = (pair.get("old", pair.get("writer")), pair.get("new", pair.get("reader")))
        texts = [side if isinstance(side, str) and kind != "AVRO" else json.dumps(side) for side in sides]
        sources = [tree.source(text.encode()) for text in texts]
        if (accepted is not None and number not in accepted) or max(map(len, texts)) > MOST_BYTES:
            continue
        try:
            artifacts = [engine.parse(source).artifact for source in sources]
        except Exception as error:  # a schema that this tree refuses is not measured in either
            if type(error).__name__ not in ("InvalidSchema", "UnknownDialect"):
                raise
            continue
        old, new = (
            tree.source(source.content, artifact=artifact)
            for source, artifact in zip(sources, artifacts, strict=True)
        )
        found[number] = (old, new)
    pairs = list(found.values())

    def parse() -> None:
        fresh = tree.make[kind]()
        for old, new in pairs:
            fresh.parse(tree.source(old.content))
            fresh.parse(tree.source(new.content))

    def compare() -> list[float]:
        fresh, times = tree.make[kind](), []
        for old, new in pairs:
            for reader, writer in ((new, old), (old, new)):
                started = time.process_time()
                fresh.compare(reader, writer, tree.options[0])
                times.append(time.process_time() - started)
        return times

    name = {"JSON": "JSON", "AVRO": "Avro", "PROTOBUF": "Protobuf"}[kind]
    return set(found), [
        (f"{name}, {len(pairs)} real pairs: parse strictly", parse),
        (f"{name}, {len(pairs)} real pairs: compare, both directions", compare),
    ]


def serve(paths: list[Path]) -> None:
    """The child: says which real pairs it accepts, is told which both accept, and then times operations as it is asked to."""
    tree = Tree()
    everything = [sorted(real(tree, path, None)[0]) for path in paths]
    print(json.dumps(everything), flush=True)
    accepted = json.loads(sys.stdin.readline())
    operations = [*of_json(tree), *of_avro(tree), *of_protobuf(tree)]
    for path, numbers in zip(paths, accepted, strict=True):
        operations += real(tree, path, set(numbers))[1]
    print(json.dumps([name for name, _ in operations]), flush=True)
    for line in sys.stdin:
        number, count = json.loads(line)
        if not count:
            print(json.dumps([calls_of(operations[number][1]), []]), flush=True)
            continue
        started = time.process_time()
        for _ in range(count):
            answer = operations[number][1]()
        spent = (time.process_time() - started) / count
        each = answer if isinstance(answer, list) else []
        print(json.dumps([spent, each]), flush=True)


def calls_of(operation: Operation) -> int:
    """How many functions one operation calls, those of C too."""
    profile = cProfile.Profile()
    profile.runcall(operation)
    return int(sum(entry.callcount for entry in profile.getstats()))


# Both


class Child:
    def __init__(self, tree: Path, paths: list[Path]) -> None:
        environment = {
            **os.environ,
            "PYTHONPATH": ":".join(str(tree / part) for part in ("engines", "server", "clients/python")),
        }
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--child", *map(str, paths)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=tree,
        )  # fmt: skip

    def read(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"a child ended with status {self._process.wait()}")
        return json.loads(line)

    def ask(self, question: Any) -> Any:
        self.tell(question)
        return self.read()

    def tell(self, message: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()

    def stop(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def measure(before: Path, runs: int, paths: list[Path], only: str) -> list[str]:
    children = [Child(before, paths), Child(ROOT, paths)]
    try:
        accepted = [child.read() for child in children]
        both = [sorted(set(one) & set(other)) for one, other in zip(*accepted, strict=True)]
        for child in children:
            child.tell(both)
        names, others = (child.read() for child in children)
        assert names == others, (names, others)
        lines = [
            "| what | before | after | speed | calls before | calls after | fewer |",
            "|---|---|---|---|---|---|---|",
        ]
        for number, name in enumerate(names):
            if only in name:
                lines.append(row(children, number, name, runs))
                print(lines[-1], flush=True)
        return lines
    finally:
        for child in children:
            child.stop()


def row(children: list[Child], number: int, name: str, runs: int) -> str:
    count, spent = 1, 0.0
    while spent < BATCH / 4 and count < 1 << 20:  # warm-up, in both
        for child in children:
            spent = child.ask([number, count])[0] * count
        count *= 2
    count = max(1, int(count / 2 * BATCH / spent))
    times: list[list[float]] = [[], []]
    each: list[list[float]] = [[], []]
    for run in range(runs if count > 1 else max(4, runs // 5)):
        for side in (0, 1) if run % 2 == 0 else (1, 0):
            took, answers = children[side].ask([number, count])
            times[side].append(took)
            each[side] = answers or each[side]
    old, new = (statistics.mean(sorted(column)[: -(-len(column) // 4)]) for column in times)
    calls = [child.ask([number, 0])[0] for child in children]
    more = ""
    if each[0]:
        more = "; p50 of one " + " and ".join(f"{1e3 * statistics.median(one):.1f} ms" for one in each)
    return f"| {name}{more} | {shown(old)} | {shown(new)} | {old / new:.2f} | {calls[0]:,} | {calls[1]:,} | {calls[0] / calls[1]:.2f} |"


def shown(seconds: float) -> str:
    return f"{1e6 * seconds:,.1f} us" if seconds < 1e-3 else f"{1e3 * seconds:,.1f} ms"


def commit(tree: Path) -> str:
    return subprocess.run(
        ["git", "-C", str(tree), "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        serve([Path(path) for path in sys.argv[2:]])
        return
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("before", type=Path, help="the tree to compare with")
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--pairs", type=Path, nargs="*", help=f"files of real pairs: {', '.join(REAL)}")
    parser.add_argument("--only", default="", help="a part of the names of the operations to run")
    parser.add_argument("--markdown", type=Path)
    given = parser.parse_args()
    paths = (
        [path.resolve() for path in given.pairs]
        if given.pairs is not None
        else sorted(p for name in REAL for p in DATA.rglob(name))
    )
    load = os.getloadavg()[0]
    lines = measure(given.before.resolve(), given.runs, paths, given.only)
    if given.markdown:
        command = f"python loadtest/engines/before_and_after.py BEFORE --runs {given.runs}"
        given.markdown.write_text(
            f"# The engines before and after, side by side\n\n`{command}`; before: {commit(given.before)}, after: {commit(ROOT)}. Processor time\n"
            f"of one operation, the mean of the fastest quarter of the runs, and its function calls; `speed` is before / after, so that 2.00 is twice as fast.\n\n"
            f"{os.cpu_count()} processors, load average {load:.1f}; Python {platform.python_version()}\n\n"
            + "\n".join(lines)
            + "\n"
        )


if __name__ == "__main__":
    main()
