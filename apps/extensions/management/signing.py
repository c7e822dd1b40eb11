"""`detectviz plugins keygen|sign|verify|bundle|index|trust|revoke`: for authors and owners of keys.

None of these needs a database.
"""

import os
from argparse import ArgumentParser
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml
from django.conf import settings
from django.core.management.base import CommandError

from detectviz.clock import utc_now
from detectviz.pluginhost.bundles import BUNDLE_ENDING, bundle_write
from detectviz.pluginhost.files import read_files
from detectviz.pluginhost.installing import bundle_open, manifest_of, plugin_sign
from detectviz.pluginhost.registries import INDEX_FILE, index_make
from detectviz.pluginhost.signing import (
    SIGNATURE_FILE,
    SignatureError,
    key_id_of,
    key_make,
    private_key_read,
    public_key_read,
    read,
)
from detectviz.pluginhost.trust import TrustDecision, TrustPolicy, files_decide
from detectviz.pluginhost.truststores import (
    RULES_FILE,
    TrustedKey,
    TrustFiles,
    TrustLevel,
    TrustStore,
    store_document,
    store_read,
)
from detectviz.runtime.plugin_trust import plugin_policy

_PLUGIN_DAYS = 730
_INDEX_DAYS = 14


def add_verbs(verbs: Any) -> None:
    """Add the verbs to the command's parser."""
    keygen = verbs.add_parser("keygen", help="make a key to sign with: NAME.key and NAME.pub")
    keygen.add_argument("path", type=Path, help="path without an ending")
    sign = verbs.add_parser("sign", help="sign the plugin in a folder")
    sign.add_argument("folder", type=Path)
    _add_key(sign, _PLUGIN_DAYS)
    bundle = verbs.add_parser("bundle", help="write a signed plugin into one file")
    bundle.add_argument("folder", type=Path)
    bundle.add_argument("--out", type=Path, default=Path(), help="folder to write it to")
    verify = verbs.add_parser("verify", help="say whether a folder or bundle may be used here")
    verify.add_argument("path", type=Path)
    verify.add_argument("--key", type=Path, help="believe this public key instead of the stores")
    index = verbs.add_parser("index", help="write the signed index of a folder of bundles")
    index.add_argument("folder", type=Path)
    index.add_argument("--registry", required=True, help="name of the registry")
    _add_key(index, _INDEX_DAYS)
    trust = verbs.add_parser("trust", help="add a public key to a trust store")
    trust.add_argument("key", type=Path, help="file of the public key")
    trust.add_argument("--store", required=True, help="name of the store")
    trust.add_argument("--level", choices=[level.value for level in TrustLevel], default="")
    trust.add_argument("--title", default="", help="whose key it is")
    trust.add_argument("--plugins", nargs="+", default=["*"], help="patterns it may sign")
    trust.add_argument("--registries", nargs="+", default=[], help="registries it may sign for")
    revoke = verbs.add_parser("revoke", help="believe a key no longer, in any store")
    revoke.add_argument("key_id")
    revoke.add_argument("--store", default="revoked", help="store to write it into")
    revoke.add_argument("--reason", default="")


def _add_key(parser: ArgumentParser, days: int) -> None:
    parser.add_argument("--key", type=Path, required=True, help="file of the private key")
    parser.add_argument("--days", type=int, default=days, help="how long it is valid")


def run(verb: str, options: dict[str, Any]) -> str:
    """Run a verb and return what to print; raise CommandError with a sentence."""
    try:
        return VERBS[verb](options)
    except (SignatureError, ValueError) as error:
        raise CommandError(str(error)) from error
    except OSError as error:
        raise CommandError(f"{error.filename}: {error.strerror}.") from error


