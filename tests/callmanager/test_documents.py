"""Every document: what is built is read back the same, and any bytes give a document or the documented error."""

from __future__ import annotations

import contextlib
import string
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.protocols import ccmcip, dial_rules, uds
from ringback.protocols.ccmcip import CcmcipError, DeviceList, GetDevices
from ringback.protocols.default_config import DefaultConfig
from ringback.protocols.device_config import DeviceConfig, DeviceConfigError, DeviceLine, SipServer
from ringback.protocols.jabber_config import JabberConfig, JabberConfigError, Parameter, group_file
from ringback.protocols.markup import Element, MarkupError, build, parse
from ringback.protocols.service_profile import Product, ServiceAddress, ServiceProfile, ServiceProfileError
from ringback.protocols.uds import UdsError
from ringback.protocols.uds.extensions import FORWARD_TAGS

# Texts keep no white space at their ends, and XML 1.0 has no other control characters.
text = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"), max_size=30).map(
    str.strip
)
word = st.text(string.ascii_letters + string.digits + "-_.", min_size=1, max_size=20)
name = st.builds("{}{}".format, st.sampled_from(string.ascii_letters), word)
small = st.integers(0, 999_999_999)
port = st.integers(0, 65535)

st.register_type_strategy(str, text)
st.register_type_strategy(int, small)

forwards = st.builds(uds.ForwardTo, to_voicemail=st.booleans(), destination=text).filter(
    lambda to: to != uds.ForwardTo()
)
forwarding = st.dictionaries(st.sampled_from(tuple(FORWARD_TAGS)), forwards)
lines = st.builds(uds.Extension, id=word, directory_number=word, forwarding=forwarding, version=st.just(""))
whole_devices = st.builds(
    uds.Device,
    provision=st.lists(word, max_size=3).map(tuple),
    do_not_disturb=st.none() | st.builds(uds.DoNotDisturb, enabled=st.booleans(), option=word),
    credential=st.none() | st.builds(uds.SipCredential, user=word, realm=word, secret=word),
)
devices = st.builds(uds.Device, id=word, provision=st.just(()), has_primary_number=st.just(False), version=st.just(""))
choices = st.lists(st.builds(uds.Choice), max_size=4).map(tuple)
policies = st.builds(uds.Policy, choices=choices, bounds=st.none() | st.tuples(small, small, small))
links = st.dictionaries(st.sampled_from(("devices", "credentials", "extensions", "speedDials")), word)
server_address = st.builds(ServiceAddress, port=port)
sip_servers = st.lists(st.builds(SipServer, name=word), max_size=3).map(tuple)
device_lines = st.lists(st.builds(DeviceLine, name=word), max_size=3).map(tuple)
st.register_type_strategy(ServiceAddress, server_address)
device_files = st.builds(
    DeviceConfig, id=word, servers=sip_servers, lines=device_lines, service_profile=st.just("SPDefault.cnf.xml")
)

