"""The use cases: the only place with rules and transactions."""
