import pytest
from django.db import DatabaseError
from rest_framework.test import APIClient

from apps.accounts.models import User
from apps.orgs.models import Quota
from apps.orgs.selectors import QUOTA_NAME
from apps.series.selectors import policies
from apps.series.selectors.policies import Policies, platform_policy
from detectviz.tsdb.policy import DAY_S, DEFAULT_POLICY
from tests.factories.accounts import make_full_org, make_user
from tests.factories.orgs import make_org

pytestmark = pytest.mark.django_db


@pytest.fixture
def known() -> Policies:
    return Policies()


def test_an_org_without_a_quota_has_the_platforms_limits(known: Policies) -> None:
    org = make_org()
    assert known(org.uid) == platform_policy() == DEFAULT_POLICY


def test_a_quota_overrides_what_it_names_and_holds_soon(known: Policies) -> None:
    org, other = make_org("acme"), make_org("other")
    known(org.uid)
    Quota.objects.create_for(org, name=QUOTA_NAME, max_series=5, retention_s=7200)
    assert known(org.uid).max_series == DEFAULT_POLICY.max_series
    known.forget()
    assert (known(org.uid).max_series, known(org.uid).retention_s) == (5, 7200)
    assert known(org.uid).rollup_5m_retention_s == 90 * DAY_S
    assert known(other.uid) == DEFAULT_POLICY


def test_while_sql_is_away_the_known_limits_stay(
    known: Policies, monkeypatch: pytest.MonkeyPatch
) -> None:
    org = make_org()
    Quota.objects.create_for(org, name=QUOTA_NAME, max_series=5)
    known(org.uid)

    def away() -> None:
        raise DatabaseError("gone")

    monkeypatch.setattr(policies, "quota_limits", away)
    known.forget()
    assert known(org.uid).max_series == 5


def test_only_the_platform_writes_quotas_and_org_admins_read_them() -> None:
    org = make_full_org()
    path = f"/apis/core/v1/orgs/{org.name}/quotas"
    admin, root = APIClient(), APIClient()
    admin.force_login(User.objects.get(username=f"{org.name}-admin"))
    root.force_login(make_user("root", is_superuser=True))
    spec = {"spec": {"max_series": 10, "retention_s": 86_400}}
    assert admin.put(f"{path}/default", spec, format="json").status_code == 403
    assert root.put(f"{path}/default", spec, format="json").status_code == 201
    assert admin.put(f"{path}/default", spec, format="json").status_code == 403
    assert admin.delete(f"{path}/default").status_code == 403
    shown = admin.get(f"{path}/default").json()["spec"]
    assert (shown["max_series"], shown["max_labels"]) == (10, None)
    for bad in ({"max_series": 0}, {"retention_s": 5}, {"unknown": 1}):
        assert root.put(f"{path}/default", {"spec": bad}, format="json").status_code in {400, 422}
    assert root.put(f"{path}/second", spec, format="json").status_code in {400, 422}
