import logging

from detectviz.contracts.types import PluginKind
from detectviz.pluginhost.journal import PluginJournal

KEY = (PluginKind.COLLECTOR, "http")


def record(name: str, text: str, *arguments: object) -> logging.LogRecord:
    return logging.LogRecord(name, logging.WARNING, __file__, 1, text, arguments, None)


def test_the_latest_lines_of_each_plugin_are_kept() -> None:
    journal = PluginJournal(lines_kept=2)
    for number in range(3):
        journal.emit(record("detectviz.collectors.http", "line %d", number))

    assert [line.text for line in journal.lines(KEY)] == ["line 2", "line 1"]
    assert journal.lines((PluginKind.COLLECTOR, "tcp")) == ()


def test_what_a_process_apart_says_is_kept_under_its_plugin() -> None:
    journal = PluginJournal()
    journal.emit(record("detectviz.plugins.collectors.http", "from the child"))

    assert journal.lines(KEY)[0].text == "from the child"
    assert journal.lines(KEY)[0].level == "WARNING"


def test_other_loggers_are_passed_over() -> None:
    journal = PluginJournal()
    for name in ("detectviz.web", "detectviz.pluginhost.host", "django.request", "detectviz"):
        journal.emit(record(name, "not a plugin's"))

    assert journal.lines((PluginKind.COLLECTOR, "host")) == ()
