"""Compiled schemas in isolated descriptor pools, the least recently used dropped first. Pure."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Generic, TypeVar

from cachetools import LRUCache
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from . import artifact as artifacts
from . import ir
from .artifact import Files
from .classes import MAX_CLASS_NESTING, class_nesting, declared, make_classes
from .names import join

T = TypeVar("T")

BASE_BYTES, BYTES_PER_ARTIFACT_BYTE = 16 * 1024, 20
"""A compiled schema takes about BASE_BYTES + BYTES_PER_ARTIFACT_BYTE * (size of its artifact) bytes of memory with its
pool and classes (measured: 25 KB for 0.8 KB, 240 KB for 15 KB of which most is descriptor.proto, 600 KB for 27 KB)."""


def memory_estimate(artifact: bytes) -> int:
    """The estimated memory of a compiled schema, in bytes."""
    return BASE_BYTES + BYTES_PER_ARTIFACT_BYTE * len(artifact)


class PoolError(ValueError):
    """The descriptors contradict each other in a way that protoc does not refuse (such as two equal JSON names)."""


def build_pool(files: Files) -> DescriptorPool:
    """A pool that holds just these files; raises PoolError."""
    pool = DescriptorPool()
    try:
        for file in files:
            pool.AddSerializedFile(file.SerializeToString())
    except TypeError as error:
        raise PoolError(str(error)) from error
    return pool


class CompiledSchema:
    """A compiled schema: its message classes and its compact form. `first` is the full name of the default message.

    The pool and the classes are made at the first use of `message`: most comparisons need neither.
    """

    def __init__(self, artifact: bytes) -> None:
        files = artifacts.read(artifact)
        root = files[-1]
        self.schema = ir.build(files)
        self.first = join(root.package, root.message_type[0].name) if root.message_type else ""
        self.size = memory_estimate(artifact)
        self._artifact = artifact
        self._root = root.name

    @cached_property
    def pool(self) -> DescriptorPool:
        return build_pool(artifacts.read(self._artifact))

    @cached_property
    def _classes(self) -> Mapping[str, type[Message]]:
        return make_classes(declared(self.pool, self._root))

    def message(self, full_name: str) -> type[Message] | None:
        """The class of a message by full name; None when the schema has none of that name."""
        return self._classes.get(full_name) or self._imported(full_name)

    def _imported(self, full_name: str) -> type[Message] | None:
        """The class of an imported message that no message of the schema itself uses."""
        try:
            found = self.pool.FindMessageTypeByName(full_name)
        except KeyError:
            return None
        return GetMessageClass(found) if class_nesting([found]) <= MAX_CLASS_NESTING else None


class ArtifactCache(Generic[T]):
    """An LRU cache of values computed from artifacts, bounded by their size in bytes. Safe to share between threads."""

    def __init__(self, make: Callable[[bytes], T], maximum: int) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._values: LRUCache[bytes, T] = LRUCache(maximum, getsizeof=lambda value: self._size(value))
        self._maximum = maximum

    def get(self, artifact: bytes) -> T:
        with self._lock:
            found = self._values.get(artifact)
        if found is not None:
            return found
        made = self._make(artifact)
        with self._lock:
            if self._size(made) <= self._maximum:
                self._values[artifact] = made
        return made

    @staticmethod
    def _size(value: object) -> int:
        return int(getattr(value, "size", 1))
