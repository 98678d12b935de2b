"""The files that every schema may import without a reference: Google's common types and Confluent's. Pure.

Paths below google/protobuf/ are the compiler's own. Any other path here may be taken by a reference, which then wins.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Iterable, Iterator, Mapping

from ...model.compilation import LANGUAGE_FEATURES

RESERVED = "google/protobuf/"
"""Import paths below this are the compiler's own; no schema may take them."""

_GOOGLE: Mapping[str, str] = {
    "google/protobuf": "any api descriptor duration empty field_mask source_context struct timestamp type wrappers",
    "google/protobuf/compiler": "plugin",
    "google/api": "annotations auth backend billing client config_change consumer context control distribution "
    "documentation endpoint error_reason field_behavior field_info http httpbody label launch_stage log logging "
    "metric monitored_resource monitoring policy quota resource routing service source_info system_parameter usage "
    "visibility",
    "google/rpc": "code error_details http status",
    "google/type": "calendar_period color date datetime dayofweek decimal expr fraction interval latlng "
    "localized_text money month phone_number postal_address quaternion timeofday",
}
_DESCRIPTOR = "google/protobuf/descriptor.proto"
_DESCRIBED = frozenset(
    f"{folder}/{name}.proto" for folder, names in _GOOGLE.items() for name in names.split()
)

_CONFLUENT: Mapping[str, bytes] = {
    "confluent/meta.proto": b"""syntax = "proto3";
package confluent;
import "google/protobuf/descriptor.proto";
message Meta {
  string doc = 1;
  map<string, string> params = 2;
  repeated string tags = 3;
}
extend google.protobuf.FileOptions { Meta file_meta = 1088; }
extend google.protobuf.MessageOptions { Meta message_meta = 1088; }
extend google.protobuf.FieldOptions { Meta field_meta = 1088; }
extend google.protobuf.EnumOptions { Meta enum_meta = 1088; }
extend google.protobuf.EnumValueOptions { Meta enum_value_meta = 1088; }
""",
    "confluent/type/decimal.proto": b"""syntax = "proto3";
package confluent.type;
message Decimal {
  bytes value = 1;
  uint32 precision = 2;
  int32 scale = 3;
}
""",
}


def holds(path: str) -> bool:
    """Whether `path` can be imported without a reference."""
    return path in _DESCRIBED or path in _CONFLUENT or path.startswith(RESERVED)


def sources(imports: Iterable[str]) -> dict[str, bytes]:
    """Those of `imports` that the library keeps as text."""
    return {path: _CONFLUENT[path] for path in imports if path in _CONFLUENT}


def descriptors(imports: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """What of `imports` the library keeps compiled, each after what it imports: path and descriptor.

    Extending options needs descriptor.proto, so that it comes with the files that the compiler reads as text.
    """
    seen: set[str] = set()
    for path in imports:
        if path in _DESCRIBED:
            yield from _closure(path, seen)
        elif path in LANGUAGE_FEATURES or path in _CONFLUENT:
            yield from _closure(_DESCRIPTOR, seen)


def _closure(path: str, seen: set[str]) -> Iterator[tuple[str, bytes]]:
    if path in seen:
        return
    seen.add(path)
    name, data, needs = _load(path)
    for needed in needs:
        if needed in _DESCRIBED:
            yield from _closure(needed, seen)
    yield name, data


@functools.cache
def _load(path: str) -> tuple[str, bytes, tuple[str, ...]]:
    module = importlib.import_module(path.removesuffix(".proto").replace("/", ".") + "_pb2")
    described = module.DESCRIPTOR
    return path, described.serialized_pb, tuple(d.name for d in described.dependencies)
