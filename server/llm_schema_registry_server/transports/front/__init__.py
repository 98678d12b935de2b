"""TLS in front of the listeners: handshakes, client certificates, and who is at the other end of which connection.

The engines behind speak in the clear, on loopback and to this process alone: docs/decisions/0028-tls-in-front.md says why.
"""
