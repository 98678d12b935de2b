"""Finds for each loss of a compiled form a document that shows it, or a proof that there is none. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from time import thread_time
from typing import Any

from ..formats.engine import SchemaSource
from ..formats.json_schema.canonical import dump
from ..formats.json_schema.compiled import open_schema
from ..formats.json_schema.limits import JsonSchemaLimits
from ..formats.json_schema.pointers import split_pointer
from ..formats.json_schema.prover.compare import compare_schemas
from ..formats.json_schema.source_cache import SourceCache
from ..formats.json_schema.validation import JsonDataValidator
from ..model.compatibility import CompareOptions, Comparison, Verdict, Violation
from .decoding import OPTIONS
from .explaining import Explanations
from .losses import CompileLoss, Edit, LossEffect, LossProof, PendingLoss

_OPEN = CompareOptions()
_VIOLATIONS = 64
"""Documents that one comparison of both whole schemas may find."""


@dataclass(frozen=True, slots=True)
class ProofBudget:
    """What proving may cost: seconds of processor time in all, and losses that are looked at one by one."""

    seconds: float = 5.0
    losses: int = 64


@dataclass(frozen=True, slots=True)
class Proved:
    """The losses with what was found out. widened, narrowed: whether the compiled form accepts more, or less, than the schema: YES
    is proved not, NO has a witness."""

    losses: tuple[CompileLoss, ...]
    widened: Verdict
    narrowed: Verdict


class LossProver:
    """One run over one schema and the meaning of its compiled form."""

    def __init__(
        self, original: SchemaSource, content: Any, meant: Any, limits: JsonSchemaLimits, budget: ProofBudget
    ) -> None:
        self._original, self._content, self._budget = original, content, budget
        self._meant = SchemaSource(dump(meant, sort=False).encode(), (), OPTIONS)
        self._limits = limits
        self._cache = SourceCache(
            lambda source: open_schema(source, limits), max_entries=4, max_bytes=1024 * 1024
        )
        self._end = thread_time() + budget.seconds
        self._compiled: JsonDataValidator | None = None
        self._explanations: Explanations | None = None

    def prove(self, pending: Iterable[PendingLoss]) -> Proved:
        """All losses, with witnesses and proofs as far as the budget goes. A difference that none of them is about is added as
        one more: nothing is lost without a word."""
        losses = list(pending)
        wider = self._compare(self._original, self._meant)
        narrower = self._compare(self._meant, self._original)
        found: dict[str, str] = {}
        for violation in wider.violations:
            if violation.witness is not None:
                found.setdefault(violation.path, violation.witness.text)
        out = [
            self._one(item, wider.verdict, narrower.verdict, found, number)
            for number, item in enumerate(losses)
        ]
        out.extend(self._unannounced(out, wider, narrower))
        return Proved(tuple(out), wider.verdict, narrower.verdict)

    def _one(
        self, item: PendingLoss, wider: Verdict, narrower: Verdict, found: Mapping[str, str], number: int
    ) -> CompileLoss:
        loss = item.loss
        if loss.effect is LossEffect.ANNOTATION:
            return loss
        whole = wider if loss.effect is LossEffect.WIDENED else narrower
        if whole is Verdict.YES:
            return replace(loss, proof=LossProof.NO_EFFECT)
        if loss.effect is LossEffect.WIDENED:
            whole_schema = not loss.pointer and not loss.keyword
            shown_by = next(iter(found.values()), "") if whole_schema else found.get(loss.pointer, "")
            if shown_by:
                return replace(loss, proof=LossProof.WITNESS, witness=shown_by, in_compiled=True)
        if not item.edits or number >= self._budget.losses or thread_time() > self._end:
            return loss
        edited = _edited(self._content, item.edits)
        if edited is None:
            return loss
        alone = SchemaSource(
            dump(edited, sort=False).encode(), self._original.references, self._original.options
        )
        sides = (self._original, alone) if loss.effect is LossEffect.WIDENED else (alone, self._original)
        answer = self._compare(*sides, violations=4)
        if answer.verdict is Verdict.YES:
            return replace(loss, proof=LossProof.ALONE_NO_EFFECT)
        texts = [v.witness.text for v in answer.violations if v.witness is not None]
        if not texts:
            return loss
        shown = next((t for t in texts if self._shows(loss.effect, t)), None)
        return replace(
            loss, proof=LossProof.WITNESS, witness=shown or texts[0], in_compiled=shown is not None
        )

    def _shows(self, effect: LossEffect, text: str) -> bool:
        """Whether the compiled form with all its losses treats the document as this one loss makes it."""
        if self._compiled is None:
            self._compiled = JsonDataValidator(self._meant, self._limits)
        return self._compiled.accepts(text.encode()) is (effect is LossEffect.WIDENED)

    def _unannounced(
        self, losses: list[CompileLoss], wider: Comparison, narrower: Comparison
    ) -> Iterable[CompileLoss]:
        """Differences that the losses do not explain."""
        known = {
            loss.pointer
            for loss in losses
            if loss.effect is LossEffect.WIDENED and (loss.pointer or not loss.keyword)
        }
        for violation in wider.violations if "" not in known else ():
            if violation.witness is None:
                continue
            if self._explanations is None:
                validator = JsonDataValidator(self._original, self._limits)
                self._explanations = Explanations(validator.opened, validator)
            path = self._explanations.unexplained(violation.witness.data, known)
            if path is not None:
                known.add(path)
                yield _found_by_proof(LossEffect.WIDENED, path, violation)
        if not any(loss.effect is LossEffect.NARROWED for loss in losses):
            for violation in narrower.violations[:1]:
                if violation.witness is not None:
                    yield _found_by_proof(LossEffect.NARROWED, "", violation)

    def _compare(
        self, reader: SchemaSource, writer: SchemaSource, violations: int = _VIOLATIONS
    ) -> Comparison:
        left = max(0.05, self._end - thread_time())
        limits = replace(
            self._limits, violations=violations, compare_seconds=min(self._limits.compare_seconds, left)
        )
        return compare_schemas(reader, writer, _OPEN, limits, self._cache)


def _found_by_proof(effect: LossEffect, path: str, violation: Violation) -> CompileLoss:
    text = violation.witness.text if violation.witness is not None else ""
    return CompileLoss(
        effect, path, "", f"found by comparing: {violation.message}", LossProof.WITNESS, text, True
    )


def _edited(content: Any, edits: Iterable[Edit]) -> Any:
    """The schema after the edits; only what they touch is copied. None when they do not fit."""
    out = content
    for edit in edits:
        out = _at(out, split_pointer(edit.at) if edit.at else [], edit)
        if out is None:
            return None
    return out


def _at(value: Any, tokens: list[str], edit: Edit) -> Any:
    if not tokens:
        if not isinstance(value, dict):
            return None
        changed = (
            {k: v for k, v in value.items() if k != edit.keyword}
            if edit.remove
            else {**value, edit.keyword: edit.value}
        )
        return changed
    if isinstance(value, dict) and tokens[0] in value:
        inner = _at(value[tokens[0]], tokens[1:], edit)
        return None if inner is None else {**value, tokens[0]: inner}
    if isinstance(value, list) and tokens[0].isdigit() and int(tokens[0]) < len(value):
        number = int(tokens[0])
        inner = _at(value[number], tokens[1:], edit)
        return None if inner is None else [*value[:number], inner, *value[number + 1 :]]
    return None
