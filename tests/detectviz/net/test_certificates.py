from datetime import UTC, datetime, timedelta

import pytest
import trustme
from cryptography import x509

from detectviz.net.certificates import (
    explain_verify_code,
    find_fault,
    hostname_matches,
    read_chain,
)

NOW = datetime(2026, 11, 1, tzinfo=UTC)
AUTHORITY = trustme.CA()


def chain_of(leaf: trustme.LeafCert) -> list[bytes]:
    return [pem.bytes() for pem in leaf.cert_chain_pems]


def roots_of(authority: trustme.CA) -> list[x509.Certificate]:
    return [x509.load_pem_x509_certificate(authority.cert_pem.bytes())]


@pytest.mark.parametrize(
    ("names", "host", "matches"),
    [
        (["example.org"], "example.org", True),
        (["example.org"], "EXAMPLE.org.", True),
        (["example.org"], "www.example.org", False),
        (["*.example.org"], "www.example.org", True),
        (["*.example.org"], "a.b.example.org", False),
        (["*.example.org"], "example.org", False),
        (["127.0.0.1"], "127.0.0.1", True),
        (["::1"], "0:0::1", True),
        (["127.0.0.1"], "127.0.0.2", False),
    ],
)
def test_a_host_is_matched_against_the_alternative_names(
    names: list[str],
    host: str,
    matches: bool,
) -> None:
    leaf = read_chain(chain_of(AUTHORITY.issue_cert(*names)))[0]
    assert hostname_matches(leaf, host) is matches


def test_a_good_chain_has_no_fault_also_through_an_intermediate() -> None:
    intermediate = AUTHORITY.create_child_ca()
    for authority in (AUTHORITY, intermediate):
        leaf = authority.issue_cert("example.org")
        fault = find_fault(chain_of(leaf), host="example.org", now=NOW, roots=roots_of(AUTHORITY))
        assert fault == ""


def test_each_fault_is_named() -> None:
    good = AUTHORITY.issue_cert("example.org")
    past = AUTHORITY.issue_cert("example.org", not_after=NOW - timedelta(days=1))
    future = AUTHORITY.issue_cert("example.org", not_before=NOW + timedelta(days=1))
    missing = chain_of(AUTHORITY.create_child_ca().issue_cert("example.org"))[:1]
    cases = [
        (chain_of(past), "example.org", "expired on 2026-10-31"),
        (chain_of(future), "example.org", "not valid before 2026-11-02"),
        (chain_of(good), "other.org", "not valid for other.org; it names example.org"),
        (missing, "example.org", "intermediate is missing"),
        ([], "example.org", "no certificate"),
        ([b"garbage"], "example.org", "no certificate"),
    ]
    for chain, host, fault in cases:
        assert fault in find_fault(chain, host=host, now=NOW, roots=roots_of(AUTHORITY))


def test_a_swapped_issuer_of_the_same_name_is_not_trusted() -> None:
    other = trustme.CA()
    leaf = other.issue_cert("example.org")
    assert find_fault(chain_of(leaf), host="example.org", now=NOW, roots=roots_of(AUTHORITY))


def test_unknown_codes_still_make_a_sentence() -> None:
    assert explain_verify_code(0, (), "h") == ""
    assert "code 9999" in explain_verify_code(9999, (), "h")
