"""The reporter of outcomes for blocking code: a thread that sends what was noted."""

from __future__ import annotations

import threading

from ._blocking import BlockingTransport
from ._outcomes import INTERVAL, LAST_SECONDS, OutcomeBuffer
from .errors import RegistryError


class OutcomeReporter:
    """Sends what `buffer` holds every INTERVAL seconds, from the first `start` on."""

    def __init__(self, transport: BlockingTransport) -> None:
        self.buffer = OutcomeBuffer()
        self._transport = transport
        self._sending = threading.Lock()
        self._starting = threading.Lock()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        if self._closed.is_set() or (self._thread is not None and self._thread.is_alive()):
            return
        with self._starting:
            if self._thread is None or not self._thread.is_alive():  # also after a fork
                self._thread = threading.Thread(
                    target=self._run, name="schema-registry-outcomes", daemon=True
                )
                self._thread.start()

    def flush(self, timeout: float | None = None) -> bool:
        """Send what waits; False when some of it has to wait on."""
        with self._sending:
            return self._flush(timeout)

    def _flush(self, timeout: float | None) -> bool:
        while (call := self.buffer.next(timeout)) is not None:
            try:
                self._transport.unary(call)
            except RegistryError as error:
                if self.buffer.failed(error):
                    return False
            else:
                self.buffer.sent()
        return True

    def close(self) -> None:
        """Send the rest, if the registry takes it at once."""
        self._closed.set()
        if not self.buffer.waiting or self._transport.closed:
            return
        if self._sending.acquire(timeout=LAST_SECONDS):  # else the thread is at it, and the registry away
            try:
                self._flush(LAST_SECONDS)
            finally:
                self._sending.release()

    def _run(self) -> None:
        while not self._closed.wait(INTERVAL):
            try:
                self.flush()
            except RuntimeError:
                if not self._transport.closed:
                    raise
                return