documents: dict[str, tuple[st.SearchStrategy[Any], Callable[[bytes], Any]]] = {
    "clusterUser": (
        st.builds(uds.ClusterUser, found=st.just(True), home_cluster=word)
        | st.builds(lambda uri, version: uds.ClusterUser(False, uri=uri, version=version), text, text),
        uds.ClusterUser.parse,
    ),
    "servers": (st.builds(uds.Servers, servers=st.lists(word).map(tuple)), uds.Servers.parse),
    "version": (st.builds(uds.Version, version=word), uds.Version.parse),
    "users": (
        st.builds(uds.Users, people=st.lists(st.builds(uds.Person), max_size=3).map(tuple)),
        uds.Users.parse,
    ),
    "user": (
        st.builds(uds.User, links=links, presence_servers=st.lists(word, max_size=3).map(tuple)),
        uds.User.parse,
    ),
    "device": (whole_devices, uds.Device.parse),
    "extension": (st.builds(uds.Extension, id=word, directory_number=word, forwarding=forwarding), uds.Extension.parse),
    "change of an extension": (
        st.builds(  # a change goes to the voicemail or to a number, never to both
            uds.ExtensionChange,
            forwarding=forwarding.filter(
                lambda to: not any(one.to_voicemail and one.destination for one in to.values())
            ),
        ),
        lambda data: uds.ExtensionChange.parse(data, {}),
    ),
    "change of a device": (
        st.builds(
            uds.DeviceChange,
            st.none()
            | st.builds(
                uds.DoNotDisturb,
                enabled=st.booleans(),
                option=st.sampled_from((uds.DND_RINGER_OFF, uds.DND_CALL_REJECT)),
            ),
        ),
        lambda data: uds.DeviceChange.parse(data, uds.DoNotDisturb()),
    ),
    "default file": (
        st.builds(DefaultConfig, servers=sip_servers, auto_registration=st.booleans()),
        DefaultConfig.parse,
    ),
    "devices": (st.builds(uds.Devices, devices=st.lists(devices, max_size=3).map(tuple)), uds.Devices.parse),
    "extensions": (
        st.builds(uds.Extensions, extensions=st.lists(lines, max_size=3).map(tuple)),
        uds.Extensions.parse,
    ),
    "options": (
        st.builds(
            uds.Options, lists=st.lists(st.builds(uds.OptionList, name=name, choices=choices), max_size=3).map(tuple)
        ),
        uds.Options.parse,
    ),
    "userPolicy": (
        st.builds(uds.UserPolicy, policies=st.lists(policies, max_size=3).map(tuple)),
        uds.UserPolicy.parse,
    ),
    "getDevices": (st.builds(GetDevices, user=word), GetDevices.parse),
    "device list": (st.from_type(DeviceList), DeviceList.parse),
    "service profile": (st.from_type(ServiceProfile), ServiceProfile.parse),
    "configuration": (
        st.builds(
            JabberConfig,
            st.lists(st.builds(Parameter, section=st.just("Policies"), name=name, nested=st.just(())), max_size=5).map(
                tuple
            ),
        ),
        JabberConfig.parse,
    ),
    "device file": (device_files, DeviceConfig.parse),
}

readers: dict[str, tuple[Callable[[bytes], Any], type[ValueError]]] = {
    "clusterUser": (uds.ClusterUser.parse, UdsError),
    "servers": (uds.Servers.parse, UdsError),
    "versionInformation": (uds.Version.parse, UdsError),
    "users": (uds.Users.parse, UdsError),
    "user": (uds.User.parse, UdsError),
    "device": (uds.Device.parse, UdsError),
    "devices": (uds.Devices.parse, UdsError),
    "extensions": (uds.Extensions.parse, UdsError),
    "options": (uds.Options.parse, UdsError),
    "userPolicy": (uds.UserPolicy.parse, UdsError),
    "getDevices": (GetDevices.parse, CcmcipError),
    "ServiceProfile": (ServiceProfile.parse, ServiceProfileError),
    "config": (JabberConfig.parse, JabberConfigError),
    "device file": (DeviceConfig.parse, DeviceConfigError),
    "extension": (lambda data: uds.ExtensionChange.parse(data, {}), UdsError),
    "change of a device": (lambda data: uds.DeviceChange.parse(data, uds.DoNotDisturb()), UdsError),
    "Default": (DefaultConfig.parse, DeviceConfigError),
    "DialRules": (dial_rules.parse, dial_rules.DialRulesError),
}


@pytest.mark.parametrize("kind", documents)
@given(data=st.data())
def test_what_is_built_is_read_back(kind: str, data: st.DataObject) -> None:
    strategy, read = documents[kind]
    document = data.draw(strategy)
    assert read(document.build()) == document


@pytest.mark.parametrize("root", readers)
@given(data=st.data())
def test_any_bytes_give_a_document_or_the_error(root: str, data: st.DataObject) -> None:
    read, error = readers[root]
    inner = ("uri", "user", "result", "option", "range", "Primary", "Port", "homeCluster")
    of_calls = ("callForwardAllDestination", "sendToCustomDestination", "doNotDisturbSettings", "enable", "DialRule")
    tags = st.sampled_from((root, *inner, *of_calls, "callManagerGroup", "members"))
    pieces = st.one_of(tags.map("<{}>".format), tags.map("</{}>".format), tags.map('<{} uri="1"/>'.format), text)
    tag = "device" if root in ("device file", "change of a device") else root
    shaped = st.lists(pieces, max_size=12).map(lambda parts: f"<{tag}>{''.join(parts)}</{tag}>".encode())
    given_bytes = data.draw(st.binary(max_size=60) | shaped)
    with contextlib.suppress(error):
        read(given_bytes)


