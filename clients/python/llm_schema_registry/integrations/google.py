"""google-genai: generateContent of Gemini. Nothing of the package `google-genai` is imported: its client takes and gives plain values.

ticket = GenerateContract.load(registry, "support.ticket@^2")
response = client.models.generate_content(model=..., contents=contents, config={**ticket.request()})
value = ticket.parse(response)         # AnswerRefused.messages asks again
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .contract import Contract
from .errors import AnswerRefused, NoAnswer

_ENDS = frozenset({"STOP", "FINISH_REASON_UNSPECIFIED"})
_SNAKE = {"responseJsonSchema": "response_json_schema", "responseSchema": "response_schema"}


class GenerateContract(Contract):
    """For `client.models.generate_content`."""

    PROFILE = "gemini-json-schema"

    def request(self) -> dict[str, Any]:
        """What `config` needs: the schema of the response, or the function, which has to be called."""
        if not self.is_tool:
            ((word, schema),) = self.envelope.items()
            return {"response_mime_type": "application/json", _SNAKE[word]: schema}
        function = {_snake(word): held for word, held in self.envelope.items()}
        calling = {"mode": "ANY", "allowed_function_names": [self.name]}
        return {
            "tools": [{"function_declarations": [function]}],
            "tool_config": {"function_calling_config": calling},
        }

    def parse(self, response: Any) -> Any:
        """The answer in the first candidate, as a JSON value in the shape of the schema. Of several calls it is the first.

        Raises AnswerRefused (append its `messages` to the contents, and ask again) and NoAnswer.
        """
        if not response.candidates:
            feedback = response.prompt_feedback
            raise NoAnswer(_word(getattr(feedback, "block_reason", None)) or "empty")
        candidate = response.candidates[0]
        reason = _word(candidate.finish_reason)
        if reason and reason not in _ENDS:
            raise NoAnswer(reason, candidate.finish_message or "")
        parts = (candidate.content and candidate.content.parts) or []
        if not self.is_tool:
            text = "".join(part.text for part in parts if part.text and not part.thought)
            if not text:
                raise NoAnswer("empty")
            return self.decode(text)
        calls = [part.function_call for part in parts if part.function_call is not None]
        mine = [call for call in calls if call.name == self.name]
        if not mine:
            raise NoAnswer("no call", f"the function {self.name!r} was not called")
        try:
            return self.decode(mine[0].args or {})
        except AnswerRefused as refused:
            told = {id(mine[0]): refused.text}
            results = [
                {
                    "function_response": {
                        **({"id": call.id} if call.id else {}),
                        "name": call.name,
                        "response": {"error": told.get(id(call), "not run: an earlier call was not valid")},
                    }
                }
                for call in calls
            ]
            said = candidate.content.model_dump(mode="json", exclude_none=True)
            refused.messages = [said, {"role": "user", "parts": results}]
            raise

    def piece(self, event: Any) -> str:
        if self.is_tool or not event.candidates or not event.candidates[0].content:
            return ""  # calls of functions come whole
        return "".join(p.text for p in event.candidates[0].content.parts or () if p.text and not p.thought)

    def retry_messages(self, text: str, answer: str) -> Sequence[Any]:
        said = [] if self.is_tool or not answer else [{"role": "model", "parts": [{"text": answer}]}]
        return [*said, {"role": "user", "parts": [{"text": text}]}]


def _word(value: Any) -> str:
    """The name of a member of an enumeration of the package."""
    return str(getattr(value, "value", value) or "")


def _snake(word: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in word)
