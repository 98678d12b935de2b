"""gRPC: one way of serving a call, two engines under it, health and reflection."""
