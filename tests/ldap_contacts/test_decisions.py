"""Where the directory is and as whom it is asked: decisions with reasons, and the driver with a real name server."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.net.ldap.discovery import discover
from ringback.net.names import NameClient
from ringback.rules.addresses import HostPort
from ringback.rules.directory_authentication import (
    Account,
    Attempt,
    AuthenticationEvidence,
    attempts,
    bind_name,
)
from ringback.rules.directory_discovery import (
    DirectoryEvidence,
    DirectoryServer,
    choose,
    questions,
    secure_form,
)
from ringback.rules.directory_settings import DirectorySettings, Mechanism, NamedServer
from ringback.rules.srv import NameAnswer, NameOutcome, SrvRecord
from ringback.services.names import NamesService, NamesSettings, Record, Zone

CONFIGURED = DirectorySettings(forest_domain="forest.example", user_domain="corp.example", site="Berlin")
ENVIRONMENT = {"DNSFORESTNAME": "Forest.Env.", "USERDNSDOMAIN": "CORP.ENV", "DNSSITENAME": "Paris"}


def found(name: str, *records: tuple[int, int, str]) -> dict[str, NameAnswer]:
    rows = tuple(SrvRecord(priority, 100, port, target, 60) for priority, port, target in records)
    return {name: NameAnswer(f"{name} SRV", "ns", NameOutcome.FOUND, rows)}


# Which records


@pytest.mark.parametrize(
    ("settings", "environment", "address", "names"),
    [
        (DirectorySettings(), {}, "example.com", ["_ldap._tcp.example.com"]),
        (DirectorySettings(), {}, "", []),
        (
            DirectorySettings(forest_domain="f.example"), {}, "example.com",
            ["_gc._tcp.f.example", "_ldap._tcp.example.com"],
        ),
        (
            CONFIGURED, {}, "example.com",
            [
                "_gc._tcp.berlin._sites.forest.example", "_gc._tcp.forest.example",
                "_ldap._tcp.berlin._sites.corp.example", "_ldap._tcp.corp.example",
            ],
        ),
        (
            CONFIGURED, ENVIRONMENT, "example.com",
            [
                "_gc._tcp.paris._sites.forest.env", "_gc._tcp.forest.env",
                "_ldap._tcp.paris._sites.corp.env", "_ldap._tcp.corp.env",
            ],
        ),
        (CONFIGURED, {"USERDNSDOMAIN": "not a domain"}, "x", [
            "_gc._tcp.berlin._sites.forest.example", "_gc._tcp.forest.example",
            "_ldap._tcp.berlin._sites.corp.example", "_ldap._tcp.corp.example",
        ]),
        (DirectorySettings(servers=(NamedServer("a"),), forest_domain="f"), ENVIRONMENT, "example.com", []),
    ],
)  # fmt: skip
def test_the_order_of_records(
    settings: DirectorySettings, environment: dict[str, str], address: str, names: list[str]
) -> None:
    assert [one.name for one in questions(DirectoryEvidence(settings, environment, address))] == names


@given(
    st.dictionaries(st.sampled_from([*ENVIRONMENT]), st.text(max_size=30)), st.text(max_size=30), st.text(max_size=30),
)  # fmt: skip
def test_any_evidence_gives_a_decision(environment: dict[str, str], domain: str, site: str) -> None:
    evidence = DirectoryEvidence(DirectorySettings(user_domain=domain, site=site), environment, domain)
    assert choose(evidence, {}).reasons
    assert all(len(one.name) < 512 for one in questions(evidence))


# What follows from the answers


def test_the_global_catalogue_comes_first() -> None:
    evidence = DirectoryEvidence(CONFIGURED, {}, "example.com")
    both = found("_gc._tcp.forest.example", (10, 3268, "b"), (0, 3268, "a")) | found(
        "_ldap._tcp.corp.example", (0, 389, "c")
    )
    choice = choose(evidence, both)
    assert choice.servers == (DirectoryServer("a", 3268, False, "global"), DirectoryServer("b", 3268, False, "global"))
    assert choice.question == "_gc._tcp.forest.example"
    only = choose(evidence, found("_ldap._tcp.corp.example", (0, 389, "c")))
    assert only.servers == (DirectoryServer("c", 389, False, "domain"),)


def test_secure_ports() -> None:
    secure = DirectorySettings(use_ssl=True, forest_domain="f.example")
    evidence = DirectoryEvidence(secure, {}, "example.com")
    assert choose(evidence, found("_gc._tcp.f.example", (0, 3268, "a"))).servers[0].port == 3269
    assert choose(evidence, found("_ldap._tcp.example.com", (0, 389, "a"))).servers[0].port == 636
    named = DirectorySettings(
        servers=(NamedServer("a"), NamedServer("b", 3269), NamedServer("c", 3268), NamedServer("d", 1636))
    )
    assert [(one.port, one.secure) for one in choose(DirectoryEvidence(named), {}).servers] == [
        (389, False), (3269, True), (3268, False), (1636, False),
    ]  # fmt: skip
    secured = DirectorySettings(servers=named.servers, use_ssl=True)
    assert [(one.port, one.secure) for one in choose(DirectoryEvidence(secured), {}).servers] == [
        (636, True), (3269, True), (3269, True), (1636, True),
    ]  # fmt: skip
    assert secure_form(DirectoryServer("a", 3268, False, "global")) == DirectoryServer("a", 3269, True, "global")
    assert secure_form(DirectoryServer("a", 3269, True, "global")) is None
    assert secure_form(DirectoryServer("a", 1389, False, "named")) is None


async def test_a_real_name_server_is_asked_in_order() -> None:
    zone = Zone(
        "corp.example",
        (
            Record("_ldap._tcp", "SRV", ("0 100 389 dc1",)),
            Record("_gc._tcp.berlin._sites", "SRV", ("0 100 3268 dc2", "10 100 3268 dc1")),
            Record("_gc._tcp", "SRV", ("0 100 3268 dc3",)),
        ),
    )
    service = NamesService(NamesSettings("ns1.corp.example", "127.0.0.1", 0, (zone,)))
    await service.start()
    try:
        names = NameClient(HostPort(service.endpoints[0].address, service.endpoints[0].port))
        here = DirectorySettings(forest_domain="corp.example", site="Berlin")
        choice = await discover(DirectoryEvidence(here, {}, "corp.example"), names)
        assert [one.host for one in choice.servers] == ["dc2.corp.example", "dc1.corp.example"]
        other = DirectorySettings(forest_domain="corp.example", site="Rome")
        choice = await discover(DirectoryEvidence(other, {}, "corp.example"), names)
        assert [one.host for one in choice.servers] == ["dc3.corp.example"], "a site without servers: any"
        choice = await discover(DirectoryEvidence(DirectorySettings(), {}, "corp.example"), names)
        assert choice.servers == (DirectoryServer("dc1.corp.example", 389, False, "domain"),)
        choice = await discover(DirectoryEvidence(DirectorySettings(), {}, "nowhere.example"), names)
        assert choice.servers == ()
        assert choice.reasons[-1].id == "ldap.discovery.none"
    finally:
        await service.stop()


# As whom


def ways(settings: DirectorySettings | None = None, *mechanisms: str, **has: bool) -> list[tuple[str, Account | None]]:
    decided = attempts(AuthenticationEvidence(settings or DirectorySettings(), mechanisms, **has))
    return [(one.way, one.account) for one in decided.ways]


def test_an_account_of_the_configuration_comes_before_all() -> None:
    settings = DirectorySettings(username="cn=x", password="y")
    assert ways(settings, "GSSAPI", has_ticket=True, has_typed=True) == [("simple", Account.CONFIGURED)]


def test_the_order_is_the_servers_or_the_configured_one() -> None:
    everything = {"has_ticket": True, "has_certificate": True}
    assert [way for way, _ in ways(None, "EXTERNAL", "GSSAPI", **everything)] == ["external", "gssapi", "anonymous"]
    assert [way for way, _ in ways(None, "GSS-SPNEGO", "GSSAPI", **everything)] == ["gssapi", "anonymous"]
    chosen = DirectorySettings(mechanisms=(Mechanism.PLAIN, Mechanism.EXTERNAL))
    assert [way for way, _ in ways(chosen, "GSSAPI", "EXTERNAL", **everything)] == ["anonymous", "external"]
    only = DirectorySettings(mechanisms=(Mechanism.GSSAPI,))
    assert ways(only, "GSSAPI") == [], "without a ticket there is no other way than the configured one"


def test_typed_credentials_and_the_call_managers() -> None:
    plain = DirectorySettings(mechanisms=(Mechanism.PLAIN,))
    assert ways(plain) == [("anonymous", None)]
    assert attempts(AuthenticationEvidence(plain)).ask
    assert ways(plain, has_typed=True) == [("simple", Account.TYPED)]
    theirs = DirectorySettings(call_manager_credentials=True)
    assert ways(theirs, has_call_manager=True) == [("simple", Account.CALL_MANAGER)]
    assert ways(theirs) == [("anonymous", None)]
    assert ways(theirs, has_call_manager=True, has_typed=True) == [("simple", Account.TYPED)]


@given(
    st.lists(st.sampled_from(Mechanism), max_size=3, unique=True), st.lists(st.text(max_size=12), max_size=4),
    st.booleans(), st.booleans(), st.booleans(), st.booleans(), st.booleans(),
)  # fmt: skip
def test_nothing_is_tried_that_is_not_there(
    configured: list[Mechanism],
    server: list[str],
    ticket: bool,
    certificate: bool,
    typed: bool,
    theirs: bool,
    uses: bool,
) -> None:
    settings = DirectorySettings(mechanisms=tuple(configured), call_manager_credentials=uses)
    decided = attempts(AuthenticationEvidence(settings, tuple(server), ticket, certificate, typed, theirs))
    tried = set(decided.ways)
    assert ticket or Attempt("gssapi") not in tried
    assert certificate or Attempt("external") not in tried
    assert typed or Attempt("simple", Account.TYPED) not in tried
    assert (theirs and uses) or Attempt("simple", Account.CALL_MANAGER) not in tried
    assert Attempt("simple", Account.CONFIGURED) not in tried


def test_names_to_bind_with() -> None:
    corp = DirectorySettings(user_domain="corp.example")
    assert bind_name("anna", corp, Account.CALL_MANAGER) == "anna@corp.example"
    assert bind_name("anna@other", corp, Account.TYPED) == "anna@other"
    assert bind_name("CORP\\anna", corp, Account.TYPED) == "CORP\\anna"
    assert bind_name("cn=x", corp, Account.CONFIGURED) == "cn=x"
    assert bind_name("reader", corp, Account.CONFIGURED) == "reader"
