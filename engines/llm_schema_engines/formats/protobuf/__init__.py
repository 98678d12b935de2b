"""The Protobuf engine."""

from __future__ import annotations

from ...model.compilation import Compiled, CompileJob, Compiler, CompilerMessage
from .compiler import NoCompiler
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
