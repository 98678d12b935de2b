"""From the certificate that a client has shown to its principal: whom it names, and with which roles.

The handshake has verified it (transports/front); here it is only read, once, and remembered.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from cryptography import x509
from cryptography.x509.oid import NameOID

from ..errors import Unauthenticated
from ..model.pattern import matches
from ..model.principal import Principal
from .permissions import Roles

_MOST_REMEMBERED = 4096
_LONGEST_NAME = 255
KIND = "cert"
"""Of the principals."""


class CertificateNames:
    """Reads the name of a certificate: of the `kinds` (`uri`, `dns`, `email`, `cn`) in their order, the first name of the first kind that
    it has. Names carry their kind (`dns:worker.example`), so that no kind can pass for another."""

    def __init__(self, kinds: Sequence[str]) -> None:
        self._kinds = tuple(kinds)

    def name(self, certificate: x509.Certificate) -> str | None:
        """The name with its kind; None when it has none that can be used. Raises ValueError for one that is malformed."""
        try:
            names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            names = x509.SubjectAlternativeName([])
        found: Mapping[str, Callable[[], Iterable[object]]] = {
            "uri": lambda: names.get_values_for_type(x509.UniformResourceIdentifier),
            "dns": lambda: names.get_values_for_type(x509.DNSName),
            "email": lambda: names.get_values_for_type(x509.RFC822Name),
            "cn": lambda: [a.value for a in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)],
        }
        for kind in self._kinds:
            for value in found[kind]():
                if not (isinstance(value, str) and 0 < len(value) <= _LONGEST_NAME and value.isprintable()):
                    raise ValueError(f"its first name of kind {kind} cannot be shown")
                return f"{kind}:{value}"
        return None


class CertificatePrincipals:
    """Principals by certificate. `granted`: from names with their kind, or patterns of them, to roles; who fits none has `default_roles`.
    Raises ValueError for a role that does not exist."""

    def __init__(
        self,
        names: CertificateNames,
        roles: Roles,
        granted: Mapping[str, Iterable[str]],
        *,
        default_roles: Iterable[str] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._names, self._clock = names, clock
        self._granted = tuple((pattern, frozenset(given)) for pattern, given in granted.items())
        self._default, self._roles = frozenset(default_roles), roles
        for name in self._default.union(*(given for _, given in self._granted)):
            if name not in roles.names:
                raise ValueError(f"no role is called {name!r}; there are {', '.join(sorted(roles.names))}")
        self._known: dict[bytes, Principal] = {}

    def principal(self, certificate: bytes) -> Principal:
        """Whom a certificate (DER) names. Raises Unauthenticated when it names nobody, or has expired since it was shown."""
        principal = self._known.get(certificate)
        if principal is None:
            principal = self._read(certificate)
            if len(self._known) >= _MOST_REMEMBERED:
                del self._known[next(iter(self._known))]
            self._known[certificate] = principal
        if principal.expires is None or self._clock() >= principal.expires:
            raise Unauthenticated("the client certificate has expired; connect again with a new one")
        return principal

    def _read(self, certificate: bytes) -> Principal:
        try:
            read = x509.load_der_x509_certificate(certificate)
            name = self._names.name(read)
        except ValueError as error:
            raise Unauthenticated(f"the client certificate cannot be read: {error}") from error
        if name is None:
            raise Unauthenticated(
                "the client certificate names nobody: it has none of the kinds of names that "
                "auth.certificates.identity lists"
            )
        held = self.roles(name)
        return Principal(
            name,
            self._roles.permissions(held),
            kind=KIND,
            roles=held,
            expires=read.not_valid_after_utc.timestamp(),
        )

    def roles(self, name: str) -> frozenset[str]:
        """The roles of a name with its kind."""
        fitting = [roles for pattern, roles in self._granted if matches(pattern, name)]
        return frozenset().union(*fitting) if fitting else self._default
