"""How much of the web process's time each tenant has left."""

from detectviz.runtime.shares import BURST_S, NEIGHBOUR_S, SHARE, Shares


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_who_has_used_up_its_share_is_heavy_until_it_is_full_again() -> None:
    clock = Clock()
    shares = Shares(clock)
    shares.spend("loud", BURST_S * 0.9)
    assert not shares.is_overdrawn("loud")
    shares.spend("loud", BURST_S)
    assert shares.is_overdrawn("loud")
    assert not shares.is_overdrawn("quiet")
    clock.now += BURST_S / SHARE * 0.9
    assert shares.is_overdrawn("loud")
    clock.now += BURST_S / SHARE * 0.2
    assert not shares.is_overdrawn("loud")


def test_a_steady_use_below_the_share_is_never_heavy() -> None:
    clock = Clock()
    shares = Shares(clock)
    for _ in range(1000):
        clock.now += 1.0
        shares.spend("steady", SHARE * 0.9)
        assert not shares.is_overdrawn("steady")


def test_an_overdrawn_tenant_owes_no_more_than_its_burst() -> None:
    clock = Clock()
    shares = Shares(clock)
    shares.overdraw("loud")
    shares.spend("loud", 1e6)
    clock.now += BURST_S / SHARE + 1
    assert not shares.is_overdrawn("loud")


def test_a_tenant_has_a_neighbour_while_another_has_asked_in_the_last_minute() -> None:
    clock = Clock()
    shares = Shares(clock)
    assert not shares.has_neighbour("one")
    shares.note("one")
    shares.note("one")
    assert not shares.has_neighbour("one")
    assert shares.has_neighbour("two")
    shares.note("two")
    assert shares.has_neighbour("one")
    clock.now += NEIGHBOUR_S - 1
    shares.note("one")
    assert shares.has_neighbour("one")
    clock.now += 1
    assert not shares.has_neighbour("one")
