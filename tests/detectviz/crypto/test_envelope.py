import dataclasses

import pytest

from detectviz.crypto.envelope import Place, key_id_of, seal, unseal
from detectviz.crypto.errors import MasterKeysFormatError, SealBrokenError, UnknownKeyError
from detectviz.crypto.keys import parse_keyring

KEY = bytes(range(32))
PLACE = Place(org_uid="o1", model="x.row", row_uid="r1", field="secrets")
SECRET = "a-long-enough-secret"


def test_a_sealed_value_opens_in_its_place() -> None:
    blob = seal(KEY, "k1", b"hello", PLACE)
    assert b"hello" not in blob.encode()
    assert key_id_of(blob) == "k1"
    assert unseal(KEY, blob, PLACE) == b"hello"


def test_the_same_value_never_looks_the_same_twice() -> None:
    assert seal(KEY, "k1", b"hello", PLACE) != seal(KEY, "k1", b"hello", PLACE)


@pytest.mark.parametrize("part", ["org_uid", "model", "row_uid", "field"])
def test_a_value_moved_to_another_place_does_not_open(part: str) -> None:
    blob = seal(KEY, "k1", b"hello", PLACE)
    with pytest.raises(SealBrokenError):
        unseal(KEY, blob, dataclasses.replace(PLACE, **{part: "elsewhere"}))


def test_the_parts_of_a_place_do_not_run_together() -> None:
    blob = seal(KEY, "k1", b"hello", dataclasses.replace(PLACE, model="ab", row_uid="c"))
    with pytest.raises(SealBrokenError):
        unseal(KEY, blob, dataclasses.replace(PLACE, model="a", row_uid="bc"))


def test_a_change_of_any_character_is_noticed() -> None:
    blob = seal(KEY, "k1", b"hello", PLACE)
    for position in range(len(blob)):
        changed = "B" if blob[position] != "B" else "C"
        with pytest.raises(SealBrokenError):
            unseal(KEY, blob[:position] + changed + blob[position + 1 :], PLACE)


@pytest.mark.parametrize("blob", ["", "dv1", "dv1..", "dv1.k1.", "dv1.k1.!!", "dv1.k1.AAAA", "x"])
def test_what_is_no_envelope_is_refused(blob: str) -> None:
    with pytest.raises(SealBrokenError):
        unseal(KEY, blob, PLACE)


def test_another_key_does_not_open() -> None:
    with pytest.raises(SealBrokenError):
        unseal(bytes(32), seal(KEY, "k1", b"hello", PLACE), PLACE)


def test_the_first_master_key_is_the_current_one() -> None:
    ring = parse_keyring(f"new:{SECRET}-2, old:{SECRET}-1")
    assert ring.current_id == "new"
    assert set(ring.keys) == {"new", "old"}
    assert SECRET not in repr(ring)
    with pytest.raises(UnknownKeyError, match="older"):
        ring.key("older")


def test_a_bare_master_key_is_known_by_its_fingerprint() -> None:
    alone, second = parse_keyring(SECRET), parse_keyring(f"new:{SECRET}-2,{SECRET}")
    assert alone.current_id in second.keys
    assert alone.key(alone.current_id) == second.key(alone.current_id)


@pytest.mark.parametrize(
    "text", ["", " , ", "short", "id:short", f"BAD ID:{SECRET}", f"{SECRET},{SECRET}"]
)
def test_malformed_master_keys_are_refused_without_showing_them(text: str) -> None:
    with pytest.raises(MasterKeysFormatError) as caught:
        parse_keyring(text)
    assert SECRET not in str(caught.value)
