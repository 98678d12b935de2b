"""Which pages may ask in the name of who looks at them."""

from __future__ import annotations

import pytest

from llm_schema_registry_server.errors import PermissionDenied
from llm_schema_registry_server.transports.http.origins import demand_own_page


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://registry:8080", "registry:8080"),
        ("https://registry", "registry"),
        ("https://registry:443", "registry"),
        ("http://registry:80", "registry"),
        ("https://[::1]:8080", "[::1]:8080"),
    ],
)
def test_the_server_s_own_pages_may(origin: str, host: str) -> None:
    demand_own_page({"origin": origin, "host": host})


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://registry:443", "registry"),
        ("https://registry:80", "registry"),
        ("https://registry.evil", "registry"),
        ("https://evil/registry", "registry"),
        ("registry", "registry"),
        ("null", "null"),
        ("", ""),
        ("https://", ""),
        ("https://registry", ""),
    ],
)
def test_other_pages_may_not(origin: str, host: str) -> None:
    with pytest.raises(PermissionDenied):
        demand_own_page({"origin": origin, "host": host})
    demand_own_page({"origin": origin, "host": host, "authorization": "Bearer x"})
    demand_own_page({"origin": origin, "host": host}, {origin})


def test_a_name_and_a_password_that_a_browser_adds_by_itself_are_no_sign_of_consent() -> None:
    page = {"origin": "https://evil.example", "host": "registry"}
    with pytest.raises(PermissionDenied):
        demand_own_page({**page, "authorization": "Basic YWRhOng="})
    demand_own_page({**page, "authorization": "Basic YWRhOng=", "x-api-key": "x"})


def test_what_is_no_page_has_no_origin() -> None:
    demand_own_page({"host": "registry"})
