"""Orgs and folders for tests, straight into the database."""

from apps.orgs.models import Folder, Org


def make_org(name: str = "acme") -> Org:
    """Return a bare org; org_create makes one with everything an org starts with."""
    return Org.objects.create(name=name, title=name.title())


def make_folder(org: Org, name: str = "web") -> Folder:
    """Return a folder of ``org``."""
    folder: Folder = Folder.objects.create_for(org, name=name)
    return folder
