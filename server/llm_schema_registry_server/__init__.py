"""The server of the LLM Schema Registry: from sockets (transports) down to values (model)."""

__version__ = "0.1.0"
