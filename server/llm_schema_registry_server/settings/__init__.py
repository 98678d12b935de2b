"""The settings of a server process; see tree.py."""

from .audit import AuditSettings
from .auth import AuthSettings, CertificatesSettings, JwtSettings, PasswordSettings
from .conformance import ConformanceSettings
from .encryption import EncryptionSettings, VaultSettings
from .engines import AvroSettings, JsonSchemaSettings, ProtobufSettings
from .mcp import McpSettings
from .providers import ProvidersSettings
from .rates import QuotasSettings, RateLimitsSettings, RateSettings
from .section import Section
from .server import ServerSettings
from .storage import BlobsSettings, PostgresSettings, S3Settings, StorageSettings
from .tls import ClientCertificates, ListenerName, TlsSettings
from .tracing import TracingSettings
from .tree import (
    CLIENT_VARIABLES,
    CONFIG_VARIABLE,
    PREFIX,
    CachesSettings,
    ChangesSettings,
    ClockSettings,
    GrpcSettings,
    HealthSettings,
    HttpSettings,
    LimitsSettings,
    LogsSettings,
    MetricsSettings,
    ProxiesSettings,
    QueuesSettings,
    RedisSettings,
    RedisTlsSettings,
    Settings,
    SettingsError,
    StatisticsSettings,
    UsageSettings,
    WorkersSettings,
    load,
)

__all__ = [
    "CLIENT_VARIABLES",
    "CONFIG_VARIABLE",
    "PREFIX",
    "AuditSettings",
    "AuthSettings",
    "AvroSettings",
    "BlobsSettings",
    "CachesSettings",
    "CertificatesSettings",
    "ChangesSettings",
    "ClientCertificates",
    "ClockSettings",
    "ConformanceSettings",
    "EncryptionSettings",
    "GrpcSettings",
    "HealthSettings",
    "HttpSettings",
    "JsonSchemaSettings",
    "JwtSettings",
    "LimitsSettings",
    "ListenerName",
    "LogsSettings",
    "McpSettings",
    "MetricsSettings",
    "PasswordSettings",
    "PostgresSettings",
    "ProtobufSettings",
    "ProvidersSettings",
    "ProxiesSettings",
    "QueuesSettings",
    "QuotasSettings",
    "RateLimitsSettings",
    "RateSettings",
    "RedisSettings",
    "RedisTlsSettings",
    "S3Settings",
    "Section",
    "ServerSettings",
    "Settings",
    "SettingsError",
    "StatisticsSettings",
    "StorageSettings",
    "TlsSettings",
    "TracingSettings",
    "UsageSettings",
    "VaultSettings",
    "WorkersSettings",
    "load",
]
