"""Whether a plugin may run: decided when it is found or installed, and again when it is loaded.

Built-in plugins are ``core``. Every other needs a signature over all of its files by a key that a
trust store vouches for, at the level the rules demand, unless an administrator allows it
unsigned by name. The bytes that were judged are handed on, and are what is loaded.
"""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from detectviz.clock import utc_now
from detectviz.contracts.manifest import Manifest
from detectviz.contracts.types import PluginKind
from detectviz.pluginhost.errors import PluginProblem
from detectviz.pluginhost.files import PluginFiles, read_files, require_listing, require_same
from detectviz.pluginhost.manifest import folder_name, read_manifest
from detectviz.pluginhost.signing import SignatureError, Signed, canonical, read, verify
from detectviz.pluginhost.truststate import TrustState
from detectviz.pluginhost.truststores import (
    TrustedKey,
    TrustFiles,
    TrustLevel,
    TrustRule,
    TrustStore,
)

_CLOCKS_DIFFER = timedelta(minutes=5)
_TRUSTED_WITHIN = (TrustLevel.CORE, TrustLevel.VERIFIED)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustPolicy:
    """What is believed here.

    ``core_folders`` hold the installation's own plugins. ``unsigned`` are names (``kind/name``)
    an administrator allows without a signature; so is whatever lies in ``unsigned_folders``.
    """

    state: TrustState
    files: TrustFiles = field(default_factory=TrustFiles)
    core_folders: tuple[Path, ...] = ()
    unsigned: frozenset[str] = frozenset()
    unsigned_folders: tuple[Path, ...] = ()

    @property
    def revoked(self) -> dict[str, str]:
        """Keys that any store revokes, with the reason."""
        return {key: why for store in self.files.stores for key, why in store.revoked.items()}

    def rule(self, plugin: str) -> TrustRule:
        """Return the first rule about ``kind/name``; without one a signature is all it takes."""
        return next((rule for rule in self.files.rules if rule.matches(plugin)), TrustRule())

    def is_named(self, plugin: str) -> bool:
        """Return whether an administrator allows exactly this plugin unsigned."""
        return plugin in self.unsigned | self.files.unsigned


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustDecision:
    """May it run, as what, and why (not); ``files`` are the bytes that were judged.

    A core plugin is loaded from its folder and has none. ``digest`` tells one state of all files
    from every other.
    """

    level: TrustLevel
    is_allowed: bool
    reason: str
    is_isolated: bool
    key_id: str = ""
    version: str = ""
    files: PluginFiles | None = None
    digest: str = ""


def trust_decide(folder: Path, manifest: Manifest, policy: TrustPolicy) -> TrustDecision:
    """Judge the plugin in ``folder``; ``manifest`` is what was read from it a moment ago.

    Reads every file, runs none; remembers a signed version it accepts. Never raises: a reason not
    to trust is a decision.
    """
    place = folder.resolve()
    if any(core_holds(core, place) for core in policy.core_folders):
        return core_decision()
    try:
        files = read_files(place)
        if read_again(files, manifest.kind, manifest.name)[0] != manifest:
            return refusal("Its manifest changed while it was read; look again.")
        is_open = any(place.is_relative_to(each.resolve()) for each in policy.unsigned_folders)
        decision = files_decide(files, manifest, policy, is_open=is_open)
        _remember(decision, manifest, policy)
    except SignatureError as error:
        return refusal(str(error))
    return decision


def trust_again(
    folder: Path, manifest: Manifest, earlier: TrustDecision, policy: TrustPolicy
) -> TrustDecision:
    """Judge the plugin once more just before it is loaded, as ``earlier`` but for the files.

    ``manifest`` may have been completed by the host since. Files that are not those of the
    earlier decision are refused, even signed ones: what was shown and approved is what runs.
    """
    if not (earlier.is_allowed and earlier.digest):
        return earlier  # a core plugin, or one that was refused
    try:
        place = folder.resolve()
        files = read_files(place)
        if digest_of(files) != earlier.digest:
            return refusal("Its files changed since it was found; restart, or install it again.")
        is_open = any(place.is_relative_to(each.resolve()) for each in policy.unsigned_folders)
        decision = files_decide(files, manifest, policy, is_open=is_open)
        _remember(decision, manifest, policy)
    except SignatureError as error:
        return refusal(str(error))
    return decision


def files_decide(
    files: PluginFiles,
    manifest: Manifest,
    policy: TrustPolicy,
    *,
    is_open: bool = False,
    is_downgrade_allowed: bool = False,
) -> TrustDecision:
    """Judge files that have been read; raise SignatureError with the reason not to believe them."""
    if policy.files.problem:
        raise SignatureError(policy.files.problem)
    plugin = f"{manifest.kind.value}/{manifest.name}"
    if files.signature is None:
        decision = _unsigned(plugin, policy, is_open=is_open)
    else:
        document = read(files.signature, "plugin")
        if (document.body["plugin"], document.body["version"]) != (plugin, manifest.version):
            raise SignatureError("The signature is of another plugin or version.")
        require_same(files, require_listing(document.body["files"]))
        decision = document_decide(
            document, policy, now=utc_now(), is_downgrade_allowed=is_downgrade_allowed
        )
    return replace(decision, files=files, digest=digest_of(files), version=manifest.version)


