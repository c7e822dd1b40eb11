"""What a plugin shows in browsers: nothing but what lies in its own folder, and known types."""

from pathlib import Path

import pytest

from detectviz.pluginhost.assets import LARGEST_BYTES, assets_read


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    static = tmp_path / "plugin" / "static"
    (static / "inner").mkdir(parents=True)
    (static / "icon.svg").write_text("<svg/>")
    (static / "inner" / "graph.js").write_text("export {}")
    (tmp_path / "secret.txt").write_text("secret")
    return tmp_path / "plugin"


def test_files_have_their_type(folder: Path) -> None:
    assets = assets_read(folder)
    assert assets.find("icon.svg") == (b"<svg/>", "image/svg+xml")
    assert assets.find("inner/graph.js") == (b"export {}", "text/javascript; charset=utf-8")


@pytest.mark.parametrize(
    "path",
    [
        "../plugin.yaml",
        "../../secret.txt",
        "inner/../../../secret.txt",
        "inner/../icon.svg",
        "/etc/passwd",
        "..%2fsecret.txt",
        "inner//graph.js",
        "inner",
        "",
        ".",
        "icon.svg\0.txt",
        "inner\\graph.js",
    ],
)
def test_no_path_leads_anywhere_else(folder: Path, path: str) -> None:
    assert assets_read(folder).find(path) is None


def test_links_hidden_files_code_and_large_files_are_left_out(folder: Path, tmp_path: Path) -> None:
    static = folder / "static"
    (static / "link.txt").symlink_to(tmp_path / "secret.txt")
    (static / "linked").symlink_to(tmp_path)
    (static / ".hidden.txt").write_text("x")
    (static / ".git").mkdir()
    (static / ".git" / "x.txt").write_text("x")
    (static / "page.html").write_text("<script>")
    (static / "code.py").write_text("")
    (static / "large.txt").write_bytes(b"x" * (LARGEST_BYTES + 1))
    assert set(assets_read(folder).files) == {"icon.svg", "inner/graph.js"}


def test_a_static_folder_that_is_a_link_shows_nothing(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "a.txt").write_text("a")
    (tmp_path / "plugin").mkdir()
    (tmp_path / "plugin" / "static").symlink_to(tmp_path / "outside")
    assert assets_read(tmp_path / "plugin").files == {}


def test_the_digest_changes_with_content_and_names(folder: Path) -> None:
    first = assets_read(folder).digest
    assert assets_read(folder).digest == first
    (folder / "static" / "icon.svg").write_text("<svg id='a'/>")
    second = assets_read(folder).digest
    (folder / "static" / "icon.svg").rename(folder / "static" / "logo.svg")
    assert len({first, second, assets_read(folder).digest}) == 3
