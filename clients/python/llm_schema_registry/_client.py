"""What both clients share: their options, their cache, and the documentation of the constructor."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import grpc

from ._arguments import integer
from ._cache import ContentCache
from ._encode import SchemaId
from ._local import LocalValidators
from ._options import DEFAULT_CACHE_BYTES, DEFAULT_TARGET, DEFAULT_TIMEOUT, Options, Tls, options
from ._outcomes import OutcomeBuffer
from ._retry import RetryPolicy


class Reporter(Protocol):
    """Sends what its buffer holds now and then, from the first `start` on."""

    buffer: OutcomeBuffer

    def start(self) -> None: ...


class Client:
    """A registry that is somewhere else. `_open` makes the transport that carries calls out, and the reporter of outcomes."""

    _outcomes: Reporter

    def __init__(
        self,
        target: str = DEFAULT_TARGET,
        *,
        token: str | Callable[[], str] | None = None,
        tls: bool | Tls | grpc.ChannelCredentials | None = None,
        metadata: Sequence[tuple[str, str]] | Mapping[str, str] = (),
        timeout: float = DEFAULT_TIMEOUT,
        retry: RetryPolicy | None = None,
        cache_bytes: int = DEFAULT_CACHE_BYTES,
        read_your_writes: bool = False,
        channel_options: Sequence[tuple[str, str | int]] | Mapping[str, str | int] = (),
    ) -> None:
        """
        target: `host` (port 9090), `host:port`, several of them with commas (calls go to each in turn, and past one that
          is down), any gRPC target (`dns:///host`, `ipv4:10.0.0.1,10.0.0.2`: spread likewise), or a URL whose scheme
          (`http`, `https`, `grpc`, `grpcs`) says whether TLS is used.
        token: sent with every call as `authorization: Bearer`; a callable is asked anew for each call. Without TLS
          it travels in clear text.
        tls: True for the authorities of the system, `Tls(...)` for your own, or ready-made gRPC credentials.
        metadata: more headers of every call.
        timeout: seconds until a call without its own `timeout` fails with DeadlineExceeded, retries and waits
          included. For streams: the longest wait for the next item.
        retry: how patiently UNAVAILABLE is tried again, until the deadline at most.
        cache_bytes: room for the contents that `get_content` remembers, and as much for compiled local validators;
          0 remembers nothing.
        read_your_writes: with several replicas, let each read wait until the replica that answers knows this client's
          last write. Such reads are not answered from the fastest caches.
        channel_options: passed on to gRPC.
        """
        self._options: Options = options(
            target,
            token=token,
            tls=tls,
            metadata=metadata,
            timeout=timeout,
            retry=RetryPolicy() if retry is None else retry,
            read_your_writes=read_your_writes,
            channel_options=channel_options,
        )
        integer(cache_bytes, "cache_bytes", least=0, most=2**63 - 1)
        self._cache = ContentCache(cache_bytes)
        self._validators = LocalValidators(cache_bytes)
        self._open(self._options)

    def _open(self, options: Options) -> None:
        raise NotImplementedError

    @property
    def target(self) -> str:
        """Where the registry is: `host:port`, several with commas."""
        return self._options.target

    def report_outcome(
        self,
        model: str,
        schema_id: SchemaId | None = None,
        *,
        subject: str = "",
        version: str | int = "",
        valid: bool = True,
        retried: bool = False,
        coerced: bool = False,
        truncated: bool = False,
        count: int = 1,
    ) -> None:
        """Note what became of an answer of a model that was asked for with a version, by its id or by subject and version (no selector).

        valid: it is valid now. retried: the model was asked again for it. coerced: it was corrected. truncated: it was cut off. Without these
        three, a valid answer passed at once. count: so many answers were the same. Nothing of the answer is sent.

        It returns at once and raises nothing: outcomes are added up and sent every 10 seconds, and when the client is closed. What cannot be
        reported is logged once and counted in `outcomes_dropped`.
        """
        self._outcomes.buffer.note(
            model,
            schema_id,
            subject,
            version,
            valid=valid,
            retried=retried,
            coerced=coerced,
            truncated=truncated,
            count=count,
        )
        self._outcomes.start()

    @property
    def outcomes_dropped(self) -> int:
        """Answers whose outcomes could not be reported."""
        return self._outcomes.buffer.dropped
