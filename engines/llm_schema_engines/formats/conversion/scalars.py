"""Converts times, decimals and bytes to and from text, numbers and bytes. Pure."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal, InvalidOperation

EPOCH = date(1970, 1, 1)
_INSTANT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,30}))?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII
)
_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)", re.ASCII)
_DECIMAL = re.compile(r"-?\d{1,10000}(?:\.\d{1,10000})?", re.ASCII)
SECOND = 10**9
FIRST, LAST = -62_135_596_800 * SECOND, 253_402_300_800 * SECOND - 1
"""The instants that RFC 3339 and Protobuf can write: years 1 to 9999."""


class ScalarMismatch(ValueError):
    """A value is not one of the scalar; the message completes the sentence "the value ..."."""


def instant_from_text(text: str) -> int:
    """Nanoseconds since 1970 of an RFC 3339 date-time; finer fractions are truncated. Raises ScalarMismatch."""
    match = _INSTANT.fullmatch(text)
    if match is None:
        raise ScalarMismatch("is not an RFC 3339 date-time")
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    leap = second == 60
    try:
        moment = datetime(year, month, day, hour, minute, 59 if leap else second, tzinfo=UTC)
        seconds = int((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) + leap
    except (ValueError, OverflowError):
        raise ScalarMismatch("is not a date-time that exists") from None
    if match[8]:
        if int(match[9]) > 23 or int(match[10]) > 59:
            raise ScalarMismatch("has an offset that does not exist")
        offset = int(match[9]) * 3600 + int(match[10]) * 60
        seconds -= offset if match[8] == "+" else -offset
    out = seconds * SECOND + int((match[7] or "").ljust(9, "0")[:9])
    if not FIRST <= out <= LAST:
        raise ScalarMismatch("is not between the years 1 and 9999")
    return out


def instant_to_text(nanoseconds: int) -> str:
    """RFC 3339 in UTC with 0, 3, 6 or 9 digits of the fraction. Raises ScalarMismatch outside the years 1 to 9999."""
    if not FIRST <= nanoseconds <= LAST:
        raise ScalarMismatch("is not between the years 1 and 9999")
    seconds, fraction = divmod(nanoseconds, SECOND)
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    digits = f"{fraction:09}"
    while digits.endswith("000"):
        digits = digits[:-3]
    text = moment.replace(tzinfo=None).isoformat()
    return f"{text}.{digits}Z" if digits else f"{text}Z"


def date_from_text(text: str) -> int:
    """Days since 1970. Raises ScalarMismatch."""
    match = _DATE.fullmatch(text)
    try:
        return (date(*(int(part) for part in match.groups())) - EPOCH).days if match else _bad_date()
    except ValueError:
        return _bad_date()


def _bad_date() -> int:
    raise ScalarMismatch("is not a date (YYYY-MM-DD)")


def date_to_text(days: int) -> str:
    """YYYY-MM-DD. Raises ScalarMismatch outside the years 1 to 9999."""
    try:
        return (EPOCH + timedelta(days=days)).isoformat()
    except OverflowError:
        raise ScalarMismatch("is not between the years 1 and 9999") from None


def decimal_from_text(text: str, precision: int, scale: int) -> Decimal:
    """A decimal of at most `precision` digits, `scale` of them behind the point. Raises ScalarMismatch."""
    if not _DECIMAL.fullmatch(text):
        raise ScalarMismatch("is not a decimal number")
    value = Decimal(text)
    if len(text.partition(".")[2]) > scale:
        raise ScalarMismatch(f"has more than {scale} digits behind the point")
    if abs(unscaled(value, scale)) >= 10**precision:
        raise ScalarMismatch(f"has more than {precision} digits")
    return value


def unscaled(value: Decimal, scale: int) -> int:
    """The unscaled integer: the decimal times 10^scale. Raises ScalarMismatch."""
    try:
        return int(Context(prec=25_000).scaleb(value, scale))
    except InvalidOperation:
        raise ScalarMismatch("has too many digits") from None


def decimal_from_bytes(content: bytes, precision: int, scale: int) -> Decimal:
    """A decimal of at most `precision` digits from its unscaled integer in two's complement, big-endian. Raises ScalarMismatch, also when
    empty."""
    if not content:
        raise ScalarMismatch("has no bytes")
    number = int.from_bytes(content, "big", signed=True)
    if abs(number) >= 10**precision:
        raise ScalarMismatch(f"has more than {precision} digits")
    return Context(prec=25_000).scaleb(Decimal(number), -scale)


def decimal_to_bytes(value: Decimal, scale: int, size: int) -> bytes:
    """As above, in `size` bytes, or as few as needed when `size` is negative. Raises ScalarMismatch."""
    number = unscaled(value, scale)
    length = (
        size
        if size >= 0
        else max(1, (number.bit_length() if number >= 0 else (~number).bit_length()) // 8 + 1)
    )
    try:
        return number.to_bytes(length, "big", signed=True)
    except OverflowError:
        raise ScalarMismatch(f"does not fit into {length} bytes") from None


def decimal_to_text(value: Decimal, scale: int) -> str:
    """Digits with exactly `scale` of them behind the point."""
    context = Context(prec=25_000)
    return format(context.quantize(value, context.scaleb(Decimal(1), -scale)), "f")


def bytes_from_base64(text: str) -> bytes:
    """Standard or URL-safe base64, padded or not (as Protobuf's JSON allows). Raises ScalarMismatch."""
    plain = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise ScalarMismatch("is not base64") from None


def bytes_to_base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
