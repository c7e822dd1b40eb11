"""Ask for orgs and folders."""

from django.db import models

from apps.orgs.models import Folder, Org, Quota

QUOTA_NAME = "default"
QUOTA_FIELDS = (
    "max_series",
    "samples_per_s",
    "max_labels",
    "max_label_name_bytes",
    "max_label_value_bytes",
    "out_of_order_s",
    "retention_s",
    "rollup_5m_retention_s",
    "rollup_1h_retention_s",
)


def quota_limits() -> dict[str, dict[str, int]]:
    """Return what quotas set, by the org's uid: every org's, for the series store's use."""
    rows = Quota.objects.across_orgs(reason="the store keeps every org to its limits")
    return {
        row["org__uid"]: {field: row[field] for field in QUOTA_FIELDS if row[field] is not None}
        for row in rows.values("org__uid", *QUOTA_FIELDS)
    }


def org_get(name: str) -> Org | None:
    """Return the active org of this name."""
    return Org.objects.filter(name=name, is_active=True).first()


def org_get_by_uid(uid: str) -> Org | None:
    """Return the org of this uid, active or not."""
    return Org.objects.filter(uid=uid).first()


def org_get_by_id(pk: int) -> Org:
    """Return the org of this primary key, active or not; raise Org.DoesNotExist when gone."""
    return Org.objects.get(pk=pk)


def time_zone_of(org: models.Model) -> str:
    """Return the IANA name of the time zone an org tells times in."""
    return str(getattr(org, "time_zone", "UTC"))


def org_list() -> models.QuerySet[Org]:
    """Return the active orgs, by name."""
    return Org.objects.filter(is_active=True).order_by("name")


def org_find(name: str) -> Org | None:
    """Return the org of this name, active or not."""
    return Org.objects.filter(name=name).first()


def folder_list(org: models.Model) -> models.QuerySet[Folder]:
    """Return an org's folders, by name."""
    folders: models.QuerySet[Folder] = Folder.objects.for_org(org).order_by("name")
    return folders


def folder_get(org: models.Model, name: str) -> Folder | None:
    """Return an org's folder of this name."""
    return folder_list(org).filter(name=name).first()


def org_get_first() -> Org | None:
    """Return the oldest active org, which the first start made."""
    return Org.objects.filter(is_active=True).order_by("pk").first()


def org_exists(name: str) -> bool:
    """Tell whether the name is taken, by an org that is switched off too."""
    return Org.objects.filter(name=name).exists()
