"""Calls about grants, access policies, and why a call is allowed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from google.protobuf.empty_pb2 import Empty

from .. import _decode
from .. import _decode_access as decode
from .._arguments import texts
from .._call import ADMIN, Unary, unary
from .._checked import checked
from .._encode import access_policies, timestamp
from ..access import AccessExplanation, AccessPolicies, Grant
from ..results import Items
from ..v1 import access_pb2 as pb


@checked
def list_grants(
    holder: str = "", *, limit: int | None = None, page_token: str = "", timeout: float | None = None
) -> Unary[Items[Grant]]:
    """One page of the grants, by holder, role and scope; `page_token` goes on from the `next_page_token` of the page before.

    The first page begins with those of the settings of the server that answers. With `holder` only those of this holder.
    """
    request = pb.ListGrantsRequest(holder=holder, limit=limit, page_token=page_token)
    return unary(ADMIN + "ListGrants", pb.ListGrantsResponse, decode.grants, request, timeout)


@checked
def set_grant(holder: str, role: str, scope: str = "*", *, timeout: float | None = None) -> Unary[Grant]:
    """Give a role on the subjects of a scope ("orders.*", ":.staging:*", "*" for all) to a holder ("user:ada", "role:team", "*").

    It counts on all servers within a second. Raises PermissionDenied for what the caller does not hold himself.
    """
    request = pb.SetGrantRequest(holder=holder, role=role, scope=scope)
    return unary(ADMIN + "SetGrant", pb.SetGrantResponse, decode.given, request, timeout)


@checked
def delete_grant(holder: str, role: str, scope: str = "*", *, timeout: float | None = None) -> Unary[None]:
    """Take a grant back, on all servers within a second. Raises GrantNotFound."""
    request = pb.DeleteGrantRequest(holder=holder, role=role, scope=scope)
    return unary(ADMIN + "DeleteGrant", Empty, _decode.nothing, request, timeout)


@checked
def get_policies(version: int = 0, *, timeout: float | None = None) -> Unary[AccessPolicies]:
    """The access policies: the newest, or those of a version, of which the last twenty are kept."""
    request = pb.GetPoliciesRequest(version=version)
    return unary(ADMIN + "GetPolicies", pb.GetPoliciesResponse, decode.policies, request, timeout)


@checked
def set_policies(
    policies: Mapping[str, Any],
    *,
    expected_version: int,
    dry_run: bool = False,
    allow_lockout: bool = False,
    timeout: float | None = None,
) -> Unary[int]:
    """Set the access policies, all of them, instead of those of `expected_version`; answers with their version.

    `dry_run` checks them and sets nothing. Those that would keep the caller from setting others are refused unless
    `allow_lockout`. Raises ConcurrentUpdate when there is another version by now.
    """
    request = pb.SetPoliciesRequest(
        policies=access_policies(policies),
        expected_version=expected_version,
        dry_run=dry_run,
        allow_lockout=allow_lockout,
    )
    return unary(ADMIN + "SetPolicies", pb.SetPoliciesResponse, decode.version, request, timeout)


@checked
def explain_access(
    permission: str,
    resource: str = "",
    *,
    holder: str = "",
    roles: Iterable[str] = (),
    department: str = "",
    clearance: int | None = None,
    address: str = "",
    at: datetime | None = None,
    policies: Mapping[str, Any] | None = None,
    timeout: float | None = None,
) -> Unary[AccessExplanation]:
    """Why a permission such as "schema:read" holds for a subject or not; without `resource`, for the registry as a whole.

    It is asked for the caller, or for `holder` ("user:ada") with these roles, department and clearance, from an address and at a time.
    With `policies` those are asked instead of the ones in force: what would change.
    """
    request = pb.ExplainAccessRequest(
        permission=permission,
        resource=resource,
        holder=holder,
        roles=texts(roles, "roles"),
        department=department,
        clearance=clearance,
        address=address,
        at=timestamp(at, "at"),
        policies=None if policies is None else access_policies(policies),
    )
    return unary(ADMIN + "ExplainAccess", pb.ExplainAccessResponse, decode.explanation, request, timeout)
