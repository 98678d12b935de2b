"""Caches of what cannot change, or of what the change log says when to drop."""
