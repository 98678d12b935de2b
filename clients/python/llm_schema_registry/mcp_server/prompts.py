"""Prompts: the usual jobs, told to a model with the tools that do them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .wire import INVALID_PARAMS, Json, ProtocolError

MOST_ARGUMENT = 20_000
"""Characters of an argument."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt. arguments: name to description; all are required. text: with `{name}` where an argument goes."""

    name: str
    description: str
    arguments: Mapping[str, str]
    text: str

    def listed(self) -> Json:
        """The prompt as prompts/list tells of it."""
        return {
            "name": self.name,
            "description": self.description,
            "arguments": [
                {"name": name, "description": about, "required": True}
                for name, about in self.arguments.items()
            ],
        }

    def filled(self, given: object) -> Json:
        """The answer of prompts/get. Raises ProtocolError for arguments that are missing, unknown or too long."""
        values = given if isinstance(given, dict) else {}
        if set(values) != set(self.arguments):
            raise ProtocolError(
                INVALID_PARAMS, f"prompt {self.name} takes the arguments {', '.join(self.arguments)}"
            )
        for name, value in values.items():
            if not isinstance(value, str) or not 0 < len(value) <= MOST_ARGUMENT:
                raise ProtocolError(
                    INVALID_PARAMS, f"argument {name} must be a text of 1 to {MOST_ARGUMENT} characters"
                )
        filled = self.text
        for part in self.arguments:  # one pass each: what an argument holds is not looked into
            filled = filled.replace("{" + part + "}", "\x00" + part + "\x00")
        for part, value in values.items():
            filled = filled.replace("\x00" + part + "\x00", value.replace("\x00", ""))
        return {
            "description": self.description,
            "messages": [{"role": "user", "content": {"type": "text", "text": filled}}],
        }


_SUBJECT = "Name of the subject"

PROMPTS = (
    Prompt(
        "change_schema",
        "Change a schema without breaking those who use it",
        {"subject": _SUBJECT, "change": "What should be different"},
        "Change the schema of subject {subject} in the schema registry like this: {change}\n\n"
        "1. explain_schema and get_schema: read the newest version and who uses it.\n"
        "2. Write the new schema; keep the order of keys and all descriptions that still hold.\n"
        "3. check_compatibility. If the verdict is NO, read the witness, which is a document that would break, and the remedies; "
        "prefer a change that is compatible (a new optional property, both old and new values).\n"
        "4. register_draft with dry_run, then without. Report the version, the verdict and what remains to be decided. Do not delete "
        "anything.",
    ),
    Prompt(
        "fix_answer",
        "Correct a model's answer so that it fits its schema",
        {"subject": _SUBJECT, "answer": "The answer that should be corrected"},
        "This answer should be valid under the newest schema of subject {subject} in the schema registry. judge_answer it; if it is not "
        "valid, read the parts of the schema that the errors name with get_schema, correct only what is wrong, invent no facts, and judge "
        "again, at most three times. Reply with the JSON alone.\n\n{answer}",
    ),
    Prompt(
        "review_draft",
        "Review a draft before somebody activates it",
        {"subject": _SUBJECT, "version": "The draft's version"},
        "Review version {version} of subject {subject} in the schema registry. diff_schemas it against latest, and explain_schema. Say in "
        "plain words: what changes for those who read and who write such data, with a witness for each break; which names or descriptions "
        "could mislead a model; whether you would activate it, and why.",
    ),
    Prompt(
        "follow_changes",
        "Say what has changed in a part of the registry",
        {"subjects": "Names or patterns such as orders.*, separated by commas", "revision": "Where to begin: a revision, or earliest"},
        "Use watch_changes with subjects {subjects} from_revision {revision} and wait_seconds 0, again with the revision of each answer until "
        "there are no more events. For each new version diff_schemas it against the one before. Sum up what changed, what breaks, and end "
        "with the last revision.",
    ),
)  # fmt: skip
