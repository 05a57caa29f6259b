"""The pure parts: what a typed name means, and what is wrong with a configuration."""

from __future__ import annotations

import json
import re
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.rules.configuration_parameters import PARAMETERS, Clients, Kind, effective, findings, flag
from ringback.rules.name_search import NameField, alternatives, digits, fold

FIRST, LAST, EMAIL = NameField.FIRST, NameField.LAST, NameField.EMAIL


@pytest.mark.parametrize(
    ("name", "ways"),
    [
        ("", set()),
        ("Sm", {((FIRST, "sm"),), ((LAST, "sm"),), ((EMAIL, "sm"),)}),
        (
            "x  y",
            {((FIRST, "x"), (LAST, "y")), ((LAST, "x"), (FIRST, "y")), ((LAST, "x y"),), ((FIRST, "x y"),)},
        ),
        (
            "x y z and more",
            {
                ((FIRST, "x"), (LAST, "y z")),
                ((FIRST, "x y"), (LAST, "z")),
                ((LAST, "x"), (FIRST, "y z")),
                ((LAST, "x y"), (FIRST, "z")),
            },
        ),
    ],
)
def test_what_a_typed_name_means(name: str, ways: set[object]) -> None:
    assert {way.starts for way in alternatives(name)} == ways


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Zoë  Ångström ", "zoe angstrom"),
        ("STRASSE", "strasse"),
        ("Straße", "strasse"),
        ("Łukasz", "lukasz"),
        ("Ｆｕｌｌ", "full"),
        ("Søren Ærø", "soren aero"),
        ("İstanbul", "istanbul"),
    ],
)
def test_texts_that_count_as_the_same(text: str, folded: str) -> None:
    assert fold(text) == folded


@given(st.text())
def test_folding_is_stable(text: str) -> None:
    assert fold(fold(text)) == fold(text)
    assert digits(text) == "".join(re.findall("[0-9]", digits(text)))


def test_every_default_can_be_read() -> None:
    assert len(PARAMETERS) > 250
    for known in PARAMETERS.values():
        assert known.default is None or known.accepts(known.default), known


def test_values_that_count() -> None:
    assert effective("LocalRecordingToneVolume", "50") == "50"
    assert effective("LocalRecordingToneVolume", "101") == "10"
    assert effective("LocalRecordingToneVolume", None) == "10"
    assert effective("OfNobody", "x") == "x"
    assert flag("Telephony_Enabled", "FALSE") is False
    assert flag("Telephony_Enabled", "nonsense") is True
    assert PARAMETERS["Telephony_Enabled"].sign_out is Clients.ALL
    assert PARAMETERS["ForceDevicePin"].clients is Clients.MOBILE


@pytest.mark.parametrize(
    ("parameter", "reason"),
    [
        (("Policies", "Telephony_Enabled", "true"), None),
        (("Policies", "Telephony_Enabled", ""), None),
        (("Directory", "UseSipUriToResolveContacts", "true"), None),
        (("Policies", "Telephony_Enabled", "yes"), "configuration.flag"),
        (("Policies", "RecordingToneInterval", "7999"), "configuration.number"),
        (("Directory", "UseWildcards", "true"), "configuration.choice"),
        (("Policies", "telephony_enabled", "true"), "configuration.misspelt"),
        (("Policies", "Telefony_Enabled", "true"), "configuration.misspelt"),
        (("Policies", "Quite_Another_Thing", "true"), "configuration.unknown"),
        (("Directory", "BDIPrimaryServerName", "x"), "configuration.replaced"),
        (("Directory", "BDIEnableTLS", "x"), "configuration.replaced"),
        (("Directory", "ConnectionType", "x"), "configuration.obsolete"),
        (("Client", "Telephony_Enabled", "true"), "configuration.section"),
        (("Polices", "Telephony_Enabled", "true"), "configuration.section-unknown"),
    ],
)
def test_what_is_wrong_with_a_parameter(parameter: tuple[str, str, str], reason: str | None) -> None:
    assert [found.id for found in findings([parameter])] == ([reason] if reason else [])


def test_a_parameter_set_twice() -> None:
    twice = [("Policies", "Telephony_Enabled", "true"), ("Policies", "Telephony_Enabled", "false")]
    assert [found.id for found in findings(twice)] == ["configuration.twice"]


def test_every_finding_has_its_sentence() -> None:
    catalogue = resources.files("ringback.rules") / "catalogue" / "en" / "configuration.json"
    sentences = json.loads(catalogue.read_text(encoding="utf-8"))
    wrong = [
        ("A", "Telefony_Enabled", ""), ("Policies", "B", ""), ("Policies", "BDIUseANR", ""), ("Client", "UseSSL", "x"),
        ("Policies", "ConnectionType", ""), ("Policies", "B", ""), ("Directory", "SearchTimeout", "x"),
        ("Directory", "UseWildcards", "x"),
    ]  # fmt: skip
    seen = findings(wrong)
    assert {found.id for found in seen} == set(sentences)
    for found in seen:
        assert set(re.findall(r"\{(\w+)\}", sentences[found.id])) <= set(found.values)
    assert {known.kind for known in PARAMETERS.values()} == set(Kind)
