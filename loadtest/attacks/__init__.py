"""Hostile callers, for loadtest/hostile.py, loadtest/soak.py and the tests: what they send, from addresses of their own."""
