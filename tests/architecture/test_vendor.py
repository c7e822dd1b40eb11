"""What stands in static/vendor is what vendor.toml says."""

import hashlib
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
        assert entry["licence"] in {"MIT", "0BSD"}
