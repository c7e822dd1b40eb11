"""Pool, watch, addresses and TLS of SQL datasources."""

import stat
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from detectviz.contracts.errors import ConfigurationError, DeadlineExceededError, PluginError
from detectviz.contracts.sql.connections import TlsSettings, split_address, without_secrets
from detectviz.contracts.sql.pool import SessionPool
from detectviz.contracts.sql.watch import Watch
from detectviz.testing.datasource_fakes import datasource_context, datasource_settings


class Session:
    """Counts what is done to it."""

    def __init__(self, *, is_stubborn: bool = False) -> None:
        self.resets = 0
        self.is_closed = False
        self._is_stubborn = is_stubborn

    def reset(self) -> None:
        self.resets += 1
        if self._is_stubborn:
            raise OSError("gone")

    def close(self) -> None:
        self.is_closed = True


def make_pool() -> SessionPool[Session]:
    return SessionPool(reset=Session.reset, close=Session.close)


def test_a_session_is_made_as_new_and_used_again() -> None:
    pool = make_pool()
    with pool.session(Session) as first:
        pass
    with pool.session(Session) as second:
        assert second is first
        assert first.resets == 1


def test_two_at_once_have_a_session_each() -> None:
    pool = make_pool()
    with pool.session(Session) as first, pool.session(Session) as second:
        assert first is not second


def test_a_session_is_closed_after_an_error_and_when_it_cannot_be_reset() -> None:
    pool = make_pool()
    with pytest.raises(ValueError, match="no"), pool.session(Session) as failed:
        raise ValueError("no")
    with pool.session(lambda: Session(is_stubborn=True)) as stubborn:
        pass
    assert (failed.is_closed, stubborn.is_closed) == (True, True)


def test_an_idle_session_the_server_has_lost_is_replaced() -> None:
    pool, lost = make_pool(), Session()
    with pool.session(lambda: lost):
        pass

    def begin(session: Session) -> None:
        if session is lost:
            raise OSError("gone away")

    with pool.session(Session, begin) as session:
        assert session is not lost
    assert lost.is_closed


def test_a_new_session_that_cannot_begin_tells_why() -> None:
    def begin(session: Session) -> None:
        raise OSError("read only")

    with pytest.raises(OSError, match="read only"), make_pool().session(Session, begin):
        pass


def test_few_idle_sessions_are_kept_and_none_of_a_closed_pool() -> None:
    pool = make_pool()
    with ExitStack() as stack:
        sessions = [stack.enter_context(pool.session(Session)) for _ in range(20)]
    assert sum(not each.is_closed for each in sessions) == 16
    with pool.session(Session) as late:
        pool.close()
    assert all(each.is_closed for each in [*sessions, late])


def _fail_once(cancelled: threading.Event) -> None:
    assert cancelled.wait(5)
    raise OSError("the connection was cut")


def test_a_watch_ends_what_takes_too_long() -> None:
    watch = Watch(datasource_context(datasource_settings("testdata"), timeout_s=0.05))
    cancelled = threading.Event()
    with pytest.raises(DeadlineExceededError), watch.cancelling(cancelled.set):
        _fail_once(cancelled)
    with pytest.raises(DeadlineExceededError):
        watch.check()


def test_a_watch_ends_what_nobody_waits_for_and_leaves_the_rest() -> None:
    context = datasource_context(datasource_settings("testdata"), is_cancelled=lambda: True)
    with pytest.raises(PluginError, match="nobody waits"):
        Watch(context).check()
    quick = Watch(datasource_context(datasource_settings("testdata")))
    with quick.cancelling(lambda: pytest.fail("it was cancelled")):
        quick.check()
    with pytest.raises(OSError, match="own"), quick.cancelling(lambda: None):
        raise OSError("own")


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("db", ("db", 5432)),
        (" db.test:1 ", ("db.test", 1)),
        ("[::1]:2", ("::1", 2)),
        ("postgresql://db:3/x", ("db", 3)),
    ],
)
def test_addresses(url: str, address: tuple[str, int]) -> None:
    assert split_address(url, 5432) == address


@pytest.mark.parametrize("url", ["", "db:port", "me:pw@db", "[::1", ":5", "a b", "db:99999"])
def test_wrong_addresses_name_their_field(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        split_address(url, 1)
    assert caught.value.field == "/url"


def test_pem_files_are_for_one_user_and_go_away() -> None:
    with TlsSettings(mode="require", key="KEY", ca="CA").files() as files:
        path = Path(files.key)
        assert path.read_text() == "KEY"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert files.certificate == ""
    assert not path.exists()


def test_what_is_no_certificate_is_refused_without_showing_it() -> None:
    with pytest.raises(ConfigurationError) as caught:
        TlsSettings(mode="verify-full", ca="no pem, canary").context("db.test")
    assert "canary" not in caught.value.message


def test_secrets_are_taken_out_of_what_drivers_say() -> None:
    assert "pw" not in without_secrets("user=a password=pw", {"password": "pw", "empty": ""})
