"""Which plugins are off, for the deployment and for orgs: one snapshot of what SQL says."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from detectviz.contracts.types import JsonObject
from detectviz.pluginhost.description import PluginKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What is off. Everything else is on.

    ``version`` is the stamp of the switches in SQL, ``folders`` that of what is installed;
    ``org_off`` goes by the name of the org. ``settings`` are the deployment's, by plugin.
    """

    version: int = 0
    folders: int = 0
    off: frozenset[PluginKey] = frozenset()
    org_off: Mapping[str, frozenset[PluginKey]] = field(default_factory=dict)
    settings: Mapping[PluginKey, JsonObject] = field(default_factory=dict)

    def is_enabled(self, key: PluginKey, org: str | None) -> bool:
        """Say whether a plugin may be used, by an org or (None) by the deployment itself."""
        if key in self.off:
            return False
        return org is None or key not in self.org_off.get(org, ())


class PolicyHolder:
    """The policy a process goes by now; replaced as a whole."""

    def __init__(self) -> None:
        self.policy = Policy()
        self.is_loaded = False

    def use(self, policy: Policy) -> None:
        """Go by ``policy`` from now on."""
        self.policy = policy
        self.is_loaded = True

    def forget(self) -> None:
        """Know nothing again: everything is on."""
        self.policy = Policy()
        self.is_loaded = False

    def is_enabled(self, key: PluginKey, org: str | None) -> bool:
        """Ask the policy of this moment."""
        return self.policy.is_enabled(key, org)

    def settings_of(self, key: PluginKey) -> JsonObject:
        """Return the deployment's settings of a plugin."""
        return self.policy.settings.get(key, {})
