"""Sentences of the catalogue on the command line: plurals and cases as the page shows them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.rules.catalogue import arguments_of, catalogue, render
from ringback.rules.catalogue.icu import written
from ringback.rules.reasons import Reason

_PEOPLE = "{count, plural, =0 {nobody} one {# person} other {# people}} in {place}"
_LINE = "{line, select, 0 {} other {Line {line}: }}it can''t be read"


@pytest.mark.parametrize(
    ("message", "values", "expected"),
    [
        ("{a} and {b}", {"a": "1", "b": "2"}, "1 and 2"),
        ("{a} and {b}", {"a": "{b}"}, "{b} and {b}"),
        (_PEOPLE, {"count": "0", "place": "Bern"}, "nobody in Bern"),
        (_PEOPLE, {"count": "1", "place": "Bern"}, "1 person in Bern"),
        (_PEOPLE, {"count": "12", "place": "#"}, "12 people in #"),
        (_LINE, {"line": "0"}, "it can't be read"),
        (_LINE, {"line": "7"}, "Line 7: it can't be read"),
        ("{open, plural, one {#", {"open": "1"}, "1"),
        ("no { argument }", {}, "no { argument }"),
    ],
)
def test_messages_are_written(message: str, values: dict[str, str], expected: str) -> None:
    assert written(message, values) == expected


def test_every_sentence_can_be_written() -> None:
    for reason_id, message in catalogue().items():
        values = dict.fromkeys(arguments_of(message), "1")
        assert "{" not in render(Reason(reason_id, values)), reason_id
        assert "plural" not in render(Reason(reason_id, values)), reason_id


@given(st.text(alphabet="{}#,' aplurselcton=01", max_size=60), st.text(max_size=5))
def test_any_message_gives_a_text(message: str, value: str) -> None:
    assert isinstance(written(message, {"a": value}), str)
