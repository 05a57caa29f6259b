"""SASL, the server's side: PLAIN, SCRAM-SHA-256 with and without channel binding, OAUTHBEARER, and the one-time token.

Sources: RFC 4422, RFC 4616 (PLAIN), RFC 5802 and RFC 7677 (SCRAM), RFC 5929 (channel bindings), RFC 7628 (OAUTHBEARER),
and for CISCO-VTG-TOKEN what public material shows of it (``userid=USER@DOMAIN NUL token=TOKEN``).

An exchange is a small machine without I/O: ``begin`` and ``respond`` take the client's bytes and return what is to be
done next. Where a secret has to be looked up it returns a question; the driver answers with ``answer_...``. What it
compares, it compares in constant time, and a missing field is a refusal.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from typing import Final

from ringback.protocols.oauth.tokens import SCOPE
from ringback.protocols.xmpp import sasl_bearer
from ringback.protocols.xmpp.errors import SaslError
from ringback.rules.addresses import AddressError, Jid

PLAIN: Final = "PLAIN"
SCRAM: Final = "SCRAM-SHA-256"
SCRAM_PLUS: Final = "SCRAM-SHA-256-PLUS"
TOKEN: Final = "CISCO-VTG-TOKEN"  # noqa: S105 - the mechanism's name
BEARER: Final = sasl_bearer.MECHANISM

_LARGEST_MESSAGE: Final = 4096  # bytes, decoded
_LARGEST_NAME: Final = 1023
_LARGEST_TEXT: Final = 4 * -(-sasl_bearer.LARGEST // 3)  # the largest message of all, in base64


@dataclass(frozen=True, slots=True)
class Verifier:
    """What a SCRAM server keeps instead of a password (RFC 5802 section 3). ``salt`` and keys are raw bytes."""

    salt: bytes
    iterations: int
    stored_key: bytes
    server_key: bytes


@dataclass(frozen=True, slots=True)
class Challenge:
    """Send this to the client."""

    data: bytes


@dataclass(frozen=True, slots=True)
class CheckPassword:
    """Ask whether this is the password of this user; answer with ``answer_checked``."""

    user: str
    password: str

    def __repr__(self) -> str:
        return f"CheckPassword({self.user!r})"


@dataclass(frozen=True, slots=True)
class CheckToken:
    """Ask whether this one-time token was given to this user; answer with ``answer_checked``."""

    user: str
    token: str

    def __repr__(self) -> str:
        return f"CheckToken({self.user!r})"


@dataclass(frozen=True, slots=True)
class CheckBearer:
    """Ask whose access token this is; answer with ``answer_bearer``. ``user`` is who is claimed (empty: nobody)."""

    user: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class BearerAnswer:
    """Whose token it is (a localpart); or ``user`` empty, and ``condition`` the SASL condition of the refusal that
    follows the documented JSON, ``text`` a sentence why."""

    user: str
    condition: str = "not-authorized"
    text: str = ""


@dataclass(frozen=True, slots=True)
class FindVerifier:
    """Ask for the verifier of this user; answer with ``answer_verifier``."""

    user: str


@dataclass(frozen=True, slots=True)
class Success:
    """The client is this user; ``data`` goes with the success where not None."""

    user: str
    data: bytes | None = None


Question = CheckPassword | CheckToken | CheckBearer | FindVerifier
Step = Challenge | Question | Success


@dataclass(frozen=True, slots=True)
class ChannelBindings:
    """What binds the exchange to its TLS connection: data by type, and whether PLUS was offered."""

    data: dict[str, bytes]
    offered: bool


class Exchange:
    """One attempt to authenticate for accounts of ``domain``. Methods raise SaslError; then the attempt is over."""

    def __init__(self, domain: str) -> None:
        self.domain = domain
        self.user = ""
        """Who is claimed (localpart), once it was said."""

    def begin(self, data: bytes | None) -> Step:
        """The initial response, or None where the client sent none (then an empty challenge asks for it)."""
        if data is None:
            return Challenge(b"")
        return self.respond(data)

    def respond(self, data: bytes) -> Step:
        """The next response of the client."""
        raise NotImplementedError

    def answer_checked(self, *, good: bool) -> Step:
        """The answer to ``CheckPassword`` or ``CheckToken``."""
        raise SaslError("temporary-auth-failure")

    def answer_verifier(self, verifier: Verifier) -> Step:
        """The answer to ``FindVerifier``; for an unknown user the made-up one of ``fake_verifier``."""
        raise SaslError("temporary-auth-failure")

    def answer_bearer(self, answer: BearerAnswer) -> Step:
        """The answer to ``CheckBearer``."""
        raise SaslError("temporary-auth-failure")

    def _user(self, name: str) -> str:
        """The localpart that a user name means. Raises SaslError."""
        try:
            return Jid.parse(f"{name}@{self.domain}").local if name and "/" not in name else _refuse()
        except AddressError:
            return _refuse()

    def _check_authorisation(self, identity: str, user: str) -> None:
        """Nobody may act as somebody else (RFC 6120 section 6.3.8)."""
        if not identity:
            return
        try:
            wanted = Jid.parse(identity)
        except AddressError:
            raise SaslError("invalid-authzid") from None
        if wanted != Jid(user, self.domain):
            raise SaslError("invalid-authzid")


class PlainExchange(Exchange):
    """RFC 4616."""

    def respond(self, data: bytes) -> Step:
        text = _text(data)
        parts = text.split("\0")
        if len(parts) != 3 or not parts[1] or not parts[2]:
            raise SaslError("malformed-request")
        self.user = self._user(parts[1])
        self._check_authorisation(parts[0], self.user)
        return CheckPassword(self.user, parts[2])

    def answer_checked(self, *, good: bool) -> Step:
        if not good:
            raise SaslError("not-authorized")
        return Success(self.user)


class TokenExchange(Exchange):
    """CISCO-VTG-TOKEN: a one-time token that the log-in service gave over HTTPS."""

    def respond(self, data: bytes) -> Step:
        fields = dict(part.partition("=")[::2] for part in _text(data).split("\0"))
        identity, token = fields.get("userid", ""), fields.get("token", "")
        if not identity or not token:
            raise SaslError("malformed-request")
        user, at, domain = identity.rpartition("@")
        if not at:
            user = identity
        elif domain.lower() != self.domain:
            raise SaslError("not-authorized")
        self.user = self._user(user)
        return CheckToken(self.user, token)

    def answer_checked(self, *, good: bool) -> Step:
        if not good:
            raise SaslError("not-authorized")
        return Success(self.user)


class BearerExchange(Exchange):
    """RFC 7628: an access token of the call manager. ``scope`` is what tokens must have, for the refusal's JSON."""

    def __init__(self, domain: str, scope: str = "") -> None:
        super().__init__(domain)
        self._scope = scope
        self._refused: SaslError | None = None

    def respond(self, data: bytes) -> Step:
        if self._refused is not None:
            raise self._refused  # whatever the client acknowledged the refusal with
        message = sasl_bearer.parse_message(data)
        if message.identity:
            local, at, domain = message.identity.partition("@")
            if at and domain.partition("/")[0].lower() != self.domain:
                raise SaslError("invalid-authzid")
            self.user = self._user(local)
        return CheckBearer(self.user, message.token)

    def answer_bearer(self, answer: BearerAnswer) -> Step:
        if answer.user and (not self.user or answer.user == self.user):
            return Success(answer.user)
        if answer.user:
            raise SaslError("invalid-authzid")  # a good token, but of somebody else
        self._refused = SaslError(answer.condition, answer.text)
        return Challenge(sasl_bearer.render_refusal(sasl_bearer.BearerRefusal("invalid_token", self._scope)))


