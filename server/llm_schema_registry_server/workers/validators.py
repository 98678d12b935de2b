"""The validators that a worker process used last, so that a schema is not compiled for each payload. Pure."""

from __future__ import annotations

from collections.abc import Callable
from weakref import WeakKeyDictionary

from cachetools import LRUCache

from llm_schema_engines.formats.engine import DataValidator, FormatEngine

MAX_BYTES = 64 * 1024 * 1024
"""Estimated memory of the validators of one engine that are kept; a process may take `workers.memory_bytes` in all."""


class ValidatorCache:
    """Validators by engine and schema key; for one thread."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._engines: WeakKeyDictionary[FormatEngine, LRUCache[str, DataValidator]] = WeakKeyDictionary()

    def get(self, engine: FormatEngine, key: str, compile_: Callable[[], DataValidator]) -> DataValidator:
        """The validator of the schema that `key` names; `compile_` makes it when it is not there."""
        validators = self._engines.get(engine)
        if validators is None:
            validators = self._engines[engine] = LRUCache(self._max_bytes, lambda v: v.size)
        known = validators.get(key)
        if known is None:
            known = compile_()
            if known.size <= self._max_bytes:
                validators[key] = known
        return known


VALIDATORS = ValidatorCache()
"""Those of this process."""