def _keygen(options: dict[str, Any]) -> str:
    private, public = key_make()
    path = options["path"]
    handle = os.open(path.with_suffix(".key"), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(private)
    path.with_suffix(".pub").write_text(public, encoding="ascii")
    return f"{key_id_of(public_key_read(public))}: {path.with_suffix('.key')} is secret."


def _sign(options: dict[str, Any]) -> str:
    key = private_key_read(options["key"].read_text(encoding="ascii"))
    folder, now = options["folder"], utc_now()
    signature = plugin_sign(
        folder, key, issued_at=now, expires_at=now + timedelta(days=options["days"])
    )
    (folder / SIGNATURE_FILE).write_bytes(signature)
    body = read(signature, "plugin").body
    return f"{body['plugin']} {body['version']}: {len(body['files'])} files signed"


def _bundle(options: dict[str, Any]) -> str:
    files = read_files(options["folder"])
    data = bundle_write(files)
    body = read(files.signature or b"", "plugin").body
    path = options["out"] / f"{body['plugin'].replace('/', '-')}-{body['version']}{BUNDLE_ENDING}"
    path.write_bytes(data)
    return str(path)


def _verify(options: dict[str, Any]) -> str:
    path, policy = options["path"], _believing(options["key"])
    if path.is_dir():
        decision = _folder_decision(path, policy)
    else:
        decision = bundle_open(path.read_bytes(), policy).decision
    where = "in a process of its own" if decision.is_isolated else "in the host's processes"
    return f"{decision.level.value}: {decision.reason}; it would run {where}"


def _folder_decision(folder: Path, policy: TrustPolicy) -> TrustDecision:
    files, place = read_files(folder), folder.resolve()
    plugin = f"{place.parent.name}/{place.name.replace('_', '-')}"
    if files.signature is not None:
        plugin = str(read(files.signature, "plugin").body["plugin"])
    return files_decide(files, manifest_of(files, plugin), policy)


def _believing(key: Path | None) -> TrustPolicy:
    """Return the policy of this deployment, or one that believes a single key."""
    policy = plugin_policy()
    if key is None:
        return policy
    public_key = public_key_read(key.read_text(encoding="ascii"))
    trusted = TrustedKey(key_id=key_id_of(public_key), public_key=public_key)
    store = TrustStore(name=str(key), level=TrustLevel.CUSTOM, keys=(trusted,))
    return replace(policy, files=TrustFiles(stores=(store,)))


def _index(options: dict[str, Any]) -> str:
    key = private_key_read(options["key"].read_text(encoding="ascii"))
    path, now = options["folder"] / INDEX_FILE, utc_now()
    version = read(path.read_bytes(), "index").body["version"] + 1 if path.exists() else 1
    data = index_make(
        options["folder"],
        key,
        registry=options["registry"],
        version=version,
        issued_at=now,
        expires_at=now + timedelta(days=options["days"]),
    )
    new = path.with_name(f".{path.name}.new")
    new.write_bytes(data)
    new.replace(path)
    return f"{path}: index {version}, valid for {options['days']} days"


def _trust(options: dict[str, Any]) -> str:
    public_key = public_key_read(options["key"].read_text(encoding="ascii"))
    key = TrustedKey(
        key_id=key_id_of(public_key),
        public_key=public_key,
        title=options["title"],
        plugins=tuple(options["plugins"]),
        registries=tuple(options["registries"]),
    )
    store, path = _store(options["store"], options["level"])
    others = tuple(each for each in store.keys if each.key_id != key.key_id)
    _store_write(path, replace(store, keys=(*others, key)))
    return f"{key.key_id} is believed as {store.level.value} ({path})"


def _revoke(options: dict[str, Any]) -> str:
    is_there = (settings.PLUGIN_TRUST_DIR / f"{options['store']}.yaml").exists()
    store, path = _store(options["store"], "" if is_there else TrustLevel.CUSTOM.value)
    revoked = {**store.revoked, options["key_id"]: options["reason"]}
    _store_write(path, replace(store, revoked=revoked))
    return f"{options['key_id']} is revoked ({path}); restart, or: detectviz plugins reload"


def _store(name: str, level: str) -> tuple[TrustStore, Path]:
    path = settings.PLUGIN_TRUST_DIR / f"{name}.yaml"
    if not name.replace("-", "").isalnum() or path.name == RULES_FILE:
        raise CommandError(f"{name!r} is no name of a store; use letters, digits and dashes.")
    if path.exists():
        store = store_read(path)
        if level and level != store.level and store.keys:
            raise CommandError(f"{name} vouches for {store.level.value}; use another store.")
        return store, path
    if not level:
        raise CommandError("The store is new: say its --level.")
    return TrustStore(name=name, level=TrustLevel(level)), path


def _store_write(path: Path, store: TrustStore) -> None:
    text = yaml.safe_dump(store_document(store), sort_keys=False)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.write_text(text, encoding="utf-8")
    store_read(new)
    new.replace(path)


VERBS = {
    "keygen": _keygen,
    "sign": _sign,
    "bundle": _bundle,
    "verify": _verify,
    "index": _index,
    "trust": _trust,
    "revoke": _revoke,
}
