"""The faces of a server, made over its use cases: which operations there are, who may call them, and where they listen."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from itertools import product

from . import __version__
from .calls.guards.limits import Limits
from .calls.guards.standard import standard_guards
from .calls.pipeline import Pipeline
from .components import Components
from .factories import trusted_proxies
from .queues.fair_queue import FairQueue, Queues
from .registry.use_cases import UseCases
from .rpc import http, methods
from .rpc.admin import AdminService
from .rpc.config import ConfigService
from .rpc.convert import MessageConverter
from .rpc.lifecycle import LifecycleService
from .rpc.protobuf.rpcs import Rpcs, bind
from .rpc.schema_registry import SchemaRegistryService
from .rpc.tools import ToolsService
from .settings import Settings
from .transports.grpc.incoming import FACE as GRPC
from .transports.grpc.listener import GrpcListener
from .transports.http.dispatcher import Dispatcher, Mount
from .transports.http.grpc_hint import GrpcHint
from .transports.http.listener import HttpListener
from .transports.http.probes import Probes
from .transports.http.twin import FACE as HTTP
from .transports.http.twin import HttpOptions, HttpTwin
from .transports.ops import MetricsListener
from .transports.request_memory import request_memory
from .transports.servers import Servers
from .transports.unread import Unread

_HEALTH_MARGIN_SECONDS = 1.0
"""How much longer than one component all together may take, so that one that hangs is reported and does not hide the others."""


def make_servers(settings: Settings, components: Components, wire: MessageConverter) -> Servers:
    """All listeners. Raises TypeError when what is served contradicts itself."""
    rpcs = make_rpcs(settings, components, wire)
    memory = request_memory(
        components.queues,
        settings.queues.request_bytes,
        largest=max(settings.http.max_batch_bytes, settings.grpc.max_message_bytes),
    )
    health = components.use.health
    unread = Unread(
        settings.changes.stall_seconds,
        per_caller=settings.limits.unread_bytes_per_caller,
        total=settings.limits.unread_bytes,
    )
    components.metrics.read_unread(lambda: unread)
    grpc = GrpcListener(
        settings.grpc,
        rpcs,
        health,
        unread=unread,
        proxies=trusted_proxies(settings.proxies),
        memory=memory,
        health_seconds=settings.health.interval_seconds,
        health_patience=settings.health.probe_seconds + _HEALTH_MARGIN_SECONDS,
    )
    hint = GrpcHint(lambda: grpc.port)
    hints = [Mount(f"/{service}", hint.http, hint) for service in grpc.services]
    return Servers(
        [
            grpc,
            HttpListener(
                Dispatcher(
                    [
                        *mounts(
                            make_twin(settings, rpcs, unread, memory, components.queues),
                            Probes(health, settings.health.probe_seconds + _HEALTH_MARGIN_SECONDS),
                        ),
                        *hints,
                    ]
                ),
                settings.http.host,
                settings.http.port,
                per_address=settings.http.connections_per_address,
                proxies=trusted_proxies(settings.proxies),
            ),
            MetricsListener(
                components.metrics,
                settings.metrics.host,
                settings.metrics.port,
                connections=settings.metrics.connections,
                seconds=settings.metrics.timeout_seconds,
            ),
        ],
        components.end_streams,
    )


def make_rpcs(settings: Settings, components: Components, wire: MessageConverter) -> Rpcs:
    """All RPCs with their handlers, behind the guards."""
    table = methods.load()
    guards = standard_guards(
        components.metrics,
        answered=product((m.path for m in table if m.operation.cached), (GRPC, HTTP)),
        default_deadline_seconds=settings.grpc.default_deadline_seconds,
        limits=Limits(
            calls=settings.limits.calls_in_flight,
            streams=settings.limits.streams,
            streams_per_caller=settings.limits.streams_per_caller,
        ),
        authenticator=components.authenticator,
        reach=components.reach,
    )
    handlers = bind(table, services(components.use, wire, components.clock))
    pipeline = Pipeline(handlers, guards, components.answers)
    return Rpcs(table, pipeline, most_items=settings.limits.request_items)


def services(use: UseCases, wire: MessageConverter, clock: Callable[[], datetime]) -> dict[str, object]:
    """The objects with the handlers, by the full names of their services."""
    return {
        "schema_registry.v1.SchemaRegistry": SchemaRegistryService(use, wire, clock),
        "schema_registry.v1.ConfigService": ConfigService(use),
        "schema_registry.v1.LifecycleService": LifecycleService(use, wire),
        "schema_registry.v1.AdminService": AdminService(use),
        "schema_registry.v1.ToolsService": ToolsService(use),
    }


def make_twin(
    settings: Settings,
    rpcs: Rpcs,
    unread: Unread,
    memory: FairQueue | None = None,
    queues: Queues | None = None,
) -> HttpTwin:
    """The JSON twin of every RPC. memory: for its requests; queues: where its own queues are shown."""
    return HttpTwin(
        rpcs,
        HttpOptions(
            max_body_bytes=settings.http.max_body_bytes,
            max_batch_bytes=settings.http.max_batch_bytes,
            max_values=settings.http.max_values,
            max_escapes=settings.http.max_escapes,
            max_items=settings.limits.request_items,
            unread=unread,
            socket_bytes=settings.limits.socket_bytes,
            live=http.LIVE,
            sockets=http.SOCKETS,
            statuses=http.STATUSES,
            required=http.REQUIRED,
            version=__version__,
            proxies=trusted_proxies(settings.proxies),
        ),
        memory,
        queues,
    )


def mounts(twin: HttpTwin, probes: Probes) -> list[Mount]:
    """What the HTTP port serves, by path; what is asked most comes first."""
    return [
        Mount("/api/v1", twin.http, twin, twin.websocket),
        Mount("/health/live", probes.live, probes, exact=True),
        Mount("/health/ready", probes.ready, probes, exact=True),
        Mount("/health/startup", probes.startup, probes, exact=True),
        Mount("/health", twin.http, twin),
        Mount("/", twin.index, twin, exact=True),
    ]
