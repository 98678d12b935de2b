"""How many refused changes of real schemas get a fix, what the fixes do, and what the searches cost.

    PYTHONPATH=engines:server:clients/python python loadtest/engines/fixes.py DATA [--markdown loadtest/results/fixes.md]

DATA is a folder with pairs of schemas: `schemastore-pairs.jsonl` and `googleapis-pairs.jsonl` (consecutive real revisions, {"old",
"new"} a line), `avro/reader-writer-pairs.jsonl` ({"reader", "writer"}; the reader is taken for the new one) and
`apicurio/json-schema-compatibility.json` ({"original", "updated"}). Files that are missing are left out. A pair counts when both sides may be
registered and the change is refused at the level. Protobuf is compared at strictness SOURCE, and files that import what is not in the
data are left out. Every fix is compared again by engines that know nothing of the search; times are processor time of one thread.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from llm_schema_engines.api.local import LocalEngines
from llm_schema_engines.errors import InvalidSchema
from llm_schema_engines.fixes.model import Fixes
from llm_schema_engines.model.compatibility import CompareOptions, CompatibilityLevel, Strictness, Verdict
from llm_schema_engines.model.schema import SchemaType
from llm_schema_engines.protoc.in_process import InProcessProtoc

LEVELS = (CompatibilityLevel.BACKWARD, CompatibilityLevel.FORWARD, CompatibilityLevel.FULL)
Pair = tuple[str, str]


def text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def revisions(path: Path) -> Iterator[Pair]:
    for line in path.read_text(encoding="utf-8").splitlines():
        pair = json.loads(line)
        yield text(pair["old"]), text(pair["new"])


def reader_writer(path: Path) -> Iterator[Pair]:
    for line in path.read_text(encoding="utf-8").splitlines():
        pair = json.loads(line)
        yield json.dumps(pair["writer"]), json.dumps(pair["reader"])


def apicurio(path: Path) -> Iterator[Pair]:
    for case in json.loads(path.read_text(encoding="utf-8"))["tests"]:
        yield text(case["original"]), text(case["updated"])


SOURCES: tuple[tuple[str, str, SchemaType, Callable[[Path], Iterator[Pair]]], ...] = (
    ("SchemaStore", "schemastore-pairs.jsonl", SchemaType.JSON, revisions),
    ("Apicurio", "apicurio/json-schema-compatibility.json", SchemaType.JSON, apicurio),
    ("Apache Avro", "avro/reader-writer-pairs.jsonl", SchemaType.AVRO, reader_writer),
    ("googleapis", "googleapis-pairs.jsonl", SchemaType.PROTOBUF, revisions),
)


@dataclass
class Tally:
    """What came out for one source at one level. kept: pairs with a fix that leaves something of the change."""

    refused: int = 0
    fixed: int = 0
    kept: int = 0
    fixes: int = 0
    proved: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    tried: list[int] = field(default_factory=list)


def measure(
    pairs: Iterator[Pair],
    kind: SchemaType,
    level: CompatibilityLevel,
    finder: LocalEngines,
    checker: LocalEngines,
) -> Tally:
    """The searches of all pairs. finder: looks for fixes; checker: compares them again."""
    tally = Tally()
    options = CompareOptions(strictness=Strictness.SOURCE)
    for old, new in pairs:
        try:
            before, after = finder.parse(old, kind), finder.parse(new, kind)
        except InvalidSchema:
            continue
        began = time.thread_time()
        found = finder.find_fixes(after, before, level, options=options)
        took = time.thread_time() - began
        if found.compatible:
            continue
        note(tally, found, took)
        for fix in found.fixes:
            report = checker.check(fix.content, old, level, schema_type=kind, options=options)
            tally.proved += report.verdict is Verdict.YES
    return tally


def note(tally: Tally, found: Fixes, took: float) -> None:
    tally.refused += 1
    tally.seconds.append(took)
    tally.tried.append(found.tried)
    tally.fixes += len(found.fixes)
    tally.fixed += bool(found.fixes)
    tally.kept += any(not fix.takes_back for fix in found.fixes)
    if not found.fixes:
        tally.reasons[found.reason] += 1
    for fix in found.fixes[:1]:
        tally.kinds.update({edit.kind.name for edit in fix.edits})


def share(part: int, whole: int) -> str:
    return f"{part} ({100 * part / whole:.0f} %)" if whole else "0"


def row(name: str, level: str, t: Tally) -> str:
    times = f"{statistics.median(t.seconds) * 1e3:.1f} / {max(t.seconds) * 1e3:.0f}" if t.seconds else ""
    tried = f"{statistics.median(t.tried):.0f} / {max(t.tried)}" if t.tried else ""
    return (
        f"| {name} | {level} | {t.refused} | {share(t.fixed, t.refused)} | {share(t.kept, t.refused)} | "
        f"{t.proved} of {t.fixes} | {tried} | {times} |"
    )


def total(tallies: list[Tally]) -> Tally:
    whole = Tally()
    for t in tallies:
        for name in ("refused", "fixed", "kept", "fixes", "proved"):
            setattr(whole, name, getattr(whole, name) + getattr(t, name))
        whole.seconds += t.seconds
        whole.tried += t.tried
        whole.reasons += t.reasons
        whole.kinds += t.kinds
    return whole


def page(results: dict[CompatibilityLevel, dict[str, Tally]], command: str) -> str:
    """The results as Markdown."""
    rows, reasons, kinds = [], [], []
    for level, by_source in results.items():
        rows += [row(name, level.name, t) for name, t in by_source.items()]
        whole = total(list(by_source.values()))
        rows.append(row("**all**", level.name, whole))
        reasons += [f"| {level.name} | {reason} | {count} |" for reason, count in whole.reasons.most_common()]
        kinds.append(f"| {level.name} | {', '.join(f'{k} {n}' for k, n in whole.kinds.most_common())} |")
    return "\n".join(
        [
            "# Fixes of refused changes",
            "",
            f"`{command}`",
            "",
            f"Python {platform.python_version()}, one thread. A pair counts when both sides may be registered and the change is refused. `with a fix`: "
            "at least one was found; `of these keep something`: one that does not take the change back, as far as data is concerned; `proved again`: fixes that "
            "fresh engines found compatible, of all that were offered.",
            "",
            "| data | level | refused | with a fix | of these keep something | proved again | tried, median / most | ms, median / most |",
            "|---|---|---|---|---|---|---|---|",
            *rows,
            "",
            "Pairs with a single change (Apicurio, Apache Avro) have no fix but to undo it at many levels: at FULL, two JSON Schemas that read each "
            "other's data accept the same data.",
            "",
            "| level | why there is no fix | pairs |",
            "|---|---|---|",
            *reasons,
            "",
            "| level | kinds of edits in the first fix, pairs |",
            "|---|---|",
            *kinds,
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("data", type=Path)
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    finder, checker = LocalEngines(compiler=InProcessProtoc()), LocalEngines(compiler=InProcessProtoc())
    results: dict[CompatibilityLevel, dict[str, Tally]] = {}
    for level in LEVELS:
        results[level] = {}
        for name, file, kind, read in SOURCES:
            path = options.data / file
            if path.exists():
                results[level][name] = measure(read(path), kind, level, finder, checker)
                print(row(name, level.name, results[level][name]), flush=True)
    markdown = f" --markdown {options.markdown}" if options.markdown else ""
    text_ = page(results, f"python loadtest/engines/fixes.py {options.data.name}{markdown}")
    if options.markdown:
        options.markdown.write_text(text_, encoding="utf-8")
    print(text_)


if __name__ == "__main__":
    main()
