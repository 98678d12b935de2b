"""The Protobuf engine."""

from __future__ import annotations

from .compiler import Compiled, CompileJob, Compiler, CompilerMessage, NoCompiler
from .engine import ProtobufEngine
from .limits import ProtobufLimits

__all__ = [
    "CompileJob",
    "Compiled",
    "Compiler",
    "CompilerMessage",
    "NoCompiler",
    "ProtobufEngine",
    "ProtobufLimits",
]
