"""The back end for production: PostgreSQL, any number of servers on one database."""

from .store import PostgresOptions, PostgresStore

__all__ = ["PostgresOptions", "PostgresStore"]
