"""Identity fields, modes and verdicts of certificates."""

from __future__ import annotations

from itertools import product
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.rules.certificates import (
    Behaviour,
    CertificateEvidence,
    IdentityEvidence,
    IdentityMatch,
    PresentedNames,
    Purpose,
    Revocation,
    RevocationChecks,
    Strictness,
    fips_mode,
    judge,
    match_identity,
)

EASY = fips_mode(None, platform=False)


def _match(purpose: Purpose, host: str, domain: str = "", **presented: tuple[str, ...]) -> IdentityMatch:
    return match_identity(IdentityEvidence(purpose, host, PresentedNames(**presented), domain, "xmpp-client"))


@pytest.mark.parametrize(
    ("field", "presented"),
    [
        ("xmpp_address", {"xmpp": ("example.com",), "dns": ("im1.example.com",)}),
        ("service_name", {"services": ("_xmpp-client.example.com",), "dns": ("im1.example.com",)}),
        ("dns_name", {"dns": ("other.example", "IM1.Example.COM.")}),
        ("dns_name", {"dns": ("example.com",)}),
        ("dns_name", {"dns": ("*.example.com",)}),
        ("common_name", {"common": ("im1.example.com",)}),
        ("common_name", {"common": ("*.example.com",)}),
    ],
)
def test_xmpp_looks_at_its_fields_in_the_documented_order(field: str, presented: dict[str, tuple[str, ...]]) -> None:
    found = match_identity(
        IdentityEvidence(Purpose.XMPP, "im1.example.com", PresentedNames(**presented), "example.com", "xmpp-client")
    )
    assert found.matches
    assert found.field == field


def test_http_does_not_take_what_only_xmpp_knows() -> None:
    names = {"xmpp": ("cm1.example.com",), "services": ("_xmpp-client.cm1.example.com",)}
    assert not _match(Purpose.HTTP, "cm1.example.com", xmpp=names["xmpp"], services=names["services"]).matches


def test_the_common_name_counts_only_alone() -> None:
    assert _match(Purpose.HTTP, "cm1.example.com", common=("cm1.example.com",)).matches
    other = _match(Purpose.HTTP, "cm1.example.com", common=("cm1.example.com",), dns=("cm2.example.com",))
    assert not other.matches
    assert other.reasons[0].values == {"expected": "cm1.example.com", "found": "cm2.example.com"}


@pytest.mark.parametrize(
    ("pattern", "host", "matches"),
    [
        ("*.example.com", "cm1.example.com", True),
        ("*.example.com", "a.cm1.example.com", False),
        ("*.example.com", "example.com", False),
        ("*.com", "example.com", False),
        ("*", "example", False),
        ("c*.example.com", "cm1.example.com", False),
        ("cm1.*.com", "cm1.example.com", False),
        ("*.*.com", "a.b.com", False),
        ("*.0.0.1", "127.0.0.1", False),
    ],
)
def test_a_wildcard_is_the_whole_leftmost_label(pattern: str, host: str, matches: bool) -> None:
    assert _match(Purpose.HTTP, host, dns=(pattern,)).matches is matches
    assert _match(Purpose.HTTP, host, common=(pattern,)).matches is matches


@pytest.mark.parametrize(
    ("platform", "bootstrap", "on", "source"),
    [
        (True, True, True, "bootstrap"),
        (True, False, False, "bootstrap"),
        (True, None, True, "platform"),
        (False, True, True, "bootstrap"),
        (False, False, False, "bootstrap"),
        (False, None, False, "platform"),
    ],
)
def test_the_table_of_fips_modes(platform: bool, bootstrap: bool | None, on: bool, source: str) -> None:
    found = fips_mode(bootstrap, platform=platform)
    assert found.fips is on
    assert found.reasons[0].id.endswith(source)
    assert found.person_may_accept is not on


MATCH = IdentityMatch(True, "dns_name", "a", ())
NO_MATCH = _match(Purpose.HTTP, "a.example", dns=("b.example",))


def test_a_good_certificate_connects() -> None:
    assert judge(CertificateEvidence("a", MATCH, trusted=True), EASY).outcome == "connect"


@pytest.mark.parametrize(
    ("evidence", "reason"),
    [
        (CertificateEvidence("a", MATCH, trusted=False), "certificates.untrusted"),
        (CertificateEvidence("a", MATCH, trusted=True, valid="over"), "certificates.expired"),
        (CertificateEvidence("a", MATCH, trusted=True, valid="later"), "certificates.not_yet"),
        (CertificateEvidence("a", NO_MATCH, trusted=True), "certificates.other_name"),
    ],
)
def test_what_is_wrong_is_asked_or_refused_by_mode(evidence: CertificateEvidence, reason: str) -> None:
    asked = judge(evidence, EASY)
    assert asked.outcome == "ask"
    assert [one.id for one in asked.reasons] == [reason]
    for strict in (fips_mode(True, platform=False), fips_mode(None, platform=False, common_criteria=True)):
        refused = judge(evidence, strict)
        assert refused.outcome == "refuse"
        assert refused.reasons[0].id == reason


