"""Authenticators: one verb, ``authenticate``. They say who somebody is, never what they may do.

The host finds the user of that name, refuses those who are inactive, counts failures, locks out,
audits, and begins the session. API keys are the host's own and never reach a plugin.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TypeAlias

from detectviz.contracts.network import HttpClient
from detectviz.contracts.types import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class BearerToken:
    """What stood after ``Authorization: Bearer``; never an API key."""

    token: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class UsernamePassword:
    """What was typed into the sign-in page."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyHeaders:
    """Headers of a request that a trusted proxy (``peer``, its address) sent itself.

    Names are in lower case; Authorization and Cookie are left out. The host makes these only of
    requests whose peer is in ``DETECTVIZ_TRUSTED_PROXIES``.
    """

    headers: Mapping[str, str]
    peer: str


Credentials: TypeAlias = BearerToken | UsernamePassword | ProxyHeaders


@dataclass(frozen=True, slots=True, kw_only=True)
class OrgRole:
    """A role in an org, both by name."""

    org: str
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who it is. ``username`` finds the user; the rest counts only where users are provisioned."""

    username: str
    email: str = ""
    full_name: str = ""
    roles: tuple[OrgRole, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthContext:
    """Everything one call may use. ``http`` is guarded; ``now`` is aware UTC."""

    config: JsonObject
    secrets: Mapping[str, str]
    http: HttpClient
    now: Callable[[], datetime]
    timeout_s: float
    logger: logging.Logger


class Authenticator(Protocol):
    """An auth plugin's capability class; constructed once per process, used by several threads.

    One that wants its configuration looked at when the process starts has ``check_config`` too.
    """

    def authenticate(self, credentials: Credentials, context: AuthContext) -> Identity | None:
        """Say who has these credentials; None: not mine to judge, or wrong.

        Take the same time for a wrong name and a wrong password. Raise PluginError when it cannot
        be found out now (the host refuses then), ConfigurationError for a wrong configuration.
        """


class ConfigChecker(Protocol):
    """An authenticator or a middleware that looks at its configuration before it is used."""

    def check_config(self, context: AuthContext) -> None:
        """Raise ConfigurationError for what no call could work with; ask nobody outside."""
