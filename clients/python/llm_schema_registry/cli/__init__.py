"""The command line of the registry. Prints and exits; everything it does, it does through the SDK."""

from .app import main, run

__all__ = ["main", "run"]