_EVIDENCE = st.builds(
    CertificateEvidence,
    server=st.just("a"),
    identity=st.sampled_from([MATCH, NO_MATCH]),
    trusted=st.booleans(),
    valid=st.sampled_from(["now", "later", "over"]),
    key_bits=st.sampled_from([0, 1024, 2047, 2048, 4096]),
    revocation=st.sampled_from(get_args(Revocation)),
    checks=st.sampled_from(get_args(RevocationChecks)),
    remembered=st.booleans(),
    behaviour=st.sampled_from(get_args(Behaviour)),
)
_MODES = st.sampled_from(
    [
        fips_mode(b, platform=p, common_criteria=c)
        for b, p, c in product((None, True, False), (True, False), (True, False))
    ]
)


@given(_EVIDENCE, _MODES)
def test_nobody_gets_round_revocation_or_a_strict_mode(evidence: CertificateEvidence, mode: Strictness) -> None:
    verdict = judge(evidence, mode)
    if verdict.outcome == "refuse":
        assert verdict.reasons
    if (evidence.checks != "off" and evidence.revocation == "revoked") or 0 < evidence.key_bits < 2048:
        assert verdict.outcome == "refuse"
    if not mode.person_may_accept or evidence.behaviour == "RejectAndNotify":
        assert verdict.outcome != "ask"
    if verdict.outcome == "connect" and not (evidence.remembered and mode.person_may_accept):
        assert evidence.trusted
        assert evidence.identity.matches
        assert evidence.valid == "now"


_LABEL = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=8).filter(lambda text: text[0].isalpha())
_NAME = st.lists(_LABEL, min_size=1, max_size=5).map(".".join)


@given(_NAME, _NAME, st.booleans())
def test_the_wildcard_rule_whatever_the_names(name: str, other: str, root: bool) -> None:
    shown = f"{name.upper()}." if root else name
    assert _match(Purpose.HTTP, name, dns=(shown,)).matches
    assert _match(Purpose.HTTP, other, dns=(name,)).matches is (other == name)
    wildcard = _match(Purpose.HTTP, other, dns=(f"*.{name}",)).matches
    assert wildcard is (other.partition(".")[2] == name and "." in name)
    assert _match(Purpose.HTTP, f"x.{name}", dns=(f"*.{name}",)).matches is ("." in name)
    assert not _match(Purpose.HTTP, f"x.y.{name}", dns=(f"*.{name}",)).matches
    assert not _match(Purpose.HTTP, f"*.{name}", dns=(f"*.{name}",)).matches, "nobody is called so"
    assert not _match(Purpose.SIP, f"x.{name}", "", dns=(f"*.{name}",)).matches


@given(st.ip_addresses(), st.ip_addresses())
def test_addresses_are_addresses_however_they_are_written(one: object, two: object) -> None:
    written = getattr(one, "exploded", "")
    assert _match(Purpose.HTTP, str(one), addresses=(written,)).matches
    assert _match(Purpose.HTTP, str(one), addresses=(str(two),)).matches is (one == two)
    assert not _match(Purpose.HTTP, "cm1.example.com", addresses=(str(one),)).matches


def test_letters_beyond_ascii_are_compared_as_certificates_write_them() -> None:
    assert _match(Purpose.HTTP, "bücher.example", dns=("xn--bcher-kva.example",)).matches
    assert _match(Purpose.HTTP, "cm1.bücher.example", dns=("*.xn--bcher-kva.example",)).matches
    assert _match(Purpose.XMPP, "im1.example", "bücher.example", xmpp=("BÜCHER.example",)).matches
    assert _match(Purpose.XMPP, "im1.example", "xn--bcher-kva.example", xmpp=("bücher.example",)).matches


@given(st.text(max_size=40), st.text(max_size=40), st.sampled_from(list(Purpose)))
def test_no_text_breaks_the_rule(presented: str, wanted: str, purpose: Purpose) -> None:
    names = PresentedNames((presented,), (presented,), (presented,), (presented,), (presented,), (presented,))
    found = match_identity(IdentityEvidence(purpose, wanted, names, wanted, "xmpp-client"))
    assert found.reasons
    if not wanted:
        assert not found.matches
