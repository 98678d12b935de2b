"""The JSON Schema dialects that the engines know, and the URIs that name them in `$schema`. Pure."""

from __future__ import annotations

import enum
from collections.abc import Mapping


class Dialect(enum.IntEnum):
    """A JSON Schema dialect; later ones are greater."""

    DRAFT_04 = 4
    DRAFT_06 = 6
    DRAFT_07 = 7
    DRAFT_2019_09 = 19
    DRAFT_2020_12 = 20

    @property
    def uri(self) -> str:
        return URIS[self]

    asserts_format: bool
    """Whether `format` decides validity when the subject does not say otherwise."""
    definitions: str
    """The keyword that holds definitions."""
    identifier: str
    """The keyword that gives a schema its URI."""
    isolates_references: bool
    """Whether what stands beside `$ref` is ignored."""

    def __init__(self, number: int) -> None:
        # Attributes, since they are asked for at every subschema.
        self.asserts_format = self.isolates_references = number <= 7
        self.definitions = "definitions" if number <= 7 else "$defs"
        self.identifier = "id" if number == 4 else "$id"


URIS: Mapping[Dialect, str] = {
    Dialect.DRAFT_04: "http://json-schema.org/draft-04/schema#",
    Dialect.DRAFT_06: "http://json-schema.org/draft-06/schema#",
    Dialect.DRAFT_07: "http://json-schema.org/draft-07/schema#",
    Dialect.DRAFT_2019_09: "https://json-schema.org/draft/2019-09/schema",
    Dialect.DRAFT_2020_12: "https://json-schema.org/draft/2020-12/schema",
}

DEFAULT = Dialect.DRAFT_2020_12
"""Of a schema without `$schema`, unless the subject's settings say otherwise."""
