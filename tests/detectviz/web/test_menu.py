import pytest

from detectviz.web.menu import MenuEntry, sort_entries


def entry(title: str, section: str, order: int = 50, covers: tuple[str, ...] = ()) -> MenuEntry:
    return MenuEntry(
        title=title,
        icon="bell",
        route=f"app:{title}",
        permission="monitors:read",
        section=section,
        order=order,
        covers=covers,
    )


def test_entries_come_by_section_and_then_order() -> None:
    entries = [entry("roles", "Organisation"), entry("b", "Watch", 20), entry("a", "Watch", 10)]
    assert [each.title for each in sort_entries(entries)] == ["a", "b", "roles"]


def test_an_unknown_section_is_refused() -> None:
    with pytest.raises(ValueError, match="not in tuple"):
        sort_entries([entry("a", "Nowhere")])


def test_an_entry_is_current_on_the_routes_it_covers() -> None:
    monitors = entry("monitor-list", "Watch", covers=("app:monitor",))
    assert monitors.is_current("app:monitor-detail")
    assert not monitors.is_current("app:alert-list")
