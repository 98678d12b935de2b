"""The processor time of another process: what its work is judged by, so that a verdict does not depend on the machine's load."""

from __future__ import annotations

import sys
import time

_CPU_OF_PROCESS = 2
"""The kernel numbers the clocks of processes (~pid << 3 | 2): see clock_getcpuclockid(3)."""

STARVED_FACTOR = 15
"""How many times the processor time that it may use a process is waited for by the clock. Then it is given up without a
judgement: others have the processor."""


def processor_seconds(pid: int) -> float:
    """What a process has used so far, in seconds; where the system does not measure it, all time counts.

    Raises OSError for one that has ended.
    """
    if sys.platform != "linux":
        return time.monotonic()
    return time.clock_gettime((~pid << 3) | _CPU_OF_PROCESS)
