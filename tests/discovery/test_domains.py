"""Which domain is looked up: typed address, set-up link, bootstrap file, cache."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.rules.addresses import UserAddress
from ringback.rules.catalogue import arguments_of, catalogue
from ringback.rules.services_domain import (
    Bootstrap,
    DomainEvidence,
    DomainSource,
    Excluded,
    Provision,
    ProvisionError,
    decide_domains,
    parse_bootstrap,
    parse_configuration_url,
    provision_from,
)
from ringback.rules.typos import closest_domain, near_domains

TYPED = UserAddress.parse("anita@example.com")


@pytest.mark.parametrize(
    ("evidence", "domain", "source"),
    [
        (DomainEvidence(TYPED), "example.com", DomainSource.TYPED),
        (DomainEvidence(TYPED, Provision("link.example")), "link.example", DomainSource.URL),
        (
            DomainEvidence(TYPED, Provision("link.example"), Bootstrap(services_domain="boot.example")),
            "link.example",
            DomainSource.URL,
        ),
        (
            DomainEvidence(TYPED, None, Bootstrap(services_domain="boot.example")),
            "boot.example",
            DomainSource.BOOTSTRAP,
        ),
        (DomainEvidence(TYPED, None, None, "kept.example", DomainSource.URL), "kept.example", DomainSource.CACHE),
        (DomainEvidence(TYPED, None, None, "kept.example", DomainSource.TYPED), "example.com", DomainSource.TYPED),
        (DomainEvidence(None, None, None, "kept.example", DomainSource.TYPED), "kept.example", DomainSource.CACHE),
        (DomainEvidence(), "", DomainSource.NONE),
    ],
)
def test_the_services_domain(evidence: DomainEvidence, domain: str, source: DomainSource) -> None:
    decision = decide_domains(evidence)
    assert (decision.services_domain, decision.source) == (domain, source)
    assert decision.voice_domain == domain


@pytest.mark.parametrize(
    ("evidence", "voice", "source"),
    [
        (DomainEvidence(TYPED, Provision(voice_services_domain="v1.example")), "v1.example", DomainSource.URL),
        (
            DomainEvidence(TYPED, None, Bootstrap(voice_services_domain="v2.example")),
            "v2.example",
            DomainSource.BOOTSTRAP,
        ),
        (
            DomainEvidence(TYPED, Provision(voice_services_domain="v1.example"), manual_voice_domain="v0.example"),
            "v0.example",
            DomainSource.MANUAL,
        ),
        (DomainEvidence(TYPED, configuration_voice_domain="v3.example"), "v3.example", DomainSource.CONFIGURATION),
        (
            DomainEvidence(TYPED, cached_domain="example.com", cached_voice_domain="v4.example"),
            "v4.example",
            DomainSource.CACHE,
        ),
        (
            DomainEvidence(TYPED, cached_domain="other.example", cached_voice_domain="v5.example"),
            "example.com",
            DomainSource.TYPED,
        ),
    ],
)
def test_the_voice_services_domain_of_hybrid_deployments(
    evidence: DomainEvidence, voice: str, source: DomainSource
) -> None:
    decision = decide_domains(evidence)
    assert decision.services_domain == "example.com"
    assert (decision.voice_domain, decision.voice_source) == (voice, source)


# The examples of the planning guide, chapter 5, "How the Client Locates Services".
@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("ciscojabber://provision?servicesdomain=example.com", Provision("example.com")),
        (
            "ciscojabber://provision?servicesdomain=example.com\n&VoiceServicesDomain=VoiceServices.example.com",
            Provision("example.com", "voiceservices.example.com"),
        ),
        (
            "ciscojabber://provision?servicesdomain=example.com&ServiceDiscoveryExcludedServices=WEBEX,CUCM",
            Provision("example.com", excluded=frozenset({Excluded.CLOUD, Excluded.UDS})),
        ),
        (
            "ciscojabber://provision?ServicesDomain=example.com&ServicesDomainSsoEmailPrompt=OFF&Telephony_Enabled=false",
            Provision("example.com", sso_email_prompt=False, others={"Telephony_Enabled": "false"}),
        ),
    ],
)
def test_set_up_links(link: str, expected: Provision) -> None:
    assert parse_configuration_url(link) == expected


@pytest.mark.parametrize(
    "link",
    [
        "",
        "https://example.com/provision?ServicesDomain=example.com",
        "ciscojabber://call?ServicesDomain=example.com",
        "ciscojabber://provision?ServicesDomain=not%20a%20domain",
        "ciscojabber://provision?ServiceDiscoveryExcludedServices=EVERYTHING",
        "ciscojabber://provision?ServicesDomainSsoEmailPrompt=MAYBE",
        "ciscojabber://[provision?",
        "ciscojabber://provision?" + "a=b&" * 200,
        "ciscojabber://provision?ServicesDomain=" + "a" * 5000,
    ],
)
def test_links_that_can_not_be_followed_say_why(link: str) -> None:
    with pytest.raises(ProvisionError):
        parse_configuration_url(link)


def test_all_three_exclusions_mean_manual_entry() -> None:
    provision = provision_from({"ServiceDiscoveryExcludedServices": "WEBEX, cucm,CUP"})
    decision = decide_domains(DomainEvidence(TYPED, provision))
    assert decision.excluded == frozenset(Excluded)
    assert decision.reasons[-1].id == "domain.excluded.all"


def test_a_link_overrules_the_exclusions_of_the_installer() -> None:
    bootstrap = Bootstrap(excluded=frozenset({Excluded.CUPLOGIN}))
    link = Provision(excluded=frozenset({Excluded.CLOUD}))
    assert decide_domains(DomainEvidence(TYPED, None, bootstrap)).excluded == {Excluded.CUPLOGIN}
    assert decide_domains(DomainEvidence(TYPED, link, bootstrap)).excluded == {Excluded.CLOUD}


def test_bootstrap_files() -> None:
    bootstrap = parse_bootstrap(
        "# written by the installer\nAUTHENTICATOR=cucm\nTFTP=cm1.example.com\nCCMCIP: cm1.example.com\n"
        'PRODUCT_MODE=Phone_Mode\nSERVICES_DOMAIN="Example.com"\nEXCLUDED_SERVICES=WEBEX\nFIPS_MODE=true\n'
    )
    assert bootstrap == Bootstrap(
        "CUCM",
        tftp="cm1.example.com",
        ccmcip="cm1.example.com",
        product_mode="phone_mode",
        services_domain="example.com",
        excluded=frozenset({Excluded.CLOUD}),
        others={"FIPS_MODE": "true"},
    )
    for text in ("AUTHENTICATOR=NOBODY", "nonsense", "=x", "SERVICES_DOMAIN=a b", "A=" + "x" * 70000):
        with pytest.raises(ProvisionError):
            parse_bootstrap(text)


@given(text=st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in (parse_configuration_url, parse_bootstrap):
        try:
            read(text)
        except ProvisionError:
            continue


@given(text=st.text(max_size=100))
def test_any_query_of_a_link_is_read_or_refused(text: str) -> None:
    try:
        parse_configuration_url(f"ciscojabber://provision?{text}")
    except ProvisionError:
        return


PROVISIONS = st.builds(
    Provision,
    st.sampled_from(["", "a.example"]),
    st.sampled_from(["", "b.example"]),
    st.frozensets(st.sampled_from(Excluded)),
)
BOOTSTRAPS = st.builds(
    Bootstrap,
    services_domain=st.sampled_from(["", "c.example"]),
    voice_services_domain=st.sampled_from(["", "d.example"]),
    excluded=st.frozensets(st.sampled_from(Excluded)),
)


@given(
    evidence=st.builds(
        DomainEvidence,
        st.none() | st.just(TYPED),
        st.none() | PROVISIONS,
        st.none() | BOOTSTRAPS,
        st.sampled_from(["", "e.example"]),
        st.sampled_from(DomainSource),
        st.sampled_from(["", "f.example"]),
        st.sampled_from(["", "g.example"]),
    )
)
def test_any_evidence_gives_a_decision_in_words(evidence: DomainEvidence) -> None:
    for reason in decide_domains(evidence).reasons:
        assert arguments_of(catalogue()[reason.id]) <= set(reason.values)


def test_slips_of_the_fingers() -> None:
    known = {"halden.example", "other.example"}
    assert closest_domain("halden.exmaple", known) == "halden.example"
    assert closest_domain("haldn.example", known) == "halden.example"
    assert closest_domain("halden.example", {"halden.example"}) == ""
    assert closest_domain("elsewhere.test", known) == ""
    assert "example.com" in near_domains("exmaple.com")
    assert "example.com" in near_domains("exxample.com")
    assert "example.com" in near_domains("example.con")


@given(domain=st.text(max_size=80), known=st.frozensets(st.text(max_size=80), max_size=3))
def test_suggestions_never_fail(domain: str, known: frozenset[str]) -> None:
    assert closest_domain(domain, known) in {*known, ""}
    near = near_domains(domain)
    assert len(near) <= 40
    assert domain not in near
