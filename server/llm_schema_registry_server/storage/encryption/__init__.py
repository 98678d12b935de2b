"""Encryption of stored contents: each has a data key of its own, which a key of a provider wraps (envelope encryption)."""