class ScramExchange(Exchange):
    """SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677)."""

    def __init__(self, domain: str, *, plus: bool, bindings: ChannelBindings) -> None:
        super().__init__(domain)
        self._plus = plus
        self._bindings = bindings
        self._binding = b""
        self._client_first = b""
        self._server_first = b""
        self._nonce = b""
        self._verifier: Verifier | None = None

    def respond(self, data: bytes) -> Step:
        if len(data) > _LARGEST_MESSAGE:
            raise SaslError("malformed-request")
        if not self._client_first:
            return self._first(data)
        return self._final(data)

    def _first(self, data: bytes) -> Step:
        parts = data.split(b",", 2)
        if len(parts) != 3:
            raise SaslError("malformed-request")
        flag, identity, bare = parts
        self._binding = flag + b"," + identity + b"," + self._channel_data(flag)
        fields = bare.split(b",")
        if len(fields) < 2 or fields[0][:2] != b"n=" or fields[1][:2] != b"r=" or len(fields[1]) < 3:
            raise SaslError("malformed-request")  # also a mandatory extension (m=) stands here: none is known
        if not all(0x21 <= byte <= 0x7E for byte in fields[1][2:]):
            raise SaslError("malformed-request")
        self.user = self._user(_unescaped(fields[0][2:]))
        if identity:
            if identity[:2] != b"a=":
                raise SaslError("malformed-request")
            self._check_authorisation(_unescaped(identity[2:]), self.user)
        self._client_first = bare
        self._nonce = fields[1][2:] + secrets.token_urlsafe(18).encode()
        return FindVerifier(self.user)

    def _channel_data(self, flag: bytes) -> bytes:
        """What the client must have bound to; checks the flag as RFC 5802 section 6 says."""
        if self._plus:
            if flag[:2] != b"p=":
                raise SaslError("malformed-request")
            data = self._bindings.data.get(flag[2:].decode("ascii", "replace"))
            if data is None:
                raise SaslError("malformed-request", "This type of channel binding is not known here")
            return data
        if flag == b"n":
            return b""
        if flag == b"y":
            if self._bindings.offered:
                # The client could bind and thinks that we cannot: somebody between took our offer away.
                raise SaslError("not-authorized", "The offer of channel binding did not arrive")
            return b""
        raise SaslError("malformed-request")

    def answer_verifier(self, verifier: Verifier) -> Step:
        self._verifier = verifier
        salt = base64.b64encode(verifier.salt)
        self._server_first = b"r=%b,s=%b,i=%d" % (self._nonce, salt, verifier.iterations)
        return Challenge(self._server_first)

    def _final(self, data: bytes) -> Step:
        verifier = self._verifier
        without_proof, comma, proof_text = data.rpartition(b",p=")
        fields = without_proof.split(b",")
        if verifier is None or not comma or len(fields) < 2 or fields[0][:2] != b"c=" or fields[1][:2] != b"r=":
            raise SaslError("malformed-request")
        binding, proof = _decoded(fields[0][2:]), _decoded(proof_text)
        message = b",".join((self._client_first, self._server_first, without_proof))
        signature = hmac.digest(verifier.stored_key, message, "sha256")
        if len(proof) != len(signature):
            raise SaslError("not-authorized")
        client_key = bytes(a ^ b for a, b in zip(proof, signature, strict=True))
        good = hmac.compare_digest(hashlib.sha256(client_key).digest(), verifier.stored_key)
        good &= hmac.compare_digest(binding, self._binding)
        good &= hmac.compare_digest(fields[1][2:], self._nonce)
        if not good:
            raise SaslError("not-authorized")
        server_signature = hmac.digest(verifier.server_key, message, "sha256")
        return Success(self.user, b"v=" + base64.b64encode(server_signature))


