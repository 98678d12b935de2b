"""The server of the LLM Schema Registry: from sockets (transports) down to values (model)."""

import os

__version__ = "0.1.0"

# The server starts subprocesses by fork and exec at once. gRPC's own fork handlers, which stop its threads for that
# moment or complain that they cannot, are for children that go on using it. Read when gRPC is imported.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
