"""Public is a promise: the names, the methods and their types."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import llm_schema_registry
from llm_schema_registry import (
    SchemaRegistry,
    access,
    audit,
    credentials,
    enums,
    errors,
    results,
    statistics,
    verdicts,
)

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

METHODS = [
    "answer_stream",
    "cached",
    "certify_compatibility",
    "check_compatibility",
    "check_many",
    "check_profile",
    "close",
    "coalescing",
    "coerce_answer",
    "compile_for_provider",
    "convert_schema",
    "create_api_key",
    "create_ticket",
    "decode_answer",
    "delete_api_key",
    "delete_config",
    "delete_grant",
    "delete_profile",
    "delete_schema",
    "delete_subject",
    "diff_schemas",
    "explain_access",
    "export_audit",
    "find_fixes",
    "flush_outcomes",
    "get_api_key",
    "get_audit_checkpoint",
    "get_config",
    "get_conformance",
    "get_consistency_proof",
    "get_content",
    "get_dependencies",
    "get_dependents",
    "get_inclusion_proof",
    "get_latest_version",
    "get_many",
    "get_policies",
    "get_profile",
    "get_schema",
    "get_schema_by_version",
    "get_schema_history",
    "get_schemas",
    "get_statistics",
    "get_subject_versions",
    "grammar_for",
    "health_check",
    "iter_api_keys",
    "iter_audit_events",
    "iter_conformance",
    "iter_grants",
    "iter_profile_verdicts",
    "iter_revoked_tokens",
    "iter_search",
    "iter_subjects",
    "iter_versions",
    "list_api_keys",
    "list_audit_events",
    "list_grants",
    "list_profile_verdicts",
    "list_profiles",
    "list_revoked_tokens",
    "list_schemas",
    "list_subjects",
    "list_versions",
    "model",
    "outcomes_dropped",
    "put_profile",
    "reask_answer",
    "register",
    "register_schema",
    "report_outcome",
    "report_outcomes",
    "revoke_token",
    "rotate_api_key",
    "search_schemas",
    "set_config",
    "set_grant",
    "set_policies",
    "target",
    "undelete_schema",
    "update_api_key",
    "update_schema_metadata",
    "validate_data",
    "validate_items",
    "validate_locally",
    "validate_many",
    "validate_schema",
    "validate_stream",
    "watch",
    "who_am_i",
]

OWN = [
    "AnswerChunk",
    "AsyncCoalescingReader",
    "AsyncLiveCache",
    "CoalescingReader",
    "LiveCache",
    "AsyncSchemaRegistry",
    "AsyncWatch",
    "CheckItem",
    "Content",
    "Data",
    "Reference",
    "RetryPolicy",
    "SchemaId",
    "SchemaOperand",
    "SchemaRegistry",
    "SchemaSelector",
    "Tls",
    "ValidationItem",
    "Watch",
    "verify_verdict",
]


def test_the_methods_are_these() -> None:
    assert sorted(n for n in dir(SchemaRegistry) if n[0] != "_") == METHODS


def test_every_error_result_and_enumeration_is_public_at_the_top() -> None:
    classes = [
        name
        for module in (access, audit, credentials, enums, errors, results, statistics, verdicts)
        for name, value in vars(module).items()
        if isinstance(value, type)
        and f"{value.__module__}.".startswith(f"{module.__name__}.")
        and name != "WireEnum"
    ]
    assert sorted(llm_schema_registry.__all__) == sorted(classes + OWN)


def test_every_method_is_documented_with_its_parameters() -> None:
    for name in METHODS:
        assert getattr(SchemaRegistry, name).__doc__, name


def test_usage_has_the_types_it_promises() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", "pyproject.toml", str(HERE / "typed_usage.py")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout
