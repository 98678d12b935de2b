"""Turns the descriptions in `_calls` into methods of the two clients, with their signatures and documentation.

A method is made from the function that describes its call, so that parameters, types and documentation are written
once: `get_schema = awaited(schemas.get_schema)`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Coroutine, Iterable, Iterator
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from ._asynchronous import AsyncTransport
from ._blocking import BlockingTransport
from ._call import Batch, Listing, Unary
from .results import Page

P = ParamSpec("P")
R = TypeVar("R")
I = TypeVar("I")  # noqa: E741 - the items of a batch


class Blocking(Protocol):
    """A client that waits."""

    @property
    def _transport(self) -> BlockingTransport: ...


class Awaiting(Protocol):
    """A client that is awaited."""

    @property
    def _transport(self) -> AsyncTransport: ...


def called(describe: Callable[P, Unary[R]]) -> Callable[Concatenate[Blocking, P], R]:
    """A blocking method for a call with one answer."""

    def method(self: Blocking, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return self._transport.unary(describe(*args, **kwargs))

    return _documented(method, describe)


def awaited(describe: Callable[P, Unary[R]]) -> Callable[Concatenate[Awaiting, P], Coroutine[Any, Any, R]]:
    """A coroutine method for a call with one answer."""

    async def method(self: Awaiting, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return await self._transport.unary(describe(*args, **kwargs))

    return _documented(method, describe)


def iterated(describe: Callable[P, Listing[R]]) -> Callable[Concatenate[Blocking, P], Iterator[R]]:
    """A blocking method for a call with a stream of items."""

    def method(self: Blocking, /, *args: P.args, **kwargs: P.kwargs) -> Iterator[R]:
        return self._transport.listing(describe(*args, **kwargs))

    return _documented(method, describe)


def aiterated(
    describe: Callable[P, Listing[R]],
) -> Callable[Concatenate[Awaiting, P], AsyncGenerator[R, None]]:
    """An asynchronous generator method for a call with a stream of items."""

    def method(self: Awaiting, /, *args: P.args, **kwargs: P.kwargs) -> AsyncGenerator[R, None]:
        return self._transport.listing(describe(*args, **kwargs))

    return _documented(method, describe)


def paged(describe: Callable[P, Unary[Page[R]]]) -> Callable[Concatenate[Blocking, P], Iterator[R]]:
    """A blocking method for all items of a paged list; `limit` is then the size of a page."""

    def method(self: Blocking, /, *args: P.args, **kwargs: P.kwargs) -> Iterator[R]:
        call = describe(*args, **kwargs)
        while True:
            page = self._transport.unary(call)
            yield from page.items
            if not page.next_page_token:
                return
            call = _following(call, page)

    return _documented(method, describe, "All items, page by page (`limit` is the size of a page). ")


def apaged(
    describe: Callable[P, Unary[Page[R]]],
) -> Callable[Concatenate[Awaiting, P], AsyncGenerator[R, None]]:
    """An asynchronous generator method for all items of a paged list; `limit` is then the size of a page."""

    async def method(self: Awaiting, /, *args: P.args, **kwargs: P.kwargs) -> AsyncGenerator[R, None]:
        call = describe(*args, **kwargs)
        while True:
            page = await self._transport.unary(call)
            for item in page.items:
                yield item
            if not page.next_page_token:
                return
            call = _following(call, page)

    return _documented(method, describe, "All items, page by page (`limit` is the size of a page). ")


def batched(
    describe: Callable[P, Batch[I, R]],
) -> Callable[Concatenate[Blocking, Iterable[I], P], Iterator[R]]:
    """A blocking method for a batch. The items are taken from the caller's thread, `window` ahead of the reports."""

    def method(self: Blocking, items: Iterable[I], /, *args: P.args, **kwargs: P.kwargs) -> Iterator[R]:
        return self._transport.batch(describe(*args, **kwargs), items)

    return _documented(method, describe, items=True)


def abatched(
    describe: Callable[P, Batch[I, R]],
) -> Callable[Concatenate[Awaiting, Iterable[I] | AsyncIterable[I], P], AsyncGenerator[R, None]]:
    """An asynchronous generator method for a batch."""

    def method(
        self: Awaiting, items: Iterable[I] | AsyncIterable[I], /, *args: P.args, **kwargs: P.kwargs
    ) -> AsyncGenerator[R, None]:
        return self._transport.batch(describe(*args, **kwargs), items)

    return _documented(method, describe, items=True)


def _following(call: Unary[Page[R]], page: Page[R]) -> Unary[Page[R]]:
    return call.with_fields(page_token=page.next_page_token, offset=0)


M = TypeVar("M", bound=Callable[..., Any])


def _documented(method: M, describe: Callable[..., Any], preface: str = "", *, items: bool = False) -> M:
    """The method under the name, documentation and parameters of the function that describes its call."""
    functools.update_wrapper(method, describe, assigned=("__doc__", "__name__"), updated=())
    method.__doc__ = preface + (describe.__doc__ or "")
    positional = inspect.Parameter.POSITIONAL_ONLY
    own = [inspect.Parameter(name, positional) for name in (("self", "items") if items else ("self",))]
    signature = inspect.signature(describe)
    method.__signature__ = signature.replace(  # type: ignore[attr-defined]  # what inspect looks for
        parameters=[*own, *signature.parameters.values()], return_annotation=inspect.Signature.empty
    )
    return method
