"""Sockets: gRPC (two engines), HTTP, TLS, status mapping, operations endpoints."""
