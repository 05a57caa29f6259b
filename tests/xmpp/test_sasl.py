"""SASL: the published vectors, every lie refused, and nothing but documented errors."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.protocols.xmpp.errors import SaslError
from ringback.protocols.xmpp.sasl import (
    PLAIN,
    SCRAM,
    SCRAM_PLUS,
    TOKEN,
    Challenge,
    ChannelBindings,
    CheckPassword,
    CheckToken,
    Exchange,
    FindVerifier,
    Success,
    decode_base64,
    exchange_for,
    fake_verifier,
    make_verifier,
)

NONE = ChannelBindings({}, offered=False)
BOUND = ChannelBindings({"tls-server-end-point": b"certificate hash"}, offered=True)
VERIFIER = make_verifier("pencil", b"salt of the earth", 4096)


class Client:
    """The client's side of SCRAM (RFC 5802 section 3), with every part open to be falsified."""

    def __init__(
        self, user: str = "user", password: str = "pencil", header: bytes = b"n,,", binding: bytes = b""
    ) -> None:
        self.password = password
        self.header = header
        self.binding = header + binding
        self.bare = f"n={user},r=rOprNGfwEbeRWgbNEkqO".encode()

    def first(self) -> bytes:
        return self.header + self.bare

    def final(self, challenge: bytes, edit: Callable[[bytes], bytes] = lambda data: data) -> bytes:
        fields = dict(part.split(b"=", 1) for part in challenge.split(b","))
        salted = hashlib.pbkdf2_hmac(
            "sha256", self.password.encode(), base64.b64decode(fields[b"s"]), int(fields[b"i"])
        )
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        without_proof = edit(b"c=" + base64.b64encode(self.binding) + b",r=" + fields[b"r"])
        message = b",".join((self.bare, challenge, without_proof))
        signature = hmac.digest(hashlib.sha256(client_key).digest(), message, "sha256")
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        return without_proof + b",p=" + base64.b64encode(proof)


def challenged(exchange: Exchange, client: Client) -> bytes:
    question = exchange.begin(client.first())
    assert question == FindVerifier("user")
    step = exchange.answer_verifier(VERIFIER)
    assert isinstance(step, Challenge)
    return step.data


def scram(bindings: ChannelBindings = NONE, *, plus: bool = False) -> Exchange:
    return exchange_for(SCRAM_PLUS if plus else SCRAM, "example.com", bindings)


def test_the_verifier_is_that_of_rfc_7677() -> None:
    """Section 3: user "user", password "pencil", its salt, nonces and proofs."""
    verifier = make_verifier("pencil", base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096)
    message = (
        b"n=user,r=rOprNGfwEbeRWgbNEkqO,"
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    )
    assert hmac.digest(verifier.server_key, message, "sha256") == base64.b64decode(
        "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
    )
    proof = base64.b64decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
    signature = hmac.digest(verifier.stored_key, message, "sha256")
    client_key = bytes(a ^ b for a, b in zip(proof, signature, strict=True))
    assert hashlib.sha256(client_key).digest() == verifier.stored_key


@pytest.mark.parametrize(
    ("header", "binding", "bindings", "plus"),
    [
        (b"n,,", b"", NONE, False),
        (b"n,,", b"", BOUND, False),
        (b"y,,", b"", NONE, False),
        (b"p=tls-server-end-point,,", b"certificate hash", BOUND, True),
        (b"n,a=user@example.com,", b"", NONE, False),
        (b"n,a=USER@Example.com,", b"", NONE, False),
    ],
)
def test_a_true_client_gets_in(header: bytes, binding: bytes, bindings: ChannelBindings, plus: bool) -> None:
    exchange = scram(bindings, plus=plus)
    client = Client(header=header, binding=binding)
    step = exchange.respond(client.final(challenged(exchange, client)))
    assert isinstance(step, Success)
    assert step.user == "user"
    assert (step.data or b"").startswith(b"v=")


@pytest.mark.parametrize(
    ("header", "bindings", "plus", "condition"),
    [
        (b"y,,", BOUND, False, "not-authorized"),  # somebody took our offer of channel binding away
        (b"n,,", BOUND, True, "malformed-request"),
        (b"p=tls-server-end-point,,", BOUND, False, "malformed-request"),
        (b"p=tls-unique,,", BOUND, True, "malformed-request"),
        (b"p=,,", BOUND, True, "malformed-request"),
        (b"x,,", NONE, False, "malformed-request"),
        (b"n,a=other@example.com,", NONE, False, "invalid-authzid"),
        (b"n,a=user@example.org,", NONE, False, "invalid-authzid"),
        (b"n,a=user@example.com/x,", NONE, False, "invalid-authzid"),
        (b"n,b=1,", NONE, False, "malformed-request"),
        (b"n,,m=1,", NONE, False, "malformed-request"),
    ],
)
def test_a_false_start_is_refused(header: bytes, bindings: ChannelBindings, plus: bool, condition: str) -> None:
    with pytest.raises(SaslError) as caught:
        scram(bindings, plus=plus).begin(Client(header=header).first())
    assert caught.value.condition == condition


