"""The gate between finding a plugin and running it: trust and approvals, asked twice.

``judge`` is asked by the load pipeline when a plugin is found, ``load`` and ``guard`` stand before
the loaders and ask again. What is loaded are the bytes that were judged last.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from detectviz.contracts.manifest import Manifest
from detectviz.pluginhost.copies import copy_make
from detectviz.pluginhost.description import PluginDescription, shown
from detectviz.pluginhost.installing import permissions_of
from detectviz.pluginhost.loading import load_capability
from detectviz.pluginhost.pipeline import Verdict
from detectviz.pluginhost.trust import TrustDecision, TrustPolicy, trust_again, trust_decide
from detectviz.pluginhost.verified_imports import load_verified

Approvals: TypeAlias = Mapping[str, frozenset[str]]
Loader = Callable[[Path, Manifest], object]


class UntrustedError(PermissionError):
    """The plugin may not be loaded; the message says why and what to do."""


class TrustGate:
    """Judges the plugins of one process.

    ``policy_of`` and ``approvals_of`` (words such as ``network:http`` by ``kind/name``) are asked
    for every judgement, so that a revocation counts from the next load on. Nobody asks for
    approvals of core plugins. Below ``copies`` lie the files of plugins in processes of their own.
    """

    def __init__(
        self,
        policy_of: Callable[[], TrustPolicy],
        approvals_of: Callable[[], Approvals],
        *,
        copies: Callable[[], Path],
    ) -> None:
        self._copies = copies
        self._policy_of = policy_of
        self._approvals_of = approvals_of
        self._judged: dict[Path, tuple[Manifest, TrustDecision, frozenset[str]]] = {}

    def judge(self, plugin: PluginDescription) -> Verdict:
        """Say whether a plugin that was found may be used, and where it must run."""
        manifest = plugin.manifest
        if manifest is None:
            return Verdict(level="custom", is_allowed=False, reason="It has no manifest.")
        decision = trust_decide(plugin.folder, manifest, self._policy_of())
        approved: frozenset[str] = frozenset()
        if decision.is_allowed and decision.digest:
            approved = self._approvals_of().get(shown(plugin.key), frozenset())
            decision = _approved(manifest, decision, approved)
        # The bytes are read again at load; keeping them all would keep every plugin in memory.
        self._judged[plugin.folder] = (manifest, replace(decision, files=None), approved)
        return Verdict(
            level=decision.level.value,
            is_allowed=decision.is_allowed,
            reason=decision.reason,
            is_isolated=decision.is_isolated,
        )

    def decision_of(self, folder: Path) -> TrustDecision | None:
        """Return what was last judged of the plugin in ``folder``, without its files."""
        judged = self._judged.get(folder)
        return None if judged is None else judged[1]

    def load(self, folder: Path, manifest: Manifest) -> object:
        """Load a plugin into this process; raise UntrustedError, or whatever its code raises."""
        prefix, decision = self._judge_again(folder)
        if decision.files is None:
            return load_capability(folder, manifest)
        return load_verified(decision.files, folder, manifest, prefix=prefix)

    def guard(self, loader: Loader) -> Loader:
        """Return ``loader`` (of the sandbox) with the judgement before it.

        It is given a private copy of the files that were judged.
        """

        def guarded(folder: Path, manifest: Manifest) -> object:
            prefix, decision = self._judge_again(folder)
            if decision.files is not None:
                folder = copy_make(decision.files, manifest, self._copies(), prefix=prefix)
            return loader(folder, manifest)

        return guarded

    def _judge_again(self, folder: Path) -> tuple[str, TrustDecision]:
        """Return the path of the plugin among the files that were judged, and the judgement."""
        root = next((each for each in (folder, *folder.parents) if each in self._judged), None)
        if root is None:
            raise UntrustedError("Nobody has judged this plugin.")
        manifest, earlier, approved = self._judged[root]
        decision = earlier
        if earlier.is_allowed and earlier.digest:
            decision = trust_again(root, manifest, earlier, self._policy_of())
        if decision.is_allowed and decision.digest:
            decision = _approved(manifest, decision, approved)
        if not decision.is_allowed:
            raise UntrustedError(decision.reason)
        inner = folder.relative_to(root).as_posix()
        return "" if inner == "." else f"{inner}/", decision


def _approved(
    manifest: Manifest, decision: TrustDecision, approved: frozenset[str]
) -> TrustDecision:
    missing = sorted(permissions_of(manifest.permissions) - approved)
    if not missing:
        return decision
    plugin = f"{manifest.kind.value}/{manifest.name}"
    reason = (
        f"It asks for {', '.join(missing)}, which no administrator has approved: "
        f"detectviz plugins approve {plugin}."
    )
    return replace(decision, is_allowed=False, reason=reason)
