"""`detectviz apikey create --org O --role R [--name N]`."""

import secrets
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction

from apps.accounts.selectors import account_has_role, role_require, serviceaccount_list
from apps.accounts.services.apikeys import KeyTerms, apikey_create
from apps.accounts.services.bindings import BindingChange, binding_create
from apps.accounts.services.serviceaccounts import serviceaccount_create
from apps.orgs.selectors import org_get
from detectviz.resources.errors import NotFoundError


class Command(BaseCommand):
    """Work with API keys."""

    help = "Make a service account with a role and print its key (and nothing else)."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the verbs."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        create = verbs.add_parser("create", help="make a key; it is shown only once")
        create.add_argument("--org", required=True)
        create.add_argument("--role", required=True)
        create.add_argument("--name", default="", help="of the service account, made if missing")

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        """Make account, binding and key together."""
        org = org_get(options["org"])
        if org is None:
            raise NotFoundError(f"There is no org {options['org']!r}.")
        role = role_require(org, options["role"])
        suffix = secrets.token_hex(3)
        name = options["name"] or f"cli-{suffix}"
        account = serviceaccount_list(org).filter(name=name).first()
        if account is None:
            account = serviceaccount_create(org=org, name=name)
        if not account_has_role(account, role):
            change = BindingChange(role=role, subject=account)
            binding_create(org=org, name=f"{name[:50]}-{role.name}"[:63], change=change, actor=None)
        key = apikey_create(
            org=org, name=f"{name[:50]}-{suffix}", user=account.user, terms=KeyTerms(), actor=None
        )
        self.stdout.write(key.token)