@pytest.mark.parametrize(
    "edit",
    [
        lambda data: data.replace(b"c=biws", b"c=eSws"),
        lambda data: data.replace(b",r=r", b",r=x"),
        lambda data: data + b"x",
        lambda data: data.replace(b"c=biws", b"c="),
        lambda data: data.partition(b",")[2],
    ],
)
def test_a_final_message_that_does_not_fit_is_refused(edit: Callable[[bytes], bytes]) -> None:
    exchange, client = scram(), Client()
    with pytest.raises(SaslError):
        exchange.respond(client.final(challenged(exchange, client), edit))


def test_a_wrong_password_and_another_certificate_are_refused() -> None:
    for client, bindings, plus in (
        (Client(password="pencil2"), NONE, False),
        (Client(header=b"p=tls-server-end-point,,", binding=b"another hash"), BOUND, True),
    ):
        exchange = scram(bindings, plus=plus)
        with pytest.raises(SaslError) as caught:
            exchange.respond(client.final(challenged(exchange, client)))
        assert caught.value.condition == "not-authorized"


def test_a_proof_is_needed() -> None:
    exchange, client = scram(), Client()
    challenge = challenged(exchange, client)
    for data in (b"", client.final(challenge).rpartition(b",p=")[0], client.final(challenge)[:-4] + b"AA=="):
        with pytest.raises(SaslError):
            exchange.respond(data)


def test_an_unknown_user_looks_the_same_every_time() -> None:
    one, two = fake_verifier("nobody", b"secret", 4096), fake_verifier("nobody", b"secret", 4096)
    assert one.salt == two.salt != fake_verifier("somebody", b"secret", 4096).salt
    assert len(one.salt) == 16
    exchange, client = scram(), Client()
    exchange.begin(client.first())
    step = exchange.answer_verifier(one)
    assert isinstance(step, Challenge)
    with pytest.raises(SaslError) as caught:
        exchange.respond(client.final(step.data))
    assert caught.value.condition == "not-authorized"


def test_plain_asks_for_the_password_of_the_prepared_name() -> None:
    exchange = exchange_for(PLAIN, "example.com", NONE)
    question = exchange.begin(b"user@example.com\0USER\0p\xc3\xa4ss")
    assert question == CheckPassword("user", "päss")
    assert "päss" not in repr(question)
    assert exchange.answer_checked(good=True) == Success("user")


@pytest.mark.parametrize(
    ("data", "condition"),
    [
        (b"", "malformed-request"),
        (b"user\0pass", "malformed-request"),
        (b"\0user\0", "malformed-request"),
        (b"\0\0pass", "malformed-request"),
        (b"\0us\xffer\0pass", "malformed-request"),
        (b"\0user\0pa\0ss", "malformed-request"),
        (b"other@example.com\0user\0pass", "invalid-authzid"),
        (b"@\0user\0pass", "invalid-authzid"),
        (b"\0us er\0pass", "not-authorized"),
        (b"\0user/x\0pass", "not-authorized"),
        (b"\0a@b\0pass", "not-authorized"),
        (b"x" * 5000, "malformed-request"),
    ],
)
def test_a_bad_plain_message_is_refused(data: bytes, condition: str) -> None:
    with pytest.raises(SaslError) as caught:
        exchange_for(PLAIN, "example.com", NONE).begin(data)
    assert caught.value.condition == condition


def test_a_token_names_its_user() -> None:
    exchange = exchange_for(TOKEN, "example.com", NONE)
    question = exchange.begin(b"userid=User@example.com\0token=abc=")
    assert question == CheckToken("user", "abc=")
    assert "abc" not in repr(question)
    with pytest.raises(SaslError):
        exchange.answer_checked(good=False)


@pytest.mark.parametrize("data", [b"", b"userid=user@example.com", b"token=x", b"userid=u@example.org\0token=x"])
def test_a_bad_token_message_is_refused(data: bytes) -> None:
    with pytest.raises(SaslError):
        exchange_for(TOKEN, "example.com", NONE).begin(data)


@given(st.sampled_from([PLAIN, TOKEN, SCRAM, SCRAM_PLUS]), st.lists(st.binary(max_size=80), min_size=1, max_size=3))
def test_any_bytes_give_a_step_or_the_documented_error(mechanism: str, messages: list[bytes]) -> None:
    exchange = exchange_for(mechanism, "example.com", BOUND)
    condition = ""
    try:
        for message in messages:
            exchange.respond(message)
    except SaslError as error:
        condition = error.condition
    assert condition in {"", "malformed-request", "not-authorized", "invalid-authzid"}


@given(st.text(max_size=40))
def test_base64_gives_bytes_or_the_documented_error(text: str) -> None:
    condition = ""
    try:
        decode_base64(text)
    except SaslError as error:
        condition = error.condition
    assert condition in {"", "incorrect-encoding", "malformed-request"}


def test_an_empty_response_is_not_none() -> None:
    assert decode_base64(None) is None
    assert decode_base64("=") == b""
    assert decode_base64(" YQ== ") == b"a"
