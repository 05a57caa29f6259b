"""Who checks the password: every documented row, and no evidence that breaks the decision."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.rules.addresses import HostPort
from ringback.rules.authenticator import (
    Authenticator,
    AuthenticatorEvidence,
    AuthenticatorSource,
    CachedRecords,
    CloudAnswer,
    ManualServers,
    ProductType,
    decide_authenticator,
    decide_by_profile,
)
from ringback.rules.catalogue import arguments_of, catalogue
from ringback.rules.remote_access import Location, ServiceRecords, decide_location
from ringback.rules.services_domain import Bootstrap, Excluded
from ringback.rules.srv import NameAnswer, NameOutcome, SrvRecord

CM = SrvRecord(10, 10, 8443, "cm1.example.com", 300)
CUP = SrvRecord(10, 10, 8443, "cup1.example.com", 300)
EDGE = SrvRecord(10, 10, 8443, "edge1.example.com", 300)


def found(record: SrvRecord) -> NameAnswer:
    return NameAnswer("q SRV", "ns", NameOutcome.FOUND, (record,))


def none(outcome: NameOutcome = NameOutcome.NO_SUCH_NAME) -> NameAnswer:
    return NameAnswer("q SRV", "ns", outcome)


ALL = ServiceRecords(found(CM), found(CUP), found(EDGE))
MANUAL = ManualServers(Authenticator.PRESENCE, presence=HostPort("imp1.example.com", 8443))
KEPT = CachedRecords(uds=(CM,))
CUP_BOOTSTRAP = Bootstrap(authenticator="CUP", cup_address="imp1.example.com")


# The documented order (deployment options, "How the Client Gets an Authenticator"): each source wins over all below.
@pytest.mark.parametrize(
    ("evidence", "authenticator", "source"),
    [
        (
            AuthenticatorEvidence(MANUAL, CloudAnswer.CLOUD, CloudAnswer.CLOUD, KEPT, ALL, CUP_BOOTSTRAP),
            Authenticator.PRESENCE,
            AuthenticatorSource.MANUAL,
        ),
        (
            AuthenticatorEvidence(None, CloudAnswer.CLOUD, CloudAnswer.NOT_CLOUD, KEPT, ALL, CUP_BOOTSTRAP),
            Authenticator.MESSENGER,
            AuthenticatorSource.CACHED_CLOUD,
        ),
        (
            AuthenticatorEvidence(None, CloudAnswer.NOT_CLOUD, CloudAnswer.CLOUD, KEPT, ALL, CUP_BOOTSTRAP),
            Authenticator.MESSENGER,
            AuthenticatorSource.CLOUD,
        ),
        (
            AuthenticatorEvidence(None, CloudAnswer.NOT_CLOUD, CloudAnswer.NOT_CLOUD, KEPT, ALL, CUP_BOOTSTRAP),
            Authenticator.PROFILE,
            AuthenticatorSource.CACHED_RECORDS,
        ),
        (
            AuthenticatorEvidence(cloud=CloudAnswer.NO_ANSWER, records=ALL, bootstrap=CUP_BOOTSTRAP),
            Authenticator.PROFILE,
            AuthenticatorSource.RECORDS,
        ),
        (
            AuthenticatorEvidence(records=ServiceRecords(none(), none(), none()), bootstrap=CUP_BOOTSTRAP),
            Authenticator.PRESENCE,
            AuthenticatorSource.BOOTSTRAP,
        ),
        (
            AuthenticatorEvidence(records=ServiceRecords(none(), none(), none())),
            Authenticator.ASK,
            AuthenticatorSource.PERSON,
        ),
    ],
)
def test_the_documented_order(
    evidence: AuthenticatorEvidence, authenticator: Authenticator, source: AuthenticatorSource
) -> None:
    decision = decide_authenticator(evidence)
    assert (decision.authenticator, decision.source) == (authenticator, source)


@pytest.mark.parametrize(
    ("records", "authenticator", "service", "location"),
    [
        (ServiceRecords(found(CM), found(CUP), found(EDGE)), Authenticator.PROFILE, "_cisco-uds", Location.INSIDE),
        (ServiceRecords(found(CM), none(), none()), Authenticator.PROFILE, "_cisco-uds", Location.INSIDE),
        (ServiceRecords(none(), found(CUP), found(EDGE)), Authenticator.PRESENCE, "_cuplogin", Location.INSIDE),
        (ServiceRecords(none(), none(), found(EDGE)), Authenticator.PROFILE, "_collab-edge", Location.OUTSIDE),
        (ServiceRecords(none(), none(), none()), Authenticator.ASK, "", Location.UNKNOWN),
        (
            ServiceRecords(none(NameOutcome.TIMED_OUT), none(NameOutcome.NO_ANSWER), none(NameOutcome.TIMED_OUT)),
            Authenticator.ASK,
            "",
            Location.UNKNOWN,
        ),
    ],
)
def test_what_a_record_means(
    records: ServiceRecords, authenticator: Authenticator, service: str, location: Location
) -> None:
    decision = decide_authenticator(AuthenticatorEvidence(records=records))
    assert (decision.authenticator, decision.service) == (authenticator, service)
    assert decision.through_edge == (service == "_collab-edge")
    assert decide_location(records).location is location


@pytest.mark.parametrize(
    ("excluded", "authenticator"),
    [
        ({Excluded.CLOUD}, Authenticator.PROFILE),
        ({Excluded.CLOUD, Excluded.UDS}, Authenticator.PRESENCE),
        ({Excluded.UDS}, Authenticator.MESSENGER),
    ],
)
def test_excluded_services_decide_nothing(excluded: set[Excluded], authenticator: Authenticator) -> None:
    evidence = AuthenticatorEvidence(
        cached_cloud=CloudAnswer.CLOUD, cloud=CloudAnswer.CLOUD, records=ALL, excluded=frozenset(excluded)
    )
    assert decide_authenticator(evidence).authenticator is authenticator
    kept = AuthenticatorEvidence(cached_records=KEPT, excluded=frozenset(Excluded))
    assert decide_authenticator(kept).authenticator is Authenticator.ASK


@pytest.mark.parametrize(
    ("bootstrap", "authenticator", "servers"),
    [
        (Bootstrap("CUP", cup_address="imp1.example.com"), Authenticator.PRESENCE, "imp1.example.com:8443"),
        (Bootstrap("CUCM", tftp="cm1.example.com"), Authenticator.CALL_MANAGER, "cm1.example.com:8443"),
        (Bootstrap("CUCM", tftp="cm1", ccmcip="cm2:9443"), Authenticator.CALL_MANAGER, "cm2:9443"),
        (Bootstrap("WEBEX", sso_org_domain="example.com"), Authenticator.MESSENGER, ""),
        (Bootstrap("CUP", cup_address="not a host"), Authenticator.PRESENCE, ""),
    ],
)
def test_the_bootstrap_file_names_authenticator_and_server(
    bootstrap: Bootstrap, authenticator: Authenticator, servers: str
) -> None:
    decision = decide_authenticator(AuthenticatorEvidence(bootstrap=bootstrap))
    assert (decision.authenticator, decision.source) == (authenticator, AuthenticatorSource.BOOTSTRAP)
    assert ", ".join(map(str, decision.servers)) == servers
    assert decision.single_sign_on == bool(bootstrap.sso_org_domain)


def test_single_sign_on_is_what_the_cloud_says() -> None:
    assert decide_authenticator(AuthenticatorEvidence(cloud=CloudAnswer.CLOUD_WITH_SSO)).single_sign_on
    assert not decide_authenticator(AuthenticatorEvidence(cloud=CloudAnswer.CLOUD)).single_sign_on


# Planning guide, "Client Connects to Internal Services": the product type of the profile's presence service.
@pytest.mark.parametrize(
    ("product", "authenticator"),
    [
        (ProductType.ON_PREMISES, Authenticator.PRESENCE),
        (ProductType.CLOUD, Authenticator.MESSENGER),
        (ProductType.NOT_SET, Authenticator.CALL_MANAGER),
    ],
)
def test_the_service_profile_names_the_authenticator(product: ProductType, authenticator: Authenticator) -> None:
    discovered = decide_authenticator(AuthenticatorEvidence(records=ALL))
    decision = decide_by_profile(product, discovered)
    assert decision.authenticator is authenticator
    assert decision.reasons[:-1] == discovered.reasons


@pytest.mark.parametrize("product", list(ProductType))
def test_a_profile_does_not_overrule_the_cloud_or_the_person(product: ProductType) -> None:
    for evidence in (AuthenticatorEvidence(cloud=CloudAnswer.CLOUD), AuthenticatorEvidence(manual=MANUAL)):
        discovered = decide_authenticator(evidence)
        assert decide_by_profile(product, discovered) == discovered


def test_each_source_passed_over_has_its_reason() -> None:
    decision = decide_authenticator(AuthenticatorEvidence(records=ServiceRecords(none(), none(), none())))
    assert [reason.id for reason in decision.reasons] == [
        "authenticator.manual.none",
        "authenticator.cached-cloud.none",
        "authenticator.cloud.not-asked",
        "authenticator.cached-records.none",
        "authenticator.records.no-such-name",
        "authenticator.records.no-such-name",
        "authenticator.records.no-such-name",
        "authenticator.bootstrap.none",
        "authenticator.person.asked",
    ]


RECORDS = st.builds(
    SrvRecord, st.integers(0, 65535), st.integers(0, 65535), st.integers(0, 65535), st.sampled_from(["", "a.b", "c"])
)
ANSWERS = st.none() | st.builds(
    NameAnswer,
    st.just("q"),
    st.sampled_from(["", "ns"]),
    st.sampled_from(NameOutcome),
    st.lists(RECORDS, max_size=3).map(tuple),
)
SERVER = st.none() | st.just(HostPort("x", 1))
EVIDENCE = st.builds(
    AuthenticatorEvidence,
    st.none() | st.builds(ManualServers, st.sampled_from(Authenticator), SERVER, SERVER, SERVER),
    st.sampled_from(CloudAnswer),
    st.sampled_from(CloudAnswer),
    st.builds(CachedRecords, *[st.lists(RECORDS, max_size=2).map(tuple)] * 3),
    st.none() | st.builds(ServiceRecords, ANSWERS, ANSWERS, ANSWERS),
    st.none()
    | st.builds(Bootstrap, st.sampled_from(["", "CUP", "CUCM", "WEBEX"]), st.text(max_size=20), st.text(max_size=20)),
    st.frozensets(st.sampled_from(Excluded)),
)  # fmt: skip


@given(evidence=EVIDENCE)
def test_any_evidence_gives_a_decision_in_words(evidence: AuthenticatorEvidence) -> None:
    decision = decide_authenticator(evidence)
    assert decision.reasons
    for reason in decision.reasons:
        assert arguments_of(catalogue()[reason.id]) <= set(reason.values)
    if evidence.manual is not None:
        assert decision.source is AuthenticatorSource.MANUAL
    if len(evidence.excluded) == len(Excluded):
        assert decision.source not in (AuthenticatorSource.CLOUD, AuthenticatorSource.CACHED_CLOUD)
    if evidence.records is not None:
        for reason in decide_location(evidence.records).reasons:
            assert arguments_of(catalogue()[reason.id]) <= set(reason.values)
