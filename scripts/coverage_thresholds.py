"""Print the coverage of each package and fail where one is below its threshold. Argument: the file of `coverage json`."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path, PurePath

SERVER = "llm_schema_registry_server"
THRESHOLDS = {f"{SERVER}/registry": 95.0, f"{SERVER}/calls": 95.0, f"{SERVER}/auth": 95.0}
"""Percent of the statements and branches of a package that tests must reach."""


def package_of(file: str) -> str:
    """`llm_schema_registry_server/registry` for each file at any depth under it."""
    parts = PurePath(file).parts
    root = next(place for place, part in enumerate(parts) if part.startswith("llm_schema_"))
    return "/".join(parts[root : min(root + 2, len(parts) - 1)])


def percentages(report: Mapping[str, Mapping[str, Mapping[str, Mapping[str, int]]]]) -> dict[str, float]:
    """Percent of statements and branches reached, by package; 100 for one that has none yet."""
    reached: dict[str, int] = defaultdict(int)
    there: dict[str, int] = defaultdict(int)
    for file, measured in report["files"].items():
        totals, package = measured["summary"], package_of(file)
        reached[package] += totals["covered_lines"] + totals["covered_branches"]
        there[package] += totals["num_statements"] + totals["num_branches"]
    return {
        package: 100 * reached[package] / there[package] if there[package] else 100.0
        for package in sorted(there)
    }


def main(path: str) -> int:
    measured = percentages(json.loads(Path(path).read_text()))
    failed = 0
    for package, percent in measured.items():
        wanted = THRESHOLDS.get(package, 0.0)
        low = percent < wanted
        failed += low
        print(
            f"{percent:6.1f} %  {package}"
            + (f"  below {wanted:.0f} %: write the missing tests" if low else "")
        )
    for package in THRESHOLDS.keys() - measured.keys():
        failed += 1
        print(f"   none   {package}  has a threshold in {__file__} and was not measured")
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
