"""What a task is, and who runs it. A new task is one subclass of `Task`, in whatever module needs it. Pure."""

from __future__ import annotations

import enum
import functools
import typing
from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from llm_schema_engines.formats.engine import Engines

from ..errors import InternalError, LimitExceeded, RegistryError

R = TypeVar("R")


class TimeLimits(Protocol):
    """Seconds that tasks may take in a worker process (the settings `workers`)."""

    @property
    def parse_seconds(self) -> float: ...
    @property
    def compare_seconds(self) -> float: ...
    @property
    def validate_seconds(self) -> float: ...


class FailureKind(enum.Enum):
    """TIMED_OUT: killed because it used the processor for longer than it may. OUT_OF_MEMORY: it asked for more than
    `workers.memory_bytes`, or held most when all held more than `workers.total_memory_bytes`. CRASHED: it ended by itself, which is a fault of the engines or of what they are made of."""

    TIMED_OUT = "timed out"
    OUT_OF_MEMORY = "out of memory"
    CRASHED = "crashed"


@dataclass(frozen=True, slots=True)
class TaskFailure:
    """Why a worker process gave no result. cause: a predicate for messages, such as "takes longer than 5 s" or
    "was ended by SIGSEGV"."""

    kind: FailureKind
    cause: str
    of_all: bool = False
    """OUT_OF_MEMORY: whether it was all processes together that held too much."""

    @property
    def timed_out(self) -> bool:
        return self.kind is FailureKind.TIMED_OUT

    def error(self, what: str, setting: str, way_out: str) -> RegistryError:
        """The error for a caller who asked for `what`: LimitExceeded that names the setting, or InternalError after a crash.
        `setting` bounds the time of the task."""
        if self.kind is FailureKind.CRASHED:
            return InternalError(f"{what} failed: its process {self.cause}; the server's log tells more")
        memory = "workers.total_memory_bytes" if self.of_all else "workers.memory_bytes"
        exceeded = setting if self.timed_out else memory
        return LimitExceeded(f"{what} {self.cause} (the setting {exceeded}); {way_out}", setting=exceeded)


class Task(ABC, Generic[R]):
    """Pure work on the engines with a result of type R.

    A subclass is a frozen dataclass that can be pickled and whose module can be imported by name. R is what its `run` is
    annotated to return: a type of which `codec` can make bytes.
    """

    __slots__ = ()
    shortcut_is: ClassVar[str] = "quick_proofs"
    """The count in the health report that its shortcuts belong to."""

    @abstractmethod
    def run(self, engines: Engines) -> R:
        """The result. Raises RegistryError for bad input; any other exception ends the worker process."""

    @abstractmethod
    def seconds(self, limits: TimeLimits) -> float:
        """How long it may take in a worker process before that is killed."""

    @abstractmethod
    def failed(self, failure: TaskFailure) -> R:
        """The result when a worker process gave none, or the RegistryError for the caller, raised."""

    def runs_inline(self) -> bool:
        """Whether the server may run it on its own thread: only what takes at most some milliseconds, whatever it is given,
        and cannot end the process."""
        return False

    def is_small(self) -> bool:
        """Whether it may be taken to be cheap as long as nothing is known of its caller's tasks of this kind."""
        return False

    def shortcut(self, engines: Engines) -> R | None:
        """The result, if little work on the server's own thread finds it; None: it must be run. Raises as `run` does."""
        return None

    def key(self) -> Hashable:
        """Equal keys mean the same work, which is done once for all who want it at the same time; None: always done."""
        return None


class Workers(Protocol):
    """Runs tasks so that the event loop goes on meanwhile. Results are not cached."""

    async def start(self) -> None:
        """Be ready for the first task; called once."""
        ...

    async def stop(self) -> None:
        """Give every resource back; tasks under way end with Unavailable."""
        ...

    def run_now(self, task: Task[R]) -> R | None:
        """The result, when finding it is so little work that nobody has to wait; None: ask `run`. Raises as Task.run does."""
        ...

    async def run(self, task: Task[R]) -> R:
        """The result. Raises what Task.run and Task.failed raise, LimitExceeded when too many tasks wait, and Unavailable
        when no worker process can be started."""
        ...

    def facts(self) -> Mapping[str, str]:
        """Counts for the health report."""
        ...


@functools.cache
def result_type(task: type[Task[R]]) -> type[R]:
    """The type that the `run` of a class of tasks is annotated to return."""
    result: Any = typing.get_type_hints(task.run)["return"]
    return result  # type: ignore[no-any-return]
