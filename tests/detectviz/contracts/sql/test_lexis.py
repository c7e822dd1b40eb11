"""Strings, comments and names end where the database thinks they do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectviz.contracts.errors import QueryError
from detectviz.contracts.sql.lexis import Lexis, tokens

PLAIN = Lexis()
MYSQL = Lexis(
    name_quotes=(('"', '"'), ("`", "`")), has_backslash_escapes=True, has_hash_comments=True
)
POSTGRESQL = Lexis(has_escape_strings=True, has_dollar_quotes=True, has_nested_comments=True)
MSSQL = Lexis(name_quotes=(('"', '"'), ("[", "]")), has_nested_comments=True)


def macros(sql: str, lexis: Lexis) -> list[str]:
    return [token.text for token in tokens(sql, lexis) if token.kind == "macro"]


@pytest.mark.parametrize("lexis", [PLAIN, MYSQL, POSTGRESQL, MSSQL])
@given(sql=st.text(alphabet="ab$_'\"`[]\\-/*#\n ;(),eE1ä"))
def test_the_tokens_together_are_the_text(lexis: Lexis, sql: str) -> None:
    try:
        found = list(tokens(sql, lexis))
    except QueryError as error:
        assert "does not end" in error.message  # noqa: PT017 - the other right answer
        return
    assert "".join(token.text for token in found) == sql


@pytest.mark.parametrize(
    ("lexis", "sql", "found"),
    [
        (PLAIN, "$__a '$__b' \"$__c\" $__d", ["$__a", "$__d"]),
        (PLAIN, "$__a -- $__b\n$__c", ["$__a", "$__c"]),
        (PLAIN, "/* $__a /* */ $__b", ["$__b"]),
        (PLAIN, "'it''s $__a' $__b", ["$__b"]),
        (PLAIN, "'\\' $__a '$__b'", ["$__a"]),
        (MYSQL, "'\\' $__a ' $__b", ["$__b"]),
        (MYSQL, "# $__a\n`$__b` $__c", ["$__c"]),
        (POSTGRESQL, "/* /* */ $__a */ $__b", ["$__b"]),
        (POSTGRESQL, "E'\\' $__a' $__b", ["$__b"]),
        (POSTGRESQL, "'\\' $__a", ["$__a"]),
        (POSTGRESQL, "$x$ $__a $y$ $__b $x$ $__c", ["$__c"]),
        (POSTGRESQL, "$$ $__a $$ $__b $1", ["$__b"]),
        (MSSQL, "[a]]$__b] $__c", ["$__c"]),
        (PLAIN, "price$__a", ["$__a"]),
    ],
)
def test_macros_are_found_outside_of_quotations(lexis: Lexis, sql: str, found: list[str]) -> None:
    assert macros(sql, lexis) == found


@pytest.mark.parametrize("sql", ["'a", '"a', "/* a", "/* /* */"])
def test_what_does_not_end_is_refused(sql: str) -> None:
    with pytest.raises(QueryError, match="does not end"):
        list(tokens(sql, POSTGRESQL))
