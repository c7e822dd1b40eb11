"""`detectviz org create NAME`."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from apps.orgs.services import org_create


class Command(BaseCommand):
    """Work with organisations."""

    help = "Create an organisation."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the verbs."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        create = verbs.add_parser("create", help="create an organisation with what every one has")
        create.add_argument("name", help="lowercase letters, digits and dashes")
        create.add_argument("--title", default="")

    def handle(self, *args: Any, **options: Any) -> None:
        """Create and say so."""
        org = org_create(name=options["name"], title=options["title"])
        self.stdout.write(f"org {org.name} created")
