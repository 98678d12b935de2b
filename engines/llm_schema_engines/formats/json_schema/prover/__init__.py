"""Proofs about pairs of schemas: is every value that one accepts accepted by the other? Pure."""
