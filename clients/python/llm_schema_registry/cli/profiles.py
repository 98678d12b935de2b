"""The configuration file: named profiles, each a server with what is needed to talk to it.

    profile = "staging"            # the profile that counts when none is chosen

    [profiles.staging]
    server = "registry.staging.example:9090"
    token = "..."
    timeout = 5.0                  # seconds
    output = "json"
    context = ".staging"           # of subjects that name none
    ca = "/etc/registry/ca.pem"    # authorities to trust, instead of the system's
    cert = "/etc/registry/me.pem"  # our certificate, and its key
    key = "/etc/registry/me.key"

    [profiles.staging.login]       # written by `schema-registry login`
    issuer = "https://login.example"
    client_id = "cli"
    refresh_token = "..."
    expires_at = 1790000000.0      # of the token, seconds since 1970

The file is `$XDG_CONFIG_HOME/schema-registry/config.toml`, or the same in `~/.config`. It may hold tokens: it is written
with mode 0600.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .output import Format

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_CONTEXT = re.compile(r"\.[A-Za-z0-9_.-]*")
LARGEST_FILE = 1024 * 1024
SECRET_KEYS = frozenset({"token", "client_secret", "refresh_token"})


class ConfigFileError(ValueError):
    """Something in the configuration file is wrong; the message names the file and the key."""


@dataclass(frozen=True, slots=True)
class Login:
    """Where the token of a profile comes from, and how it is renewed. expires_at: seconds since 1970; None when that is not known.
    client_secret: of a program; a person has none."""

    issuer: str
    client_id: str
    client_secret: str | None = field(default=None, repr=False)
    scope: str | None = None
    audience: str | None = None
    refresh_token: str | None = field(default=None, repr=False)
    expires_at: float | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """What a profile says; None is left to the defaults. `timeout` in seconds; `ca`, `cert` and `key` are files."""

    server: str | None = None
    token: str | None = field(default=None, repr=False)
    timeout: float | None = None
    output: Format | None = None
    context: str | None = None
    ca: str | None = None
    cert: str | None = None
    key: str | None = None
    login: Login | None = None


KEYS = tuple(f.name for f in dataclasses.fields(Profile) if f.name != "login")
LOGIN_KEYS = tuple(f.name for f in dataclasses.fields(Login))


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """The content of the file; `default` is the name of the profile in use, or ""."""

    path: Path
    default: str = ""
    profiles: Mapping[str, Profile] = field(default_factory=dict)

    def profile(self, name: str, source: str) -> Profile:
        """The profile with this name. Raises ConfigFileError, which tells the `source` of the name."""
        if name not in self.profiles:
            known = ", ".join(sorted(self.profiles)) or "none"
            raise ConfigFileError(
                f"{self.path}: no profile {name!r} (from {source}); there are: {known}; "
                f"`schema-registry profile set {name} --server HOST:PORT` makes it"
            )
        return self.profiles[name]


def config_path() -> Path:
    """Where the file is, whether it exists or not."""
    home = os.environ.get("XDG_CONFIG_HOME", "")
    base = (
        Path(home) if os.path.isabs(home) else Path(os.path.expanduser("~")) / ".config"
    )  # the XDG specification ignores others
    return base / "schema-registry" / "config.toml"


def load() -> ConfigFile:
    """The file as it is; an empty one when there is none. Raises ConfigFileError."""
    path = config_path()
    try:
        with path.open("rb") as stream:
            content = stream.read(LARGEST_FILE + 1)
    except (FileNotFoundError, NotADirectoryError):
        return ConfigFile(path)
    except OSError as error:
        raise ConfigFileError(f"{path}: {error.strerror}") from error
    if len(content) > LARGEST_FILE:
        raise ConfigFileError(f"{path}: is larger than {LARGEST_FILE} bytes")
    try:
        document = tomllib.loads(content.decode("utf-8"))
    except ValueError as error:  # of TOML and of UTF-8
        raise ConfigFileError(f"{path}: not TOML: {error}") from error
    return _config(path, document)


def _config(path: Path, document: Mapping[str, Any]) -> ConfigFile:
    _only(path, "", document, ("profile", "profiles"))
    default, tables = document.get("profile", ""), document.get("profiles", {})
    if not isinstance(default, str):
        raise ConfigFileError(f"{path}: profile: the name of a profile is expected, not {default!r}")
    if not isinstance(tables, dict):
        raise ConfigFileError(f"{path}: profiles: tables such as [profiles.staging] are expected")
    return ConfigFile(path, default, {name: _profile(path, name, table) for name, table in tables.items()})


def _profile(path: Path, name: str, table: object) -> Profile:
    place = f"profiles.{name}"
    if not _NAME.fullmatch(name):
        raise ConfigFileError(f"{path}: {place}: a name has 1 to 64 letters, digits, - and _")
    if not isinstance(table, dict):
        raise ConfigFileError(f"{path}: {place}: a table is expected, not {table!r}")
    _only(path, f"{place}.", table, (*KEYS, "login"))
    cells = {key: value for key, value in table.items() if key != "login"}
    login = _login(path, f"{place}.login", table["login"]) if "login" in table else None
    return Profile(
        **{key: _value(f"{path}: {place}.{key}", key, value) for key, value in cells.items()}, login=login
    )


def _login(path: Path, place: str, table: object) -> Login:
    if not isinstance(table, dict):
        raise ConfigFileError(f"{path}: {place}: a table is expected, not {table!r}")
    _only(path, f"{place}.", table, LOGIN_KEYS)
    missing = [key for key in ("issuer", "client_id") if key not in table]
    if missing:
        raise ConfigFileError(f"{path}: {place}.{missing[0]}: is missing")
    return Login(**{key: _value(f"{path}: {place}.{key}", key, value) for key, value in table.items()})


def _only(path: Path, place: str, table: Mapping[str, Any], keys: tuple[str, ...]) -> None:
    for key in table:
        if key not in keys:
            raise ConfigFileError(f"{path}: {place}{key}: no such key; there are {', '.join(keys)}")


def _value(place: str, key: str, value: object) -> Any:
    if key in ("timeout", "expires_at"):
        most = 1e9 if key == "timeout" else 1e11
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < most:
            raise ConfigFileError(f"{place}: seconds greater than 0 are expected, not {value!r}")
        return float(value)
    if not isinstance(value, str) or not value.isprintable() or not value:
        shown = "what is there" if key in SECRET_KEYS else repr(value)
        raise ConfigFileError(f"{place}: a line of text is expected, not {shown}")
    if key == "output":
        if value not in list(Format):
            raise ConfigFileError(f"{place}: one of {', '.join(Format)} is expected, not {value!r}")
        return Format(value)
    if key == "context" and not _CONTEXT.fullmatch(value):
        raise ConfigFileError(f"{place}: a context begins with a dot, such as .staging; not {value!r}")
    return value


def check_profile(name: str, profile: Profile) -> None:
    """Raises ConfigFileError for what the file could not hold."""
    cells: dict[str, object] = {**_cells(profile)}
    if profile.login is not None:
        kept = dataclasses.asdict(profile.login)
        cells["login"] = {key: value for key, value in kept.items() if value is not None}
    _profile(config_path(), name, cells)


def _cells(profile: Profile) -> dict[str, str | float]:
    pairs = ((key, getattr(profile, key)) for key in KEYS)
    return {key: str(v) if isinstance(v, Format) else v for key, v in pairs if v is not None}


def save(config: ConfigFile) -> None:
    """Write the file, whole or not at all, readable by its owner only."""
    lines = [f"profile = {json.dumps(config.default, ensure_ascii=False)}"] if config.default else []
    for name, profile in config.profiles.items():
        lines += ["", f"[profiles.{name}]"]
        lines += [f"{key} = {json.dumps(v, ensure_ascii=False)}" for key, v in _cells(profile).items()]
        if profile.login is not None:
            lines += ["", f"[profiles.{name}.login]"]
            pairs = ((key, getattr(profile.login, key)) for key in LOGIN_KEYS)
            lines += [f"{key} = {json.dumps(v, ensure_ascii=False)}" for key, v in pairs if v is not None]
    config.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=config.path.parent, prefix=".config-")  # with mode 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write("\n".join(lines).strip() + "\n")
        os.replace(temporary, config.path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def exposed(config: ConfigFile) -> bool:
    """Whether others may read the tokens in the file."""
    if not any(p.token for p in config.profiles.values()):
        return False
    return bool(config.path.stat().st_mode & 0o077)
