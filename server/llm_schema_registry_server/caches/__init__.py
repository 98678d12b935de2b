"""Caches of what never changes, or is dropped when the change log says that it has changed."""
