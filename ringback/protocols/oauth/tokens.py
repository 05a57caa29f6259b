"""Self-contained tokens of a call manager cluster: signed for everybody to check, encrypted for the services to read.

An access token is a JWS (RS256) whose payload is ``{"private": <JWE>}``; the JWE (``dir``, A128CBC-HS256) holds the
claims. A refresh token is a JWS with plain claims. Header fields and outer claims are as seen on real servers; the
inner claims of the access token are not public and chosen here: ``iss``, ``sub`` (user id), ``exp``, ``iat``, ``tid``
(the id of the sign-in: the same in its refresh token and all its access tokens), ``ccid`` (client id), ``scope``. Keys
belong to the cluster; their id is ``<cluster uuid>:<SHA-256 of the public key, hexadecimal>``.

What was taken back before its time stands in the same document as the keys, so a service that fetches it knows both.

Times are Unix seconds and arguments. A token that lacks any claim, names another algorithm, key or issuer is refused.
"""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from joserfc import jwe, jws
from joserfc.errors import JoseError
from joserfc.jwk import GuestProtocol, OctKey, RSAKey

Kind = Literal["access", "refresh"]
SCOPE = "UnifiedCommunications:readwrite"
_SIGNED, _ENCRYPTED = "RS256", "A128CBC-HS256"
_KEY_BYTES = 32
_RSA_BITS = 2048
_SIZE_LIMIT = 8192
_Key = TypeVar("_Key", RSAKey, OctKey)
_Content = TypeVar("_Content", bound=msgspec.Struct)
UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What reading JSON raises for octets that are none, have bad UTF-8 in a text, or are nested without end."""

_LEEWAY = 60.0  # seconds that the clocks of two nodes may differ


class TokenError(ValueError):
    """A token is not to be believed; the message says why, never what is in it."""


class TokenExpiredError(TokenError):
    """A token was good and is over: not an attack, the client only has to fetch another."""


Refusal = Literal["revoked", "deactivated"]
_REFUSED: dict[Refusal, str] = {
    "revoked": "The token was revoked; its person has to sign in again",
    "deactivated": "The person of this token is deactivated",
}


class TokenRevokedError(TokenError):
    """A token was good and was taken back. ``why``: it was revoked, or its person is deactivated."""

    def __init__(self, why: Refusal) -> None:
        super().__init__(_REFUSED[why])
        self.why: Refusal = why


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says: whose it is, of which cluster, for which client, until when (``expires``, Unix seconds).

    ``token_id`` is the id of the sign-in that gave it."""

    user: str
    cluster: str
    client: str
    token_id: str
    issued: float
    expires: float
    scope: str = SCOPE


class _Inner(msgspec.Struct, frozen=True, kw_only=True):
    iss: str
    sub: str
    exp: float
    iat: float
    tid: str
    ccid: str
    scope: str


class _Refresh(msgspec.Struct, frozen=True, kw_only=True):
    iss: str
    sub: str
    exp: float
    iat: float
    tid: str
    ccid: str
    typ: Literal["user"]
    ctyp: Literal["refresh"]


class _Envelope(msgspec.Struct, frozen=True, kw_only=True):
    private: str


