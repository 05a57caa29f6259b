"""The deployment file: what is accepted, and what is said of what is not."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ringback.lab
from ringback.deployment import DeploymentError, load, read
from ringback.deployment.lines import line_of, path_of

GOOD = """\
domain = "example.com"

[[cluster]]
name = "hq"

[[node]]
name = "cm1.example.com"
address = "127.0.10.10"
roles = ["call-manager"]
cluster = "hq"

[[person]]
user = "anita"
first = "Anita"
last = "Berg"

[[team]]
name = "All"
members = ["anita"]
"""


def test_good_file_is_read() -> None:
    deployment = read(GOOD.encode())
    assert deployment.node[0].ports.https == 8443
    assert deployment.person[0].name == "Anita Berg"
    assert deployment.conference_domain == "conference.example.com"


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("address =", "adress =", 8, "no setting 'adress'"),
        ('address = "127.0.10.10"', 'address = "cm1"', 8, "'cm1' is not an IP address"),
        ('address = "127.0.10.10"\n', "", 6, "'address' is missing"),
        ('["call-manager"]', '["call-manger"]', 9, "call-manger"),
        ('["call-manager"]', "[]", 9, "no role"),
        ('cluster = "hq"', 'cluster = "hx"', 10, "cluster 'hx', which is not in the file"),
        ('user = "anita"', "user = 3", 13, "expected `str`, got `int`"),
        ('user = "anita"', 'user = "an/ita"', 13, "has a slash"),
        ('members = ["anita"]', 'members = ["anna"]', 19, "'anna' of team All is nobody"),
        ('domain = "example.com"', 'domain = "exa mple"', 1, "is not a domain name"),
        ("[[person]]", "[[person", 12, "not TOML"),
        ('last = "Berg"', 'last = "Berg', 15, "not TOML"),
    ],
)
def test_a_fault_is_named_with_its_line(old: str, new: str, line: int, words: str) -> None:
    assert old in GOOD
    with pytest.raises(DeploymentError) as caught:
        read(GOOD.replace(old, new, 1).encode(), "office.toml")
    problem = caught.value.problems[0]
    assert problem.line == line
    assert words in problem.text
    assert f"office.toml: line {line}: " in str(caught.value)


def test_all_problems_are_told_at_once_in_the_order_of_the_file() -> None:
    text = GOOD.replace("127.0.10.10", "nowhere").replace('members = ["anita"]', 'members = ["x", "y"]')
    with pytest.raises(DeploymentError) as caught:
        read(text.encode())
    assert [problem.line for problem in caught.value.problems] == [8, 19, 19]


def test_two_roles_on_one_port_are_refused() -> None:
    text = GOOD.replace('["call-manager"]', '["call-manager", "presence"]')
    with pytest.raises(DeploymentError, match=r"would both use port 8443 of 127\.0\.10\.10"):
        read(text.encode())


def test_bytes_that_are_not_text_name_the_line() -> None:
    with pytest.raises(DeploymentError) as caught:
        read(b'domain = "a"\n# \xff\n')
    assert caught.value.problems[0].line == 2


def test_the_built_in_deployment_is_good() -> None:
    deployment = load(Path(ringback.lab.__file__).parent / "example.toml")
    assert len(deployment.person) >= 12
    assert all(person.number and person.portrait for person in deployment.person)
    assert {zone.view for zone in deployment.zone} == {"inside", "outside"}


def test_lines_of_nested_tables_and_long_strings() -> None:
    text = 'a = 1\n[b.c]\nd = """\ne = 2\n"""\nf.g = 3\n[[h]]\n[[h.i]]\nj = 1\n[[h]]\n[[h.i]]\nj = 2\n'
    assert line_of(text, ("b", "c", "d")) == 3
    assert line_of(text, ("b", "c", "f", "g")) == 6
    assert line_of(text, ("h", 1, "i", 0, "j")) == 12
    assert line_of(text, ("h", 1, "nothing")) == 10
    assert line_of(text, ("nothing",)) == 0
    assert path_of("$.h[1].i[0]") == ("h", 1, "i", 0)


@given(st.binary(max_size=400))
def test_any_bytes_give_a_deployment_or_the_documented_error(document: bytes) -> None:
    with pytest.raises(DeploymentError):
        read(document)


@given(st.data())
def test_a_damaged_file_gives_a_deployment_or_the_documented_error(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(GOOD) - 1))
    damaged = GOOD[:at] + data.draw(st.text(max_size=8)) + GOOD[data.draw(st.integers(at, len(GOOD))) :]
    with contextlib.suppress(DeploymentError):
        assert read(damaged.encode("utf-8", "surrogatepass")).domain


def test_a_bracket_in_the_name_of_a_table_confuses_nobody() -> None:
    with pytest.raises(DeploymentError, match="no setting"):
        read(b"domain = ''\n['`]am']\n[' ']\n", "file")
    assert line_of("a = 1\n['x]y']\nb = 2\n", ("x]y", "b")) in (2, 3)
