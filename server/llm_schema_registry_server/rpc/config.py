"""The handlers of ConfigService."""

from __future__ import annotations

from google.protobuf.empty_pb2 import Empty

from llm_schema_registry.v1 import config_pb2 as pb

from ..calls.call import Call
from ..registry.configuration import Scope
from ..registry.use_cases import UseCases
from . import convert_config as convert
from .actors import actor, wrote


class ConfigService:
    """One method per RPC, named as the RPC is."""

    def __init__(self, use: UseCases) -> None:
        self._configuration = use.configuration

    async def get_config(self, request: pb.GetConfigRequest, call: Call) -> pb.GetConfigResponse:
        view = await self._configuration.get(Scope.parse(request.subject, request.context))
        return pb.GetConfigResponse(
            config=convert.message(view.config),
            effective=convert.message(view.effective),
            sources=convert.sources(view),
        )

    async def set_config(self, request: pb.SetConfigRequest, call: Call) -> pb.SetConfigResponse:
        scope = Scope.parse(request.subject, request.context)
        view = await self._configuration.set(scope, convert.config(request.config), actor(call))
        wrote(call, view.revision)
        return pb.SetConfigResponse(
            config=convert.message(view.config),
            effective=convert.message(view.effective),
            sources=convert.sources(view),
            revision=view.revision,
        )

    async def delete_config(self, request: pb.DeleteConfigRequest, call: Call) -> Empty:
        scope = Scope.parse(request.subject, request.context)
        wrote(call, await self._configuration.delete(scope, actor(call)))
        return Empty()
