"""Our findings beside those of `buf breaking`, on the cases of this folder; runs when `buf` is on the PATH.

At SOURCE and WIRE_JSON we report what Buf reports and, besides, what data shows. At WIRE data decides alone: what Buf
only advises there is listed below.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import assume, given, settings

from llm_schema_engines.model.compatibility import Strictness
from llm_schema_registry_server.errors import InvalidSchema
from tests.formats.protobuf.cases import CASES
from tests.formats.protobuf.kit import compare, parse
from tests.formats.protobuf.test_buf_rules import ROWS
from tests.formats.protobuf.test_random_pairs import QUIET, edited

BUF = shutil.which("buf")
pytestmark = [pytest.mark.deep, pytest.mark.skipif(BUF is None, reason="buf is not installed")]

USE = {Strictness.WIRE: ["WIRE"], Strictness.WIRE_JSON: ["WIRE_JSON"], Strictness.SOURCE: ["FILE", "PACKAGE"]}

DATA = {
    "FIELD_WIRE_COMPATIBLE_TYPE",  # Buf lets integers be truncated
    "FIELD_WIRE_COMPATIBLE_CARDINALITY",  # a rule of WIRE alone for Buf
    "CLOSED_ENUM_VALUE_UNKNOWN",  # no rule of Buf's
    "PACKAGE_MESSAGE_NO_DELETE",  # WIRE does not look at messages for Buf
    "FIELD_SAME_UTF8_VALIDATION",  # a source rule for Buf
    "JSON_NAME_REUSED",  # no rule of Buf's
    "JSON_ENUM_VALUE_UNKNOWN",  # Buf lets reserved names go
    "JSON_ANY_TYPE_UNKNOWN",  # no rule of Buf's
    "MESSAGE_SAME_REQUIRED_FIELDS",  # Buf overlooks features.field_presence = LEGACY_REQUIRED
}
"""What we find beyond Buf because data shows it."""

OURS: Mapping[Strictness, set[str]] = {
    Strictness.WIRE: DATA,
    Strictness.WIRE_JSON: DATA,
    # Buf is silent when the last enum or extension of a package goes.
    Strictness.SOURCE: DATA | {"PACKAGE_ENUM_NO_DELETE", "PACKAGE_EXTENSION_NO_DELETE"},
}
BUFS: Mapping[Strictness, set[str]] = {
    # Changes that all data survives: moves between oneofs, singular to repeated, enum to integer, required removed.
    Strictness.WIRE: {
        "FIELD_SAME_ONEOF",
        "FIELD_WIRE_COMPATIBLE_CARDINALITY",
        "FIELD_WIRE_COMPATIBLE_TYPE",
        "MESSAGE_SAME_REQUIRED_FIELDS",
    },
    Strictness.WIRE_JSON: set(),
    # Of modules; and Buf counts the entry message that map<> implies as a message of its own.
    Strictness.SOURCE: {"PACKAGE_NO_DELETE", "MESSAGE_NO_DELETE", "PACKAGE_MESSAGE_NO_DELETE"},
}


def pairs() -> Iterator[tuple[str, str, str]]:
    for case in CASES:
        yield case.name, case.old, case.new
    for row in ROWS:
        if row.rule != "MESSAGE_SAME_MESSAGE_SET_WIRE_FORMAT":  # Buf refuses such files
            yield row.rule, row.old, row.new


def buf(old: str, new: str, use: list[str], folder: Path) -> set[str]:
    for name, text in (("old", old), ("new", new)):
        (folder / f"{name}.binpb").write_bytes(parse(text).artifact)
    run = subprocess.run(
        [str(BUF), "breaking", "new.binpb", "--against", "old.binpb", "--error-format", "json", "--config",
         json.dumps({"version": "v2", "breaking": {"use": use}})],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode in (0, 100), run.stderr
    return {json.loads(line)["type"] for line in run.stdout.splitlines()}


@pytest.mark.parametrize("strictness", Strictness)
@pytest.mark.parametrize(
    ("name", "old", "new"), list(pairs()), ids=lambda value: value if len(value) < 50 else ""
)
def test_we_differ_from_buf_only_where_we_say_so(
    name: str, old: str, new: str, strictness: Strictness, tmp_path: Path
) -> None:
    for before, after in ((old, new), (new, old)):
        ours = {v.rule for v in compare(after, before, strictness).violations}
        theirs = buf(before, after, USE[strictness], tmp_path)

        assert ours - theirs <= OURS[strictness]
        assert theirs - ours <= BUFS[strictness]


@settings(max_examples=150, deadline=None, database=None, suppress_health_check=QUIET)
@given(pair=edited())
def test_we_differ_from_buf_on_random_schemas_only_where_we_say_so(pair: tuple[str, str]) -> None:
    old, new = pair
    try:
        parse(old), parse(new)
    except InvalidSchema:
        assume(False)
    with TemporaryDirectory() as folder:
        for strictness in Strictness:
            ours = {v.rule for v in compare(new, old, strictness).violations}
            theirs = buf(old, new, USE[strictness], Path(folder))

            assert ours - theirs <= OURS[strictness]
            assert theirs - ours <= BUFS[strictness]
