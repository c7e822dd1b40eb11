"""What stands in static/vendor is what vendor.toml says."""

import hashlib
import json
import re
import tomllib
from pathlib import Path

VENDOR = Path("static/vendor")
LISTED = tomllib.loads((VENDOR / "vendor.toml").read_text())["file"]


def test_every_vendored_file_has_the_listed_hash() -> None:
    for entry in LISTED:
        content = (VENDOR / entry["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == entry["sha256"], entry["file"]


def test_no_file_is_vendored_unlisted() -> None:
    listed = {entry["file"] for entry in LISTED} | {"vendor.toml", "LICENSES.txt"}
    assert {path.name for path in VENDOR.iterdir()} == listed


def test_every_vendored_file_names_version_and_licence() -> None:
    for entry in LISTED:
        assert entry["version"]
        licences = set(entry["licence"].split(" AND "))
        assert licences <= {"MIT", "0BSD", "Apache-2.0", "BlueOak-1.0.0"}


def test_the_editor_bundle_names_every_library_by_an_exact_version() -> None:
    package = json.loads(Path("static/editor/package.json").read_text())
    pinned = package["dependencies"] | package["devDependencies"]
    assert all(re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+", version) for version in pinned.values())
