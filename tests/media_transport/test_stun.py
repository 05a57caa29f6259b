"""STUN: the sample messages of RFC 5769, and the refusal of messages without integrity."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.protocols.stun import (
    BINDING,
    REQUEST,
    SUCCESS,
    USERNAME,
    StunError,
    StunFormatError,
    StunIntegrityError,
    StunMessage,
    binding_request,
    binding_response,
    error_response,
    is_stun,
    long_term_key,
)

_PASSWORD = b"VOkJxbRl1RmTxUk/WvJxBt"
_REQUEST = bytes.fromhex(
    "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff80290008"
    "932ff9b151263b36000600096576746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004"
    "e57a3bcf"
)
_RESPONSE = bytes.fromhex(
    "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e112a643000800142b"
    "91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96"
)


def test_the_sample_request_is_read_and_its_integrity_holds() -> None:
    message = StunMessage.parse(_REQUEST)
    assert (message.message_class, message.method) == (REQUEST, BINDING)
    assert message.get(USERNAME) == b"evtj:h6vY"
    message.check_integrity(_PASSWORD)
    with pytest.raises(StunIntegrityError):
        message.check_integrity(b"another")


def test_the_sample_response_tells_the_address() -> None:
    message = StunMessage.parse(_RESPONSE)
    assert message.message_class == SUCCESS
    assert message.mapped_address() == ("192.0.2.1", 32853)
    message.check_integrity(_PASSWORD)


def test_an_absent_integrity_attribute_is_a_refusal() -> None:
    with pytest.raises(StunIntegrityError):
        StunMessage.parse(binding_request().serialize(fingerprint=True)).check_integrity(_PASSWORD)


def test_a_changed_octet_breaks_integrity_or_fingerprint() -> None:
    octets = bytearray(_REQUEST)
    octets[30] ^= 1
    with pytest.raises(StunFormatError):
        StunMessage.parse(bytes(octets))
    octets = bytearray(binding_request(bytes(12), (USERNAME, b"abcd")).serialize(_PASSWORD))
    octets[25] ^= 1
    with pytest.raises(StunIntegrityError):
        StunMessage.parse(bytes(octets)).check_integrity(_PASSWORD)


@pytest.mark.parametrize("address", [("192.0.2.7", 1), ("2001:db8::1", 65535)])
def test_addresses_of_both_families_come_back(address: tuple[str, int]) -> None:
    answer = StunMessage.parse(binding_response(binding_request(), address).serialize())
    assert answer.mapped_address() == address


def test_errors_tell_code_and_phrase() -> None:
    refusal = StunMessage.parse(error_response(binding_request(), 438, "Stale Nonce").serialize())
    assert refusal.error() == (438, "Stale Nonce")
    assert long_term_key("user", "realm", "pass").hex() == "8493fbc53ba582fb4c044c456bdc40eb"


@given(st.binary(max_size=120), st.booleans())
def test_any_octets_give_a_message_or_the_documented_error(data: bytes, head: bool) -> None:
    octets = b"\0\1" + len(data).to_bytes(2) + b"\x21\x12\xa4\x42" + bytes(12) + data if head else data
    try:
        message = StunMessage.parse(octets)
        assert is_stun(octets)
        message.mapped_address()
        message.error()
    except StunError:
        return
