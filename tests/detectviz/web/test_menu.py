import pytest

from detectviz.web.menu import MenuEntry, sort_entries


def entry(
    title: str, section: str, order: int = 50, covers: tuple[str, ...] = (), group: str = ""
) -> MenuEntry:
    return MenuEntry(
        title=title,
        icon="bell",
        route=f"app:{title}",
        permission="monitors:read",
        section=section,
        order=order,
        covers=covers,
        group=group,
    )


def test_entries_come_by_section_and_then_order() -> None:
    entries = [entry("roles", "Organisation"), entry("b", "Watch", 20), entry("a", "Watch", 10)]
    assert [each.title for each in sort_entries(entries)] == ["a", "b", "roles"]


def test_groups_come_after_the_entries_of_none_and_keep_together() -> None:
    entries = [
        entry("watchdogs", "Alert", 1, group="delivery"),
        entry("slos", "Alert", 20, group="rules"),
        entry("rules", "Alert", 10, group="rules"),
        entry("silences", "Alert", 90),
    ]
    titles = [each.title for each in sort_entries(entries)]
    assert titles == ["silences", "rules", "slos", "watchdogs"]


def test_an_unknown_section_is_refused() -> None:
    with pytest.raises(ValueError, match="not in tuple"):
        sort_entries([entry("a", "Nowhere")])


def test_an_entry_is_current_on_the_routes_it_covers() -> None:
    monitors = entry("monitor-list", "Watch", covers=("app:monitor",))
    assert monitors.is_current("app:monitor-detail")
    assert not monitors.is_current("app:alert-list")