class Revocation(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of a person (folded user id) issued at ``before`` (Unix seconds) or earlier are worth nothing; where a
    ``client`` is named, only those of that client."""

    user: str
    before: float
    client: str = ""


class TakenBack(msgspec.Struct, frozen=True, kw_only=True):
    """What a cluster took back before its time.

    Tokens issued before ``valid_from``, those that a revocation names, those of sign-ins that ``ended``, and all of
    people who are ``deactivated`` (folded user ids), who may not sign in by any other way either.
    """

    valid_from: float = 0.0
    revoked: tuple[Revocation, ...] = ()
    ended: frozenset[str] = frozenset()
    deactivated: frozenset[str] = frozenset()

    def refuses(self, user: str, issued: float, client: str = "", token_id: str = "") -> Refusal | None:
        """Why a token of this person, issued then, or a session that began with it, has to end; None: it may stay."""
        if user in self.deactivated:
            return "deactivated"
        if issued < self.valid_from or token_id in self.ended:
            return "revoked"
        for one in self.revoked:
            if one.user == user and issued <= one.before and one.client in ("", client):
                return "revoked"
        return None


NOTHING_TAKEN_BACK = TakenBack()


class _Published(TakenBack, frozen=True, kw_only=True):
    """The key document between nodes and services: signing keys are public ones, encryption keys are secret."""

    cluster: str
    signing: dict[str, str]
    encryption: dict[str, str] = {}

    @property
    def taken_back(self) -> TakenBack:
        """That part alone: it may be shown, the keys may not."""
        return TakenBack(**{name: getattr(self, name) for name in TakenBack.__struct_fields__})


@dataclass(frozen=True, slots=True)
class IssuerKeys:
    """All that a call manager needs to give tokens: its cluster's id, the private signing and the encryption key."""

    cluster: str
    signing: RSAKey = field(repr=False)
    encryption: OctKey = field(repr=False)
    signing_id: str
    encryption_id: str

    @classmethod
    def generate(cls, cluster: str = "") -> IssuerKeys:
        """New keys, for a new cluster where none is named."""
        pem = RSAKey.generate_key(_RSA_BITS).as_pem(private=True)
        return cls.of(cluster or str(uuid.uuid4()), pem, secrets.token_bytes(_KEY_BYTES))

    @classmethod
    def of(cls, cluster: str, signing_pem: bytes, encryption: bytes) -> IssuerKeys:
        """Keys as they are kept. Raises TokenError where they are none."""
        try:
            private, secret = RSAKey.import_key(signing_pem), OctKey.import_key(encryption)
        except (JoseError, UnsupportedAlgorithm, ValueError) as error:
            raise TokenError("The signing or the encryption key can't be read") from error
        if len(encryption) != _KEY_BYTES:
            raise TokenError(f"The encryption key must have {_KEY_BYTES} bytes")
        public = private.as_pem(private=False)
        hidden = hashlib.sha256(encryption).digest()  # the id tells nothing of the key itself
        return cls(cluster, private, secret, _key_id(cluster, public), _key_id(cluster, hidden))

    def with_new(self, *, signing: bool = False, encryption: bool = False) -> IssuerKeys:
        """Regenerated keys: every token that the old ones made is worth nothing from now on."""
        new = IssuerKeys.generate(self.cluster)
        kept_signing = new.signing if signing else self.signing
        kept_encryption = new.encryption if encryption else self.encryption
        return IssuerKeys.of(self.cluster, kept_signing.as_pem(private=True), kept_encryption.raw_value)

    def published(self, *, encryption: bool, taken_back: TakenBack = NOTHING_TAKEN_BACK) -> bytes:
        """The key document for other services; ``encryption``: for those that may read access tokens too.

        The same keys and the same taken back make the same bytes.
        """
        public = self.signing.as_pem(private=False).decode()
        secret = {self.encryption_id: self.encryption.raw_value.hex()} if encryption else {}
        document = _Published(
            cluster=self.cluster, signing={self.signing_id: public}, encryption=secret,
            valid_from=taken_back.valid_from, revoked=taken_back.revoked, ended=taken_back.ended,
            deactivated=taken_back.deactivated,
        )  # fmt: skip
        return msgspec.json.encode(document, order="deterministic")


@dataclass(frozen=True, slots=True)
class CheckingKeys:
    """What a service needs to check tokens by itself, of one cluster or several: keys by id, taken back by cluster."""

    signing: Mapping[str, RSAKey]
    encryption: Mapping[str, OctKey] = field(repr=False)
    clusters: frozenset[str]
    taken_back: Mapping[str, TakenBack] = field(default_factory=dict)

    @classmethod
    def parse(cls, documents: Sequence[bytes]) -> CheckingKeys:
        """Key documents of clusters. Raises TokenError."""
        signing: dict[str, RSAKey] = {}
        encryption: dict[str, OctKey] = {}
        taken_back: dict[str, TakenBack] = {}
        for document in documents:
            try:
                read = msgspec.json.decode(document, type=_Published)
                taken_back[read.cluster] = read.taken_back
                signing |= {name: RSAKey.import_key(pem) for name, pem in read.signing.items()}
                encryption |= {name: OctKey.import_key(bytes.fromhex(text)) for name, text in read.encryption.items()}
            except (*UNREADABLE, JoseError, UnsupportedAlgorithm, ValueError) as error:
                raise TokenError("A key document can't be read") from error
        return cls(signing, encryption, frozenset(taken_back), taken_back)

    def refuses(
        self, user: str, issued: float, client: str = "", token_id: str = "", cluster: str = ""
    ) -> Refusal | None:
        """As ``TakenBack.refuses``, by the cluster that gave the token or, where none is named, by any of them."""
        chosen = self.taken_back.values() if not cluster else filter(None, [self.taken_back.get(cluster)])
        return next(filter(None, (one.refuses(user, issued, client, token_id) for one in chosen)), None)


def issue_access(keys: IssuerKeys, claims: Claims) -> str:
    """An access token with these claims."""
    inner = _Inner(
        iss=claims.cluster, sub=claims.user, exp=claims.expires, iat=claims.issued, tid=claims.token_id,
        ccid=claims.client, scope=claims.scope,
    )  # fmt: skip
    header = {"alg": "dir", "cty": "JWT", "enc": _ENCRYPTED, "kid": keys.encryption_id}
    private = jwe.encrypt_compact(header, msgspec.json.encode(inner), keys.encryption, algorithms=["dir", _ENCRYPTED])
    return _sign(keys, msgspec.json.encode(_Envelope(private=private)))


def issue_refresh(keys: IssuerKeys, claims: Claims) -> str:
    """A refresh token with these claims."""
    content = _Refresh(
        iss=claims.cluster, sub=claims.user, exp=claims.expires, iat=claims.issued, tid=claims.token_id,
        ccid=claims.client, typ="user", ctyp="refresh",
    )  # fmt: skip
    return _sign(keys, msgspec.json.encode(content))


def check_access(keys: CheckingKeys, token: str, now: float) -> Claims:
    """What an access token says, if it can be believed now. Raises TokenError, TokenExpiredError, TokenRevokedError."""
    envelope = _decode(_verified(keys, token), _Envelope)
    try:
        opened = jwe.decrypt_compact(envelope.private, _picked(keys.encryption), algorithms=["dir", _ENCRYPTED])
    except TokenError:
        raise
    except (JoseError, ValueError) as error:
        raise TokenError("The token can't be decrypted with the keys known here") from error
    inner = _decode(opened.plaintext or b"", _Inner)
    return _timely(keys, Claims(inner.sub, inner.iss, inner.ccid, inner.tid, inner.iat, inner.exp, inner.scope), now)


def check_refresh(keys: CheckingKeys, token: str, now: float) -> Claims:
    """What a refresh token says, if it can be believed now. Raises TokenError, TokenExpiredError, TokenRevokedError."""
    inner = _decode(_verified(keys, token), _Refresh)
    return _timely(keys, Claims(inner.sub, inner.iss, inner.ccid, inner.tid, inner.iat, inner.exp), now)


def _key_id(cluster: str, material: bytes) -> str:
    return f"{cluster}:{hashlib.sha256(material).hexdigest()}"


def _sign(keys: IssuerKeys, payload: bytes) -> str:
    header = {"alg": _SIGNED, "typ": "JWT", "kid": keys.signing_id}
    return jws.serialize_compact(header, payload, keys.signing, algorithms=[_SIGNED])


def _verified(keys: CheckingKeys, token: str) -> bytes:
    if len(token) > _SIZE_LIMIT or not token.isascii():
        raise TokenError("This is not a token of ours")
    try:
        return jws.deserialize_compact(token, _picked(keys.signing), algorithms=[_SIGNED]).payload
    except TokenError:
        raise
    except (JoseError, ValueError) as error:
        raise TokenError("The token's signature is not of a key known here") from error


def _picked(keys: Mapping[str, _Key]) -> Callable[[GuestProtocol], _Key]:
    """Picks the key that a header names. Raises TokenError: a token without a key's name, or of an unknown one."""

    def pick(guest: GuestProtocol) -> _Key:
        key = keys.get(str(guest.headers().get("kid", "")))
        if key is None:
            raise TokenError("The token names no key that is known here")
        return key

    return pick


def _decode(data: bytes, kind: type[_Content]) -> _Content:
    try:
        return msgspec.json.decode(data, type=kind)
    except UNREADABLE as error:
        raise TokenError("The token does not hold what it should") from error


def _timely(keys: CheckingKeys, claims: Claims, now: float) -> Claims:
    if claims.cluster not in keys.clusters or not claims.user or not claims.token_id:
        raise TokenError("The token is of another cluster, or of nobody")
    if claims.issued > now + _LEEWAY:
        raise TokenError("The token was issued in the future; are the clocks of the nodes right?")
    if claims.expires <= now:
        raise TokenExpiredError("The token is over; a new one is needed")
    if why := keys.refuses(claims.user, claims.issued, claims.client, claims.token_id, claims.cluster):
        raise TokenRevokedError(why)
    return claims
