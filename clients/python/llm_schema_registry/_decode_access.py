"""From the messages about grants and policies to frozen values."""

from __future__ import annotations

from google.protobuf import json_format

from ._decode import time
from .access import AccessExplanation, AccessPolicies, Grant, PolicyTrace
from .credentials import RoleGrant
from .results import Items
from .v1 import access_pb2 as pb

_HOLDS = {pb.CONDITION_STATE_HOLDS: True, pb.CONDITION_STATE_DOES_NOT_HOLD: False}


def grant(m: pb.Grant, *, fixed: bool = False) -> Grant:
    return Grant(m.holder, m.role, m.scope, m.created_by, time(m, "created_at"), fixed)


def given(m: pb.SetGrantResponse) -> Grant:
    return grant(m.grant)


def grants(m: pb.ListGrantsResponse) -> Items[Grant]:
    fixed = (grant(each, fixed=True) for each in m.fixed)
    return Items.of([*fixed, *map(grant, m.grants)], m.next_page_token)


def policies(m: pb.GetPoliciesResponse) -> AccessPolicies:
    tree = json_format.MessageToDict(m.policies, preserving_proto_field_name=True)
    return AccessPolicies(tree, m.version, m.set_by, time(m, "set_at"))


def version(m: pb.SetPoliciesResponse) -> int:
    return m.version


def explanation(m: pb.ExplainAccessResponse) -> AccessExplanation:
    return AccessExplanation(
        allowed=m.allowed,
        reason=m.reason,
        granted=m.granted,
        grants=tuple(RoleGrant(g.role, g.scope) for g in m.grants),
        policy=m.policy,
        traces=tuple(map(_trace, m.traces)),
        resource=json_format.MessageToDict(m.resource_facts, preserving_proto_field_name=True),
        policies_version=m.policies_version,
    )


def _trace(m: pb.PolicyTrace) -> PolicyTrace:
    effect = pb.PolicyEffect.Name(m.effect).removeprefix("POLICY_EFFECT_")
    return PolicyTrace(m.name, effect, _HOLDS.get(m.condition))
