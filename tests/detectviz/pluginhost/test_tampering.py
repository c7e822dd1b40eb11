"""Of more than five hundred ways to spoil a signed plugin none gets a plugin loaded."""

import base64
import gzip
import io
import itertools
import json
import lzma
import os
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from detectviz.clock import utc_now
from detectviz.contracts.types import PluginKind
from detectviz.pluginhost.errors import PluginHostError
from detectviz.pluginhost.gate import TrustGate
from detectviz.pluginhost.host import HostOptions, PluginHost
from detectviz.pluginhost.installing import bundle_open, install
from detectviz.pluginhost.pipeline import scan
from detectviz.pluginhost.signing import SIGNATURE_FILE, SignatureError, canonical, sign
from detectviz.pluginhost.sources import FolderSource
from tests.detectviz.pluginhost.conftest import CODE, PluginMaker, Signer

HOSTILE_PATHS = [
    "../evil.py", "../../evil.py", "a/../../evil.py", "a/../evil.py", "/etc/evil.py", "//evil.py",
    "./evil.py", "a//evil.py", "a/./evil.py", "a/", "", ".", "..", "~/evil.py", "C:/evil.py",
    "C:\\evil.py", "..\\evil.py", "a\\b.py", "\\\\host\\evil.py", "evil.py\0", "evil\0.py", "\0",
    "evil.py\n", "\nevil.py", "evil .py", " evil.py", "evil.py ", "evil.py.", "evil..", "-evil.py",
    ".evil.py", ".git/config", "a/.env", "é.py", "e\u0301.py", "dumm\u0443.py", "\uff45vil.py",
    "\u202eyp.live", "evil\u200b.py", "ﬁle.py", "İ.py", "evil.py\u2028", "evil.pth", "x/evil.PTH",
    "evil.pyc", "evil.so", "evil.pyd", "__pycache__/dummy.cpython-311.pyc", "__PYCACHE__/x.py",
    "x/__pycache__/y.py", "con.py", "NUL", "aux.txt", "x/com1.py", "signature.json",
    "SIGNATURE.JSON", "x" * 101, "/".join("abcdefghij"), "evil.py:stream", "a*b.py", "a?b.py",
    "$(evil).py", "evil;.py", "'evil'.py", '"evil".py', "evil|x", "<evil>", "%2e%2e/evil.py",
    "..%2fevil.py", "....//evil.py", "evil.py\r", "\tevil.py", "\x7fevil.py", "a/b/../../../c.py",
]  # fmt: skip
EXTRA_FILES = [
    "evil.py", "tests/evil.py", "sub/__init__.py", "dummy.pyc", "evil.pth", "dummy.so", ".hidden",
    ".git/config", "DUMMY.py", "Plugin.yaml", "dumm\u0443.py", "sitecustomize.py", "conftest.py",
    "dummy/__init__.py", "plugin.yml", "plugin.yaml~", "signature.json.bak", "empty.txt",
    "README.md.orig", "query.schema.json", "settings.schema.json", "children/x/y/plugin.yaml",
    "x/y/z/evil.py", "SIGNATURE.json", "__init__.pyi", "setup.py", "a b.py", "con",
]  # fmt: skip


class Target:
    """A place to install to and a host to load with; counts what got through."""

    def __init__(self, signer: Signer, folder: Path) -> None:
        self.signer, self.root = signer, folder / "installed"
        self.gate = TrustGate(signer.policy, dict, copies=lambda: folder / "copies-made")

    def loads(self, source: Path) -> bool:
        store = scan([FolderSource(folder=source, source="installed")], judge=self.gate.judge)
        host = PluginHost(store, HostOptions(loader=self.gate.load))
        try:
            host.load(PluginKind.COLLECTOR, "dummy")
        except PluginHostError:
            return False
        return True

    def takes(self, bundle: bytes) -> bool:
        try:
            candidate = bundle_open(bundle, self.signer.policy())
        except SignatureError:
            return False
        install(candidate, self.root, self.signer.policy().state)
        return self.loads(self.root)


@pytest.fixture
def plugin(make_plugin: PluginMaker) -> Path:
    folder = make_plugin()
    (folder / "__init__.py").write_text("\n")
    (folder / "words.py").write_text("WORDS = ('up', 'down')\n")
    return folder


@pytest.fixture
def target(signer: Signer, tmp_path: Path) -> Target:
    return Target(signer, tmp_path)


def _flipped(data: bytes, at: int, mask: int = 1) -> bytes:
    return data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :]


def _with_listing(signer: Signer, listing: object, **changes: object) -> bytes:
    now = utc_now() - timedelta(minutes=1)
    body = {"plugin": "collectors/dummy", "version": "1.0.0", "files": listing, **changes}
    return sign("plugin", body, signer.key, issued_at=now, expires_at=now + timedelta(days=1))


def _tar(members: list[tuple[tarfile.TarInfo, bytes]], style: int = tarfile.USTAR_FORMAT) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=style) as archive:
        for member, data in members:
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return made.getvalue()


