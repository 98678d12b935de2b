"""What processes use while they are measured, by the system's account, and what the server counts of its cached answers."""

from __future__ import annotations

import re
import time
import urllib.request
from collections.abc import Mapping

import psutil

_COUNTER = re.compile(r"^schema_registry_answer_cache_(hits|misses)_total(?:\{[^}]*\})? (\S+)", re.MULTILINE)


class Sampler:
    """processes: process ids by name. metrics: URL of the server's metrics, "" for none."""

    def __init__(self, processes: Mapping[str, int], metrics: str) -> None:
        self._processes = {name: psutil.Process(number) for name, number in processes.items()}
        self._metrics = metrics

    def processor(self) -> dict[str, float]:
        """Processor seconds so far by name; the children of `server` are its `workers`, those of others are counted with them."""
        found = {"generator": time.process_time()}
        for name, process in self._processes.items():
            times = process.cpu_times()
            below = times.children_user + times.children_system
            for child in process.children(recursive=True):
                try:
                    below += sum(child.cpu_times()[:4])
                except psutil.NoSuchProcess:
                    continue  # has ended since it was listed; its parent has its times next time
            own = times.user + times.system
            if name == "server":
                found["server"], found["workers"] = own, below
            else:
                found[name] = own + below
        return found

    def memory(self) -> float:
        """Resident MiB of the server's own process; 0 without one."""
        server = self._processes.get("server")
        return server.memory_info().rss / 2**20 if server is not None else 0.0

    def cached(self) -> tuple[float, float]:
        """Hits and misses of cached answers so far."""
        if not self._metrics:
            return 0.0, 0.0
        with urllib.request.urlopen(self._metrics, timeout=10) as answer:
            counted = _COUNTER.findall(answer.read().decode())
        sums = {"hits": 0.0, "misses": 0.0}
        for name, value in counted:
            sums[name] += float(value)
        return sums["hits"], sums["misses"]
