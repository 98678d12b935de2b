"""HTTP: the JSON twin of every RPC, read from the protos; event streams, WebSocket, probes. Names no endpoint."""