def _members(bundle: bytes) -> list[tuple[tarfile.TarInfo, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(bundle)) as archive:
        return [(each, archive.extractfile(each).read()) for each in archive]  # type: ignore[union-attr]  # plain files


def _spoilt_bytes(bundle: bytes) -> Iterator[bytes]:
    step = max(1, len(bundle) // 260)
    for count, at in enumerate(range(0, len(bundle), step)):
        yield _flipped(bundle, at, 1 << count % 8)
    yield from (bundle[: len(bundle) * part // 60] for part in range(60))
    yield from (bundle[:-1], bundle[:-512], bundle[:-1024], bundle[:511], bundle[1:], b"")
    yield from (
        bundle + tail for tail in (b"\0", b"\0" * 512, b"x", bundle, b"PK\5\6" + b"\0" * 18)
    )
    yield from (gzip.compress(bundle), lzma.compress(bundle), base64.b64encode(bundle))
    for block in range(0, len(bundle) - 512, 512):
        yield bundle[:block] + bundle[block + 512 :]


def _member(name: str, **changes: Any) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    for field, value in changes.items():
        setattr(member, field, value)
    return member


def _strange_archives(bundle: bytes) -> Iterator[bytes]:
    plain = _members(bundle)
    yield _tar(plain, tarfile.PAX_FORMAT) + b"\0"
    for style in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        long = [*plain, (_member("d" * 120 + "/evil.py"), b"evil")]
        yield _tar(long, style)
    kinds = (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE)
    for kind in (*kinds, tarfile.DIRTYPE, tarfile.CONTTYPE, tarfile.GNUTYPE_SPARSE):
        yield _tar([*plain, (_member("dummy.py", type=kind, linkname="/etc/passwd"), b"")])
        yield _tar([(_member("signature.json", type=kind, linkname="../x"), b""), *plain])
    for name in ("dummy.py", "evil.py", "../evil.py", "/evil.py", "signature.json"):
        yield _tar([*plain, (_member(name, mode=0o644), CODE.encode())])
        yield _tar([(_member(name, mode=0o644), CODE.encode()), *plain])
    for first, second in itertools.combinations(range(len(plain)), 2):
        swapped = list(plain)
        swapped[first], swapped[second] = plain[second], plain[first]
        yield _tar(swapped)
        contents = [(member.name, data) for member, data in plain]
        one, two = contents[first], contents[second]
        contents[first], contents[second] = (one[0], two[1]), (two[0], one[1])
        yield _tar([(_member(name, mode=0o644), data) for name, data in contents])
    for changes in ({"mode": 0o4755}, {"uid": 1}, {"mtime": 1}, {"uname": "root"}):
        yield _tar([(_member(member.name, **changes), data) for member, data in plain])
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for member, data in plain:
            archive.writestr(member.name, data)
    yield from (packed.getvalue(), bundle + packed.getvalue(), packed.getvalue() + bundle)


def _hostile_listings(signer: Signer, plugin: Path) -> Iterator[bytes]:
    """Yield bundles whose signature is right and whose list of files is not."""
    files = {
        path.name: path.read_bytes()
        for path in sorted(plugin.iterdir())
        if path.name != SIGNATURE_FILE
    }
    good = orjson.loads((plugin / SIGNATURE_FILE).read_bytes())["signed"]["files"]
    evil = {"sha256": good["dummy.py"]["sha256"], "bytes": good["dummy.py"]["bytes"]}
    listings: list[Any] = [{**good, path: evil} for path in HOSTILE_PATHS]
    listings += [{**good, "Dummy.py": evil}, {**good, "dummy.py/x.py": evil}, {}, [], None, "x"]
    values: tuple[Any, ...] = (None, -1, True, 1.0, "", "0" * 64, "A" * 64, 2**40, [], {})
    for field, value in itertools.product(("sha256", "bytes"), values):
        listings.append({**good, "dummy.py": {**evil, field: value}})
    listings += [{**good, "dummy.py": {**evil, "mode": 0o755}}, {**good, "dummy.py": {}}]
    listings.append({f"f{number}.py": evil for number in range(1001)})
    for listing in listings:
        try:
            signature = _with_listing(signer, listing)
        except TypeError:
            continue
        named = listing if isinstance(listing, dict) else {}
        bodies = [(_member(path), files.get(path, files["dummy.py"])) for path in sorted(named)]
        try:
            yield _tar([(_member(SIGNATURE_FILE), signature), *bodies], tarfile.PAX_FORMAT)
        except (ValueError, UnicodeError):
            continue


def _respelt(signer: Signer, signature: bytes) -> Iterator[bytes]:
    """Yield signature files that say the same, or nearly, in another way."""
    document = orjson.loads(signature)
    signed = document["signed"]
    yield json.dumps(document).encode()
    yield json.dumps(document, indent=1).encode()
    yield signature + b"\n"
    yield b" " + signature
    yield b"\xef\xbb\xbf" + signature
    yield signature.replace(b'"signed"', b'"signe\\u0064"')
    yield signature.replace(b'{"signature"', b'{"signature":"","signature"')
    yield signature[:-1] + b',"signed":{}}'
    for text in (document["signature"].rstrip("="), document["signature"] + "\n", "", "AAAA"):
        yield canonical({**document, "signature": text})
    for field in signed:
        yield canonical({**document, "signed": {**signed, field: None}})
        yield canonical({**document, "signed": {k: v for k, v in signed.items() if k != field}})
    changes: dict[str, Any]
    for changes in (
        {"type": "index"}, {"format": 2}, {"format": True}, {"version": "9.9.9"}, {"extra": 1},
        {"plugin": "collectors/http"}, {"expires_at": "2999-01-01T00:00:00Z"},
        {"key_id": "0" * 32}, {"issued_at": "2026-1-1T00:00:00Z"},
    ):  # fmt: skip
        yield canonical({**document, "signed": {**signed, **changes}})
    stranger = Ed25519PrivateKey.generate()
    forged = stranger.sign(b"detectviz plugin 1\n" + canonical(signed))
    yield canonical({**document, "signature": base64.b64encode(forged).decode()})
    unprefixed = signer.key.sign(canonical(signed))
    yield canonical({**document, "signature": base64.b64encode(unprefixed).decode()})


def _folder_changes(plugin: Path) -> Iterator[Callable[[Path], object]]:
    names = sorted(path.name for path in plugin.iterdir())
    for name in names:
        size = (plugin / name).stat().st_size
        for at in range(0, size, max(1, size // 12)):
            yield lambda copy, n=name, a=at: (copy / n).write_bytes(  # type: ignore[misc]  # bound now
                _flipped((copy / n).read_bytes(), a)
            )
        yield lambda copy, n=name: (copy / n).unlink()  # type: ignore[misc]  # bound now
        yield lambda copy, n=name: (copy / n).write_bytes((copy / n).read_bytes() + b"\n")  # type: ignore[misc]  # bound now
        yield lambda copy, n=name: (copy / n).write_bytes(b"")  # type: ignore[misc]  # bound now
        yield lambda copy, n=name: (copy / n).rename(copy / f"_{n}")  # type: ignore[misc]  # bound now
        yield lambda copy, n=name: _linked(copy / n)  # type: ignore[misc]  # bound now
        yield lambda copy, n=name: _piped(copy / n)  # type: ignore[misc]  # bound now
        yield lambda copy, n=name: _foldered(copy / n)  # type: ignore[misc]  # bound now
    for name in EXTRA_FILES:
        yield lambda copy, n=name: _added(copy / n)  # type: ignore[misc]  # bound now
    for first, second in itertools.combinations(names, 2):
        yield lambda copy, a=first, b=second: _swapped(copy / a, copy / b)  # type: ignore[misc]  # bound now


def _linked(path: Path) -> None:
    outside = path.parent.parent / f".{path.name}-elsewhere"
    path.rename(outside)
    path.symlink_to(outside)


def _piped(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _foldered(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "x").write_bytes(b"")


def _added(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(CODE)


def _swapped(first: Path, second: Path) -> None:
    data = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(data)


@pytest.mark.timeout(60)
def test_no_tampered_bundle_is_loaded(plugin: Path, signer: Signer, target: Target) -> None:
    bundle = signer.sign(plugin)
    signature = (plugin / SIGNATURE_FILE).read_bytes()
    rest = [(_member(member.name), data) for member, data in _members(bundle)[1:]]
    attempts = [
        *_spoilt_bytes(bundle),
        *_strange_archives(bundle),
        *_hostile_listings(signer, plugin),
        *(_tar([(_member(SIGNATURE_FILE), each), *rest]) for each in _respelt(signer, signature)),
    ]
    attempts = [each for each in attempts if each != bundle]
    assert len(attempts) >= 500
    assert [attempt for attempt in attempts if target.takes(attempt)] == []
    assert not target.root.exists(), "something was unpacked before it was believed"
    assert target.takes(bundle), "the one that nobody touched"


@pytest.mark.timeout(60)
def test_no_tampered_folder_is_loaded(
    plugin: Path, signer: Signer, target: Target, tmp_path: Path
) -> None:
    signer.sign(plugin)
    source = tmp_path / "copies" / "collectors"
    source.mkdir(parents=True)
    attempts = loaded = 0
    for change in _folder_changes(plugin):
        copy = source / "dummy"
        shutil.copytree(plugin, copy)
        change(copy)
        attempts += 1
        loaded += target.loads(source.parent)
        shutil.rmtree(source)
        source.mkdir()
    assert attempts >= 150
    assert loaded == 0
    shutil.copytree(plugin, source / "dummy")
    assert target.loads(source.parent), "the one that nobody touched"
