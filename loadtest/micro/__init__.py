"""Micro-benchmarks that run on any commit: `make bench` (loadtest/bench.py)."""
