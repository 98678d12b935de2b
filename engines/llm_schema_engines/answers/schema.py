"""A schema made ready for judging documents while they arrive. Pure."""

from __future__ import annotations

import threading

from ..formats.engine import SchemaSource
from ..formats.json_schema.compiled import OpenedSchema, open_schema
from ..formats.json_schema.dialects import Dialect
from ..formats.json_schema.limits import DEFAULT_LIMITS, JsonSchemaLimits
from ..formats.json_schema.resources import Unresolvable
from ..formats.json_schema.rewriting import speaks
from ..formats.json_schema.undeclared import Declarations
from ..formats.json_schema.validation import JsonDataValidator
from .nodes import Nodes, NotStreamable
from .states import Automaton

_ANYTHING = SchemaSource(b"true")


class StreamingSchema:
    """A JSON Schema, for any number of documents, from any thread.

    reason: why documents can only be judged when they are complete; "" when they are judged by their pieces. Raises
    InvalidSchema for a schema that cannot be compiled.
    """

    def __init__(self, source: SchemaSource, limits: JsonSchemaLimits = DEFAULT_LIMITS) -> None:
        self.limits = limits
        self.reason = ""
        self._source = source
        self.size = 256 * 1024 + 50 * source.size
        """Bytes of memory, estimated for a schema of which much has been used."""
        self._opened = open_schema(source, limits)
        self._lock = threading.Lock()
        self._validator: JsonDataValidator | None = None
        self._declarations: Declarations | None = None
        self.integers_by_form = speaks(self._opened.document_index, Dialect.DRAFT_04)
        try:
            self.automaton = Automaton(Nodes(self._opened))
        except (NotStreamable, Unresolvable) as error:
            self._only_whole(str(error))

    @property
    def opened(self) -> OpenedSchema:
        return self._opened

    def validator(self) -> JsonDataValidator:
        """The ordinary validator."""
        with self._lock:
            if self._validator is None:
                self._validator = JsonDataValidator(self._source, self.limits, self._opened)
            return self._validator

    def declarations(self) -> Declarations:
        """What the schema declares; only strict streams ask for it."""
        if self._declarations is None:
            with self._lock:
                self._declarations = self._declarations or Declarations(
                    self._opened.document_index, self._opened.root
                )
        return self._declarations

    def _only_whole(self, reason: str) -> None:
        self.reason = reason
        self.automaton = Automaton(Nodes(open_schema(_ANYTHING, self.limits)))
