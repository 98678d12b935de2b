"""Why a handshake failed, in a few words."""

from __future__ import annotations

import ssl

OTHER = "other"

_VERIFICATION = {
    7: "bad signature",
    9: "certificate not yet valid",
    10: "certificate expired",
    12: "revocation list expired",
    18: "unknown authority",
    19: "unknown authority",
    20: "unknown authority",
    21: "unknown authority",
    3: "no revocation list of the authority",
    23: "certificate revoked",
    24: "no authority",
    25: "chain too long",
    26: "certificate for another purpose",
}
"""X509_V_ERR_* of OpenSSL 3.0 (x509_vfy.h): words."""

_REASONS = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "no certificate",
    "UNSUPPORTED_PROTOCOL": "older version of TLS",
    "NO_SHARED_CIPHER": "no shared cipher",
    "WRONG_VERSION_NUMBER": "no TLS",
    "HTTP_REQUEST": "no TLS",
    "TLSV1_ALERT_UNKNOWN_CA": "the client does not know our authority",
    "SSLV3_ALERT_BAD_CERTIFICATE": "the client refuses our certificate",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "the client refuses our certificate",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "the client refuses our certificate",
    "TLSV1_ALERT_PROTOCOL_VERSION": "older version of TLS",
}


def reason_of(error: ssl.SSLError) -> str:
    """One of a few words: it is a label of a metric."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _VERIFICATION.get(error.verify_code, "certificate not good")
    return _REASONS.get(error.reason or "", OTHER)
