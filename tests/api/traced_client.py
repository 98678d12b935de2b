"""A program that uses the SDK with OpenTelemetry's instrumentation of gRPC; prints the id of its trace. Run by test_traces.py."""

from __future__ import annotations

import asyncio
import sys

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.grpc import GrpcAioInstrumentorClient, GrpcInstrumentorClient
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

import llm_schema_registry as sdk

target, endpoint, kind = sys.argv[1:]
provider = TracerProvider(resource=Resource.create({"service.name": "caller"}))
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(endpoint=endpoint, insecure=True)))
trace.set_tracer_provider(provider)
tracer = trace.get_tracer("caller")


def blocking() -> None:
    GrpcInstrumentorClient().instrument()
    with sdk.SchemaRegistry(target) as registry:
        registry.list_subjects()


async def asynchronous() -> None:
    GrpcAioInstrumentorClient().instrument()
    async with sdk.AsyncSchemaRegistry(target) as registry:
        await registry.list_subjects()


with tracer.start_as_current_span("work") as span:
    if kind == "blocking":
        blocking()
    else:
        asyncio.run(asynchronous())
    print(f"{span.get_span_context().trace_id:032x}")
provider.shutdown()
