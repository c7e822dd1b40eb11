"""`detectviz user create NAME --email ADDRESS`."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction

from apps.accounts.selectors import role_require
from apps.accounts.services.bootstrap import generated_password
from apps.accounts.services.users import membership_add, user_create
from apps.orgs.selectors import org_get
from detectviz.resources.errors import NotFoundError


class Command(BaseCommand):
    """Work with people."""

    help = "Create a user, optionally as a member of an org; prints a generated password."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the verbs."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        create = verbs.add_parser("create", help="create a user")
        create.add_argument("username")
        create.add_argument("--email", required=True)
        create.add_argument("--password", default="", help="generated and printed when left out")
        create.add_argument("--org", default="")
        create.add_argument("--role", default="viewer")
        create.add_argument("--superuser", action="store_true", help="a platform administrator")

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        """Create the user and the membership together."""
        password = options["password"] or generated_password()
        user = user_create(
            username=options["username"],
            email=options["email"],
            password=password,
            is_superuser=options["superuser"],
        )
        if options["org"]:
            org = org_get(options["org"])
            if org is None:
                raise NotFoundError(f"There is no org {options['org']!r}.")
            role = role_require(org, options["role"])
            membership_add(org=org, user=user, role=role, actor=None)
        self.stdout.write(f"user {user.username} created")
        if not options["password"]:
            self.stdout.write(f"password: {password}")