def exchange_for(mechanism: str, domain: str, bindings: ChannelBindings) -> Exchange:
    """The exchange of a mechanism by name. Raises SaslError (invalid-mechanism)."""
    if mechanism == PLAIN:
        return PlainExchange(domain)
    if mechanism == TOKEN:
        return TokenExchange(domain)
    if mechanism == BEARER:
        return BearerExchange(domain, SCOPE)
    if mechanism in {SCRAM, SCRAM_PLUS}:
        return ScramExchange(domain, plus=mechanism == SCRAM_PLUS, bindings=bindings)
    raise SaslError("invalid-mechanism")


def fake_verifier(user: str, secret: bytes, iterations: int) -> Verifier:
    """A verifier that fits no password but is always the same for a name, so that unknown users look like others."""
    salt = hmac.digest(secret, b"salt " + user.encode(), "sha256")[:16]
    return Verifier(salt, iterations, secrets.token_bytes(32), secrets.token_bytes(32))


def make_verifier(password: str, salt: bytes, iterations: int) -> Verifier:
    """The verifier of a password (RFC 5802 section 3). Slow on purpose: call it off the loop."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    return Verifier(salt, iterations, hashlib.sha256(client_key).digest(), server_key)


def decode_base64(text: str | None) -> bytes | None:
    """The content of ``auth`` or ``response``: None for nothing, ``=`` means empty (RFC 6120 section 6.4.2).

    Raises SaslError (incorrect-encoding).
    """
    stripped = (text or "").strip()
    if not stripped:
        return None
    if stripped == "=":
        return b""
    if len(stripped) > _LARGEST_TEXT:
        raise SaslError("malformed-request")
    try:
        return base64.b64decode(stripped, validate=True)
    except (binascii.Error, ValueError):
        raise SaslError("incorrect-encoding") from None


def _decoded(data: bytes) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise SaslError("malformed-request") from None


def _text(data: bytes) -> str:
    if len(data) > _LARGEST_MESSAGE:
        raise SaslError("malformed-request")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise SaslError("malformed-request") from None


def _unescaped(name: bytes) -> str:
    """A saslname: ``=2C`` and ``=3D`` stand for comma and equals sign, and no other ``=`` may occur."""
    text = _text(name)
    plain = text.replace("=2C", ",").replace("=3D", "\0")
    if "=" in plain or len(text) > _LARGEST_NAME or "\0" in text:
        raise SaslError("malformed-request")
    return plain.replace("\0", "=")


def _refuse() -> str:
    raise SaslError("not-authorized")
