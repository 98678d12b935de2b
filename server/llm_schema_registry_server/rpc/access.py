"""The handlers of AdminService for grants and access policies."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from functools import partial

from google.protobuf import json_format
from google.protobuf.empty_pb2 import Empty

from llm_schema_registry.v1 import access_pb2 as pb

from ..auth.explaining import AccessQuestion, Explanation, asked_of, explain, keeps
from ..auth.granting import GrantBook
from ..auth.policies import CLEARANCE, DEPARTMENT, PolicyTrace
from ..calls.call import Call
from ..errors import InvalidRequest
from ..model.grant import ANONYMOUS, EVERYONE, Grant, RoleGrant, StoredGrant, parse_holder
from ..model.policy import ACTIONS, Classification, PolicySet
from ..model.policy_tree import Tree, policies_of
from ..model.principal import Principal
from ..model.scope import Scope
from ..model.subject import Subject
from ..registry.use_cases import UseCases
from .actors import actor, wrote
from .convert import timestamp
from .credentials import time_in

_LONGEST_ROLE, _MOST_ROLES = 255, 256
_STATES = {
    True: pb.CONDITION_STATE_HOLDS,
    False: pb.CONDITION_STATE_DOES_NOT_HOLD,
    None: pb.CONDITION_STATE_CANNOT_BE_TOLD,
}


class AccessHandlers:
    """A part of AdminService. One method per RPC, named as the RPC is."""

    def __init__(self, use: UseCases, book: GrantBook) -> None:
        self._grants, self._policies, self._book = use.grants, use.policies, book

    async def list_grants(self, request: pb.ListGrantsRequest, call: Call) -> pb.ListGrantsResponse:
        holder = parse_holder(request.holder) if request.holder else ""
        limit = request.limit if request.HasField("limit") else None
        page = await self._grants.list(holder, limit, request.page_token)
        return pb.ListGrantsResponse(
            grants=map(_stored, page.grants), next_page_token=page.next_token, fixed=map(_grant, page.fixed)
        )

    async def set_grant(self, request: pb.SetGrantRequest, call: Call) -> pb.SetGrantResponse:
        given = await self._grants.give(_asked(request), actor(call))
        wrote(call, given.revision)
        return pb.SetGrantResponse(grant=_stored(given.grant), created=given.created, revision=given.revision)

    async def delete_grant(self, request: pb.DeleteGrantRequest, call: Call) -> Empty:
        wrote(call, await self._grants.take_back(_asked(request), actor(call)))
        return Empty()

    async def get_policies(self, request: pb.GetPoliciesRequest, call: Call) -> pb.GetPoliciesResponse:
        if request.version < 0:
            raise InvalidRequest("version", "must not be negative")
        found = await self._policies.get(request.version)
        if found is None:
            if request.version:
                raise InvalidRequest(
                    "version", f"there is no version {request.version}, or it is not kept any more"
                )
            return pb.GetPoliciesResponse(policies=pb.AccessPolicies())
        return pb.GetPoliciesResponse(
            policies=await asyncio.to_thread(_message, found.document),
            version=found.version,
            set_by=found.set_by,
            set_at=timestamp(found.set_at),
        )

    async def set_policies(self, request: pb.SetPoliciesRequest, call: Call) -> pb.SetPoliciesResponse:
        remaining = (
            _always
            if request.allow_lockout
            else partial(keeps, call.principal, call.peer.address, call.operation.permission)
        )
        done = await self._policies.set(
            await asyncio.to_thread(_tree, request.policies),
            request.expected_version,
            actor(call),
            keeps=remaining,
            dry_run=request.dry_run,
        )
        wrote(call, done.revision)
        return pb.SetPoliciesResponse(version=done.version, revision=done.revision)

    async def explain_access(self, request: pb.ExplainAccessRequest, call: Call) -> pb.ExplainAccessResponse:
        if request.permission not in ACTIONS:
            raise InvalidRequest("permission", f"must be one of {', '.join(sorted(ACTIONS))}")
        subject = str(Subject.parse(request.resource, "resource")) if request.resource else None
        tried = None
        if request.HasField("policies"):
            tried = await asyncio.to_thread(lambda: policies_of(_tree(request.policies)))
        own, at = not request.holder, time_in(request, "at")
        question = AccessQuestion(
            principal=_caller(request, call.principal, self._book),
            permission=request.permission,
            subject=subject,
            address=request.address or (call.peer.address if own else ""),
            at=None if at is None else at.timestamp(),
            policies=tried,
        )
        return _explained(explain(self._book, question))


def _always(policies: PolicySet) -> bool:
    return True


def _message(document: str) -> pb.AccessPolicies:
    return json_format.ParseDict(json.loads(document), pb.AccessPolicies())


def _tree(policies: pb.AccessPolicies) -> Tree:
    """As model/policy_tree.py reads it."""
    tree: Tree = json_format.MessageToDict(policies, preserving_proto_field_name=True)
    return tree


def _asked(request: pb.SetGrantRequest | pb.DeleteGrantRequest) -> Grant:
    if not 0 < len(request.role) <= _LONGEST_ROLE or not request.role.isprintable():
        raise InvalidRequest("role", f"must be 1 to {_LONGEST_ROLE} printable characters")
    return Grant(parse_holder(request.holder), request.role, Scope.parse(request.scope))


def _caller(request: pb.ExplainAccessRequest, caller: Principal, book: GrantBook) -> Principal:
    """Of whom a question is: its caller, or whom it describes."""
    if len(request.roles) > _MOST_ROLES:
        raise InvalidRequest("roles", f"has {len(request.roles)} items; the limit is {_MOST_ROLES}")
    said: Mapping[str, str] = {
        **({DEPARTMENT: request.department} if request.department else {}),
        **({CLEARANCE: str(request.clearance)} if request.HasField("clearance") else {}),
    }
    if not request.holder:
        found = asked_of(caller)
        return found if not said and not request.roles else _described(found, request, said, book)
    holder = parse_holder(request.holder)
    if holder == EVERYONE or holder.startswith("role:"):
        raise InvalidRequest("holder", "must be one caller, such as user:ada, or 'anonymous'")
    if holder == ANONYMOUS:
        return _described(Principal(ANONYMOUS, anonymous=True), request, said, book)
    kind, _, name = holder.partition(":")
    return _described(Principal(name, kind=kind), request, said, book)


def _described(
    of: Principal, request: pb.ExplainAccessRequest, said: Mapping[str, str], book: GrantBook
) -> Principal:
    roles = frozenset(request.roles) or of.roles
    return Principal(
        of.name,
        book.roles.permissions(roles),
        anonymous=of.anonymous,
        kind=of.kind,
        roles=roles,
        grants=of.grants,
        attributes={**of.attributes, **said},
    )


def _explained(found: Explanation) -> pb.ExplainAccessResponse:
    return pb.ExplainAccessResponse(
        allowed=found.allowed,
        reason=found.reason,
        granted=found.granted,
        grants=map(_role_grant, found.grants),
        policy=found.verdict.policy if found.verdict is not None else "",
        traces=map(_trace, found.traces),
        resource_facts=None if found.resource is None else _facts(found.resource),
        policies_version=found.version,
    )


def _trace(trace: PolicyTrace) -> pb.PolicyTrace:
    return pb.PolicyTrace(
        name=trace.name, effect=pb.PolicyEffect.ValueType(trace.effect), condition=_STATES[trace.holds]
    )


def _facts(known: Classification) -> pb.ResourceFacts:
    return pb.ResourceFacts(
        scopes=map(str, known.scopes),
        sensitivity=pb.Sensitivity.ValueType(known.sensitivity or 0),
        owner=known.owner,
        tags=sorted(known.tags),
    )


def _role_grant(grant: RoleGrant) -> pb.Grant:
    return pb.Grant(role=grant.role, scope=str(grant.scope))


def _grant(grant: Grant) -> pb.Grant:
    return pb.Grant(holder=grant.holder, role=grant.role, scope=str(grant.scope))


def _stored(stored: StoredGrant) -> pb.Grant:
    made = _grant(stored.grant)
    made.created_by = stored.created_by
    made.created_at.CopyFrom(timestamp(stored.created_at))
    return made
