"""Server reflection under both of its names, grpc.reflection.v1 and v1alpha: the same messages, the same answers."""

from __future__ import annotations

from collections.abc import Sequence

import grpc
from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc import aio
from grpc_reflection.v1alpha import reflection, reflection_pb2

ALPHA = reflection.SERVICE_NAME
V1 = "grpc.reflection.v1.ServerReflection"
"""What newer clients ask for first; grpcio-reflection serves only the older name."""
SERVICES = (ALPHA, V1)


def add_reflection(server: aio.Server, services: Sequence[str]) -> None:
    """Describe `services` (full names), and reflection itself, to whoever asks `server`."""
    names = (*services, *SERVICES)
    _describe_v1()
    reflection.enable_server_reflection(names, server)
    servicer = reflection.aio.ReflectionServicer(names)
    handler = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(V1, {"ServerReflectionInfo": handler}),)
    )


def _describe_v1() -> None:
    """Put the descriptor of v1 into the pool that reflection answers from; adding it again changes nothing."""
    file = FileDescriptorProto()
    reflection_pb2.DESCRIPTOR.CopyToProto(file)
    file.name = "grpc/reflection/v1/reflection.proto"
    file.package = "grpc.reflection.v1"
    for message in file.message_type:
        for field in [f for f in message.field if f.type_name]:
            field.type_name = field.type_name.replace(".grpc.reflection.v1alpha.", ".grpc.reflection.v1.")
    for service in file.service:
        for method in service.method:
            method.input_type = method.input_type.replace("v1alpha", "v1")
            method.output_type = method.output_type.replace("v1alpha", "v1")
    descriptor_pool.Default().AddSerializedFile(file.SerializeToString())
