"""What the registry says, in the words of the command line: its messages name fields and calls of the API. Pure."""

from __future__ import annotations

import re

_WORDS: tuple[tuple[str, str], ...] = (
    (
        r"set its state to (\w+) or (\w+) with UpdateSchemaMetadata",
        r"give it the state \1 or \2 (`schema-registry state`)",
    ),
    (r"set the state of version (\d+) to ACTIVE", r"`schema-registry state SUBJECT@\1 active` makes it so"),
    (r"with UpdateSchemaMetadata", "with `schema-registry state`"),
    (r"\bUpdateSchemaMetadata\b", "`schema-registry update` and `state`"),
    (r"UndeleteSchema or (?=`schema-registry undelete)", ""),
    (
        r"list them with include_deleted and undelete those that you need with (?:UndeleteSchema or )?(`[^`]*`)",
        r"`schema-registry versions SUBJECT --deleted` lists them, \1 brings one back",
    ),
    (r"(?<![`\w])include_deleted\b", "--deleted"),
    (
        r"data is validated with the field `subject`",
        "data is validated with `schema-registry validate SUBJECT[@VERSION]`",
    ),
    (r"with GetLatestVersion or GetSchemaByVersion", "with `schema-registry get SUBJECT[@VERSION]`"),
    (r"\bGetLatestVersion or GetSchemaByVersion\b", "`schema-registry get SUBJECT[@VERSION]`"),
    (r"\bGetSchemaByVersion\b", "`schema-registry get SUBJECT@VERSION`"),
    (r"\bGetLatestVersion\b", "`schema-registry get SUBJECT`"),
    (r"\bGetDependents\b", "`schema-registry deps SUBJECT --dependents`"),
    (r"with UndeleteSchema\b", "with `schema-registry undelete`"),
    (r"\bUndeleteSchema\b", "`schema-registry undelete`"),
    (r"\bRegisterSchema\b", "`schema-registry register`"),
    (r"\bDeleteSchema\b", "`schema-registry delete`"),
    (r"with SetConfig\b|through ConfigService\b", "with `schema-registry config set`"),
    (r"\bSetConfig\b", "`schema-registry config set`"),
    (r"\bGetConfig\b", "`schema-registry config get`"),
    (r"\bGetStatistics\b", "`schema-registry stats`"),
    (r"\bSearchSchemas\b", "`schema-registry search`"),
    (r"\bStreamSchemaChanges\b", "`schema-registry watch`"),
    (r"\(without `?permanent`?\)", "(without --permanent)"),
    (r"`permanent`", "--permanent"),
    (r"`?auto_activate = false`?", "--no-activate"),
    (r"`?as_draft`?", "--draft"),
    (r"(?<![`\w])references\[(\d+)\](?:\.\w+)?: ", "--reference: "),
    (r"(?<![`\w])tags\[(\d+)\]: ", "--tag: "),
    (r"(?<![`\w])metadata(?:\[[^\]]*\])?: ", "--meta: "),
    (r"(?<![`\w])schema_content: ", "the schema: "),
    (r"(?<![`\w])max_errors\b", "--max-errors"),
    (r"(?<![`\w])message_name\b", "--message"),
    (r"(?<![`\w])schema_type\b", "--type"),
    (r"(?<![`\w])subject_pattern\b", "--subject"),
    (r"(?<![`\w])from_revision\b", "--from"),
    (r"leave compatibility_level out", "leave --level out"),
    (r"(?<![`\w])compatibility_level: ", "--level: "),
)
_PATTERNS = tuple((re.compile(pattern), words) for pattern, words in _WORDS)


def spoken(message: str) -> str:
    """The message with the options and commands that a reader of the command line knows."""
    for pattern, words in _PATTERNS:
        message = pattern.sub(words, message)
    return message
