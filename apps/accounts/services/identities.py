"""Who outside systems say somebody is: the configured auth plugins, and the users they name."""

import logging
from functools import lru_cache
from typing import cast

from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.db import transaction
from django.http import HttpRequest

from apps.accounts.enums import UserKind
from apps.accounts.models import Role, User
from apps.accounts.services.users import membership_add, user_create
from apps.orgs.selectors import org_find
from detectviz.clock import utc_now
from detectviz.contracts.auth import (
    AuthContext,
    Credentials,
    Identity,
    ProxyHeaders,
    UsernamePassword,
)
from detectviz.contracts.errors import ConfigurationError
from detectviz.contracts.types import PluginKind
from detectviz.events.bus import publish
from detectviz.events.types import SecurityEventOccurred
from detectviz.net.http import SyncHttpClient
from detectviz.observability.context import trusted_peer
from detectviz.pluginhost.errors import PluginHostError
from detectviz.resources.errors import DomainError
from detectviz.runtime.chosen import (
    ChosenPlugin,
    chosen_host,
    names_check,
    plugin_chosen,
    plugin_config,
)
from detectviz.runtime.egress import egress_policy
from detectviz.tenancy.context import all_orgs_scope

CHOOSER, SETTING = "DETECTVIZ_AUTH", "DETECTVIZ_AUTH_CONFIG"
TIMEOUT_S = 5.0
WITHHELD = frozenset({"authorization", "cookie", "proxy-authorization"})

logger = logging.getLogger(__name__)
Source = tuple[ChosenPlugin, AuthContext]


def authenticators() -> tuple[Source, ...]:
    """Return the configured auth plugins in their order; raise ConfigurationError naming them."""
    return _authenticators(settings.AUTH_PLUGINS, settings.AUTH_CONFIG)


@lru_cache(maxsize=4)
def _authenticators(names: tuple[str, ...], text: str) -> tuple[Source, ...]:
    names_check(text, names, setting=SETTING, chooser=CHOOSER)
    http = SyncHttpClient(egress_policy())
    return tuple(_authenticator(name, text, http) for name in names)


def _authenticator(name: str, text: str, http: SyncHttpClient) -> Source:
    given = plugin_config(text, name, setting=SETTING)
    chosen = plugin_chosen(PluginKind.AUTH, name, setting=CHOOSER, given=given)
    context = AuthContext(
        config=chosen.config,
        secrets=chosen.secrets,
        http=http,
        now=utc_now,
        timeout_s=TIMEOUT_S,
        logger=logging.getLogger(f"detectviz.plugins.auth.{name}"),
    )
    check = getattr(chosen.instance, "check_config", None)
    if check is not None:
        try:
            check(context)
        except ConfigurationError as error:
            raise ConfigurationError(f"{SETTING}: {name}{error.field}: {error.message}") from error
    return chosen, context


def identity_authenticate(*, credentials: Credentials) -> User | None:
    """Return the active person these credentials belong to, by the first plugin that says so.

    What cannot be asked now, and what is wrong, recognises nobody.
    """
    for chosen, context in authenticators():
        try:
            identity = _asked(chosen, context, credentials)
        except PluginHostError as error:
            logger.warning("sign-in by %s failed: %s", chosen.name, error)
            continue
        if identity is not None:
            return identity_user(identity=identity, source=chosen.name)
    return None


def _asked(chosen: ChosenPlugin, context: AuthContext, credentials: Credentials) -> Identity | None:
    return chosen_host().client.call(
        PluginKind.AUTH,
        chosen.name,
        "authenticate",
        lambda plugin: cast("Identity | None", plugin.authenticate(credentials, context)),
    )


def identity_user(*, identity: Identity, source: str) -> User | None:
    """Return the user an identity names, made where ``DETECTVIZ_AUTH_PROVISION`` says so.

    Only active people; platform administrators only with ``DETECTVIZ_AUTH_ADMINS``, so that
    whoever may choose a name at the identity provider does not choose theirs.
    """
    user = User.objects.filter(username__iexact=identity.username).first()
    if user is None and settings.AUTH_PROVISION:
        user = _provisioned(identity, source)
    if user is None or not user.is_active or user.kind != UserKind.PERSON:
        return None
    if user.is_superuser and not settings.AUTH_ADMINS:
        logger.warning("%s named a platform administrator, which is not allowed", source)
        return None
    return user


def _provisioned(identity: Identity, source: str) -> User | None:
    try:
        with transaction.atomic(), all_orgs_scope(reason="a new person joins the orgs they are of"):
            user = user_create(
                username=identity.username, email=identity.email, full_name=identity.full_name
            )
            for held in identity.roles:
                org = org_find(held.org)
                roles = Role.objects.for_org(org) if org else Role.objects.none()
                role = roles.filter(name=held.role).first()
                if org is None or role is None:
                    logger.warning("%s: there is no role %s in %s", source, held.role, held.org)
                    continue
                membership_add(org=org, user=user, role=role, actor=None)
            publish(
                SecurityEventOccurred(
                    action="user.provision",
                    org_id=None,
                    actor_id=None,
                    kind="User",
                    name=user.username,
                    uid=user.uid,
                    details={"source": source},
                )
            )
    except DomainError as error:
        logger.warning("%s named somebody who cannot be made a user: %s", source, error)
        return None
    return user


def proxy_credentials(request: HttpRequest) -> ProxyHeaders | None:
    """Return the headers of a request that came straight from a trusted proxy, else None."""
    peer = trusted_peer(request.META.get("REMOTE_ADDR", ""), settings.TRUSTED_PROXIES)
    if peer is None:
        return None
    headers = {name.lower(): value for name, value in request.headers.items()}
    shown = {name: value for name, value in headers.items() if name not in WITHHELD}
    return ProxyHeaders(headers=shown, peer=peer)


def proxied_user(request: HttpRequest) -> User | None:
    """Return whom a trusted proxy says its user is."""
    if not settings.AUTH_PLUGINS:
        return None
    credentials = proxy_credentials(request)
    return None if credentials is None else identity_authenticate(credentials=credentials)


class PluginBackend(ModelBackend):
    """Sign-in by user name and password that an auth plugin knows; axes counts before it."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: object,
    ) -> User | None:
        """Return the person; None: not known, or nobody is configured."""
        if not settings.AUTH_PLUGINS or not username or not password:
            return None
        credentials = UsernamePassword(username=username, password=password)
        return identity_authenticate(credentials=credentials)
