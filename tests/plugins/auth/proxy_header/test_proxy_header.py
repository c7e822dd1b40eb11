import pytest

from detectviz.contracts.auth import AuthContext, Credentials, OrgRole, ProxyHeaders
from detectviz.contracts.types import PluginKind
from detectviz.testing.auth import AuthConformance, make_context
from detectviz.testing.plugins import built_in_plugins


class TestProxyHeader(AuthConformance):
    name = "proxy-header"
    username = "ann"

    @pytest.fixture
    def context(self) -> AuthContext:
        return make_context("proxy-header", {})

    @pytest.fixture
    def good(self) -> Credentials:
        return ProxyHeaders(headers={"x-forwarded-user": "ann"}, peer="192.0.2.1")

    @pytest.fixture
    def bad(self) -> Credentials:
        return ProxyHeaders(headers={"x-forwarded-user": "ann, admin"}, peer="192.0.2.1")


def test_groups_become_roles() -> None:
    roles = [{"value": "ops", "org": "acme", "role": "operator"}]
    context = make_context("proxy-header", {"roles": roles, "roles_header": "Remote-Groups"})
    headers = {"x-forwarded-user": "ann", "remote-groups": "dev, ops", "x-forwarded-email": "a@b.c"}
    plugin = built_in_plugins().load(PluginKind.AUTH, "proxy-header")
    found = plugin.authenticate(ProxyHeaders(headers=headers, peer="192.0.2.1"), context)
    assert found.roles == (OrgRole(org="acme", role="operator"),)
    assert found.email == "a@b.c"
