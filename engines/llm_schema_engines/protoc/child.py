"""The child: loads protoc, bounds itself for ever, compiles the one job on its standard input, answers on its standard output.

Run by `supervised` as `python -m llm_schema_engines.protoc.child PARENT MEMORY_BYTES OUTPUT_BYTES SECONDS`.
"""

from __future__ import annotations

import os
import sys
import traceback

from .confinement import confine, die_with, limit_cpu
from .messages import NOT_STARTED, OUT_OF_MEMORY, decode_job, encode_answer


def main() -> None:
    parent, memory_bytes, output_bytes, seconds = sys.argv[1:]
    die_with(int(parent))
    try:
        from .in_process import InProcessProtoc
    except ImportError:
        traceback.print_exc()
        sys.exit(NOT_STARTED)
    confine(int(memory_bytes), int(output_bytes))
    limit_cpu(float(seconds))
    try:
        compiled = InProcessProtoc().compile(decode_job(sys.stdin.buffer.read()))
        sys.stdout.buffer.write(encode_answer(compiled))
        sys.stdout.buffer.flush()
    except MemoryError:
        os._exit(OUT_OF_MEMORY)


if __name__ == "__main__":
    main()
