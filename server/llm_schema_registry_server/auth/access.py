"""What this server remembers of credentials, and how it learns that some have changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..model.access import AccessChange, AccessKind
from ..storage.store import Store
from . import key_ring, passwords, tokens
from .revoked import RevokedTokens
from .standing import Standings


class Access:
    """The standings of credentials and the revoked tokens. `reload` is called when the latter must be read anew, `granted` when
    grants or policies must be."""

    def __init__(self, store: Store, reload: Callable[[], None], granted: Callable[[], None]) -> None:
        self.standings = Standings()
        self.revoked = RevokedTokens(store)
        self._reload, self._granted = reload, granted

    def changed(self, change: AccessChange) -> None:
        """A change that this server has made, or has read in the log."""
        if change.kind is AccessKind.TOKEN and change.until is not None:
            self.revoked.add(change.item, change.until)
            self.standings.end(tokens.credential_of(change.item))
        elif change.kind is AccessKind.API_KEY:
            self.standings.end(key_ring.credential_of(change.item))
        elif change.kind in (AccessKind.GRANTS, AccessKind.POLICIES):
            self._granted()
        else:
            self.anything_changed()

    def logged(self, metadata: Mapping[str, str]) -> None:
        """A change of the log."""
        change = AccessChange.of(metadata)
        if change is None:  # of a newer server
            self.anything_changed()
        else:
            self.changed(change)

    def user_changed(self, name: str) -> None:
        """A user has another password or other roles, or is gone."""
        self.standings.end(passwords.credential_of(name))

    def anything_changed(self) -> None:
        """Changes were missed: everything is verified anew."""
        self.standings.end_all()
        self._reload()
        self._granted()