def document_decide(
    document: Signed, policy: TrustPolicy, *, now: datetime, is_downgrade_allowed: bool = False
) -> TrustDecision:
    """Judge who signed and when, not what; raise SignatureError. Remembers nothing."""
    if policy.files.problem:
        raise SignatureError(policy.files.problem)
    plugin = str(document.body["plugin"])
    level, store = _vouched(document, policy, plugin)
    _require_time(document, now)
    rule = policy.rule(plugin)
    if not level.reaches(rule.level):
        raise SignatureError(
            f"The rules demand {rule.level.value} for {plugin} and its key vouches for "
            f"{level.value} only."
        )
    if not is_downgrade_allowed:
        policy.state.require_newest(plugin, document, policy.revoked)
    is_isolated = level not in _TRUSTED_WITHIN if rule.is_isolated is None else rule.is_isolated
    return TrustDecision(
        level=level,
        is_allowed=True,
        reason=f"signed by {document.key_id} ({store.name})",
        is_isolated=is_isolated,
        key_id=document.key_id,
    )


def index_verify(document: Signed, policy: TrustPolicy, *, registry: str, now: datetime) -> None:
    """Raise SignatureError unless a key trusted with this registry signed the index lately."""
    if policy.files.problem:
        raise SignatureError(policy.files.problem)
    keys = [
        key
        for store in policy.files.stores
        for key in store.keys
        if any(fnmatchcase(registry, pattern) for pattern in key.registries)
    ]
    _signer(document, keys, policy)
    _require_time(document, now)


def read_again(
    files: PluginFiles, kind: PluginKind, name: str
) -> tuple[Manifest | None, tuple[PluginProblem, ...]]:
    """Return the manifest these very bytes hold, with every problem of it."""
    with TemporaryDirectory(prefix="detectviz-plugin-") as scratch:
        folder = Path(scratch) / folder_name(name)
        for path, data in files.contents.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)
        return read_manifest(folder, kind)


def core_holds(core: Path, place: Path) -> bool:
    """Return whether a resolved folder came with the installation whose plugins ``core`` holds.

    Installed versions lie in hidden folders and are never core, even where the data directory
    is the installation's own folder.
    """
    root = core.resolve()
    if not place.is_relative_to(root):
        return False
    return not any(part.startswith(".") for part in place.relative_to(root).parts)


def core_decision() -> TrustDecision:
    """Return the decision about what came with the installation."""
    return TrustDecision(
        level=TrustLevel.CORE, is_allowed=True, reason="part of Detectviz", is_isolated=False
    )


def refusal(reason: str) -> TrustDecision:
    """Return the decision not to run a plugin."""
    return TrustDecision(level=TrustLevel.CUSTOM, is_allowed=False, reason=reason, is_isolated=True)


def digest_of(files: PluginFiles) -> str:
    """Return what tells this state of a plugin's files from every other."""
    return sha256(canonical(files.listing) + (files.signature or b"")).hexdigest()


def _remember(decision: TrustDecision, manifest: Manifest, policy: TrustPolicy) -> None:
    if decision.files is not None and decision.files.signature is not None:
        document = read(decision.files.signature, "plugin")
        policy.state.remember(f"{manifest.kind.value}/{manifest.name}", document)


def _vouched(document: Signed, policy: TrustPolicy, plugin: str) -> tuple[TrustLevel, TrustStore]:
    """Return the highest level at which a store vouches for the document's key."""
    found = [
        (store, key)
        for store in policy.files.stores
        for key in store.keys
        if any(fnmatchcase(plugin, pattern) for pattern in key.plugins)
    ]
    _signer(document, [key for _, key in found], policy)
    order = list(TrustLevel)
    stores = [store for store, key in found if key.key_id == document.key_id]
    best = min(stores, key=lambda store: order.index(store.level))
    return best.level, best


def _signer(document: Signed, keys: Collection[TrustedKey], policy: TrustPolicy) -> None:
    if document.key_id in policy.revoked:
        why = policy.revoked[document.key_id]
        raise SignatureError(
            f"The key {document.key_id} was revoked{f' ({why})' if why else ''}; "
            "get a version signed by another."
        )
    key = next((each for each in keys if each.key_id == document.key_id), None)
    if key is None:
        raise SignatureError(
            f"No trust store vouches for the key {document.key_id} here; if you know its owner, "
            "add it: detectviz plugins trust."
        )
    verify(document, key.public_key)


def _require_time(document: Signed, now: datetime) -> None:
    if document.issued_at > now + _CLOCKS_DIFFER:
        raise SignatureError("The signature is of the future; set the clock of one machine.")
    if document.expires_at <= now:
        raise SignatureError(
            f"The signature expired on {document.expires_at:%Y-%m-%d}; get a newer one."
        )


def _unsigned(plugin: str, policy: TrustPolicy, *, is_open: bool) -> TrustDecision:
    rule = policy.rule(plugin)
    is_named = policy.is_named(plugin)
    if not (is_named or is_open or not rule.is_signature_required):
        raise SignatureError(
            "It is not signed; have it signed (detectviz plugins sign), or allow it by name: "
            f"DETECTVIZ_PLUGINS_UNSIGNED={plugin}."
        )
    if not is_named and policy.state.was_signed(plugin):
        raise SignatureError(
            "It was signed before and is not any more; install it again, or allow it by name: "
            f"DETECTVIZ_PLUGINS_UNSIGNED={plugin}."
        )
    if rule.level is not TrustLevel.CUSTOM:
        raise SignatureError(f"The rules demand {rule.level.value}, and it is not signed.")
    return TrustDecision(
        level=TrustLevel.CUSTOM,
        is_allowed=True,
        reason="not signed; allowed by an administrator",
        is_isolated=True if rule.is_isolated is None else rule.is_isolated,
    )