@given(st.binary(max_size=200) | st.text().map(str.encode))
def test_any_bytes_are_markup_or_not(data: bytes) -> None:
    try:
        element = parse(data)
    except MarkupError:
        return
    assert parse(build(element)) == element


@pytest.mark.parametrize(
    "data",
    [
        b'<!DOCTYPE x [<!ENTITY a "b">]><users>&a;</users>',
        b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><users/>',
        b'<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1/"> %p;]><users/>',
        b"<users>&undeclared;</users>",
        b"<a>" * 65 + b"</a>" * 65,
        b"<r>" + b"<a/>" * 100_001 + b"</r>",
        b"<a>" + b" " * (4 * 1024 * 1024) + b"</a>",
        b'<?xml version="1.0" encoding="no-such-code"?><a/>',
        b'<?xml version="1.0" encoding="utf-7"?><a/>',
        b"",
        b"\xff\xfe",
        b"<a b='1' b='2'/>",
        b"<a/><b/>",
    ],
)  # fmt: skip
def test_what_could_harm_is_refused(data: bytes) -> None:
    with pytest.raises(MarkupError):
        parse(data)


def test_undeclared_prefixes_are_read_as_they_stand() -> None:
    root = parse(b'<device xsi:type="axl:XIPPhone"><x:y>1</x:y></device>')
    assert root == Element("device", {"xsi:type": "axl:XIPPhone"}, children=(Element("x:y", text="1"),))


def test_what_xml_cannot_carry_is_replaced() -> None:
    person = uds.Person(user_name="a", first_name="\x00\x1b[31m\ud800\ufffe", uri="\x01")
    read = uds.Users.parse(uds.Users((person,)).build()).people[0]
    assert read.first_name == "\ufffd\ufffd[31m\ufffd\ufffd"
    assert read.uri == "\ufffd"


def test_a_user_found_without_a_home_is_not_found() -> None:
    for body in (
        b'<clusterUser><result found="true"/></clusterUser>',
        b'<clusterUser><result found="true"/><homeCluster/></clusterUser>',
        b"<clusterUser/>",
    ):
        assert not uds.ClusterUser.parse(body).found


def test_a_service_profile_is_read_by_names_wherever_they_stand() -> None:
    profile = ServiceProfile.parse(
        b"<profile><a><IMandPresence><Primary><Address>imp1</Address><Port>x</Port></Primary></IMandPresence></a>"
        b"<Directory><UseUDS>true</UseUDS><SearchTimeout>5</SearchTimeout></Directory></profile>"
    )
    assert [server.address for server in profile.im_and_presence.in_order] == ["imp1"]
    assert profile.product is Product.ON_PREMISES
    assert profile.directory_options.use_uds is True
    assert profile.directory_options.search_timeout == 5
    assert ServiceProfile().product is Product.UNSET
    with pytest.raises(ServiceProfileError):
        ServiceProfile.parse(b"<html/>")


def test_a_configuration_keeps_what_it_does_not_know() -> None:
    config = JabberConfig.parse(
        b"<config><Policies><A>1</A><A>2</A>"
        b"<InstantMessageLabels><item selector='x'/></InstantMessageLabels></Policies>"
        b"<Mine><B> yes </B></Mine></config>"
    )
    assert config.get("A") == "2"
    assert config.get("B") == "yes"
    labels = config.parameters[2].nested
    assert labels == (Element("item", {"selector": "x"}),)
    assert JabberConfig.parse(config.build()).parameters == config.parameters


@pytest.mark.parametrize(
    ("field", "path"),
    [
        ("configurationfile=groupa-config.xml", "groupa-config.xml"),
        (" ConfigurationFile=sales/jabber.xml;configurationfile=b.xml", "sales/jabber.xml"),
        ("configurationfile=a.xml other=1", "a.xml"),
        ("other=1", ""),
        ("", ""),
        ("configurationfile=../a.xml", ""),
        ("configurationfile=/a.xml", ""),
        ("configurationfile=", ""),
    ],
)
def test_the_support_field(field: str, path: str) -> None:
    assert group_file(field) == path


@given(st.text())
def test_ccmcip_passwords_survive_their_two_encodings(password: str) -> None:
    try:
        password.encode()
    except UnicodeEncodeError:
        return
    assert ccmcip.decode_password(ccmcip.encode_password(password)) == password
