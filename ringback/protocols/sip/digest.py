"""Digest authentication, both sides (RFC 3261 section 22, RFC 7616, RFC 8760).

The server holds HA1, never the password. Its nonces carry their time and a keyed hash, so that nothing is kept for
those who only ask; a nonce that was used well is remembered with the counts it was used with, so that nothing can be
sent again by somebody who listened. The digest's own URI is what is hashed and is not compared with the Request-URI:
proxies change the latter, and a captured answer is worthless anyway once its count was seen.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import os
import re
import secrets
import struct
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final
from urllib.parse import unquote as percent_decoded

from msgspec import Struct
from msgspec.structs import replace

from ringback.protocols.sip.errors import MalformedMessage, SipError
from ringback.protocols.sip.lexical import quote, unquote

LIFETIME: Final = 300.0  # seconds a nonce is good for
REMEMBERED: Final = 50_000  # nonces in use, the longest unused are forgotten first and are stale then
WINDOW: Final = 64  # how far behind the highest count a late request may be

_PARAM: Final = re.compile(
    r'[ \t]*([A-Za-z0-9*_.-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))[ \t]*(?:,|\Z)', re.DOTALL
)
_NAMES: Final = ("username", "realm", "nonce", "uri", "response", "algorithm", "cnonce", "nc", "qop", "opaque", "stale")
_USUAL: Final[dict[str, str]] = {f"{blank}{name}": name for name in _NAMES for blank in ("", " ")}
_USUAL_TOKENS: Final = frozenset({"auth-int", "SHA-256", "SHA-512-256", "MD5-sess", "SHA-256-sess"})
_STAMP: Final = struct.Struct(">Q12s")  # milliseconds, noise
_MAC_SIZE: Final = 16
_PLACE: Final = "\0"
_POOL: Final = 1536  # bytes


class Algorithm(Enum):
    """A digest algorithm by its name in headers (RFC 8760 section 2.2)."""

    MD5 = "MD5"
    SHA_256 = "SHA-256"
    SHA_512_256 = "SHA-512-256"

    def digest(self, text: str) -> str:
        """The hash of a text as hex."""
        data = text.encode("utf-8", "surrogateescape")
        if self is _MD5:  # what nearly all phones use; looking an algorithm up costs as much as the hash
            return hashlib.md5(data, usedforsecurity=False).hexdigest()
        return _HASHES[self](data).hexdigest()


_MD5: Final = Algorithm.MD5


def _sha512_256(data: bytes) -> hashlib._Hash:
    return hashlib.new("sha512_256", data)


def _md5(data: bytes) -> hashlib._Hash:
    return hashlib.md5(data, usedforsecurity=False)


_HASHES: Final[dict[Algorithm, Callable[[bytes], hashlib._Hash]]] = {
    Algorithm.MD5: _md5,
    Algorithm.SHA_256: hashlib.sha256,
    Algorithm.SHA_512_256: _sha512_256,
}
_BY_NAME: Final = {algorithm.value.lower(): algorithm for algorithm in Algorithm}

STRONGEST_FIRST: Final[tuple[Algorithm, ...]] = tuple(
    algorithm
    for algorithm in (Algorithm.SHA_512_256, Algorithm.SHA_256, Algorithm.MD5)
    if algorithm is not Algorithm.SHA_512_256 or "sha512_256" in hashlib.algorithms_available
)
"""What this machine's library can do (SHA-512/256 is an option of OpenSSL)."""


class DigestError(SipError):
    """The client cannot answer a challenge; the message says why."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client knows: user name and password, for one realm or, where ``realm`` is empty, for any that asks."""

    username: str
    password: str = field(default="", repr=False)
    realm: str = ""


@dataclass(frozen=True, slots=True)
class Challenge:
    """One WWW-Authenticate or Proxy-Authenticate value. ``algorithm`` is None where we do not know it."""

    realm: str
    nonce: str
    algorithm: Algorithm | None = Algorithm.MD5
    session: bool = False
    qop: tuple[str, ...] = ("auth",)
    opaque: str | None = None
    stale: bool = False
    proxy: bool = False

    @classmethod
    def parse(cls, text: str, *, proxy: bool = False) -> Challenge:
        """Read ``Digest realm="...", nonce="..."``. Raises MalformedMessage."""
        params = _read(text)
        if "realm" not in params or "nonce" not in params:
            raise MalformedMessage(400, "A challenge has no realm or no nonce")
        algorithm, session = _algorithm(params.get("algorithm", "MD5"))
        return cls(
            params["realm"],
            params["nonce"],
            algorithm,
            session,
            tuple(part.strip().lower() for part in params.get("qop", "").split(",") if part.strip()),
            params.get("opaque"),
            params.get("stale", "").lower() == "true",
            proxy,
        )

    def __str__(self) -> str:
        text = f"Digest realm={quote(self.realm)}, nonce={quote(self.nonce)}"
        if self.opaque is not None:
            text += f", opaque={quote(self.opaque)}"
        if self.algorithm is not None:
            text += f", algorithm={self.algorithm.value}" + ("-sess" if self.session else "")
        if self.qop:
            text += f', qop="{",".join(self.qop)}"'
        return f"{text}, stale=true" if self.stale else text


class Answer(Struct, frozen=True):
    """One Authorization or Proxy-Authorization value. ``nc`` and ``cnonce`` are empty where there is no ``qop``."""

    username: str
    realm: str
    nonce: str
    uri: str
    response: str
    algorithm: Algorithm | None = Algorithm.MD5
    session: bool = False
    qop: str = ""
    cnonce: str = ""
    nc: str = ""
    opaque: str | None = None

    @classmethod
    def parse(cls, text: str) -> Answer:
        """Read ``Digest username="...", ...``. Raises MalformedMessage."""
        params = _read(text)
        username = params.get("username")
        if username is None:
            username = _extended(params.get("username*"))
        try:
            realm, nonce, uri, response = (params[name] for name in ("realm", "nonce", "uri", "response"))
        except KeyError as error:
            raise MalformedMessage(400, f"Credentials without {error.args[0]}") from None
        algorithm, session = _algorithm(params.get("algorithm", "MD5"))
        return cls(
            username,
            realm,
            nonce,
            uri,
            response.lower(),
            algorithm,
            session,
            params.get("qop", "").lower(),
            params.get("cnonce", ""),
            params.get("nc", ""),
            params.get("opaque"),
        )

    @property
    def count(self) -> int:
        """The nonce count; 0 where it is not eight hex digits."""
        try:
            return int(self.nc, 16) if len(self.nc) == 8 and self.nc.isascii() and self.nc.isalnum() else 0
        except ValueError:
            return 0

    def expected(self, method: str, ha1: str, body: bytes = b"") -> str:
        """The response that fits these fields. Raises DigestError where the algorithm or qop is unknown."""
        if self.algorithm is None:
            raise DigestError("the algorithm is not known")
        digest = self.algorithm.digest
        if self.session:
            ha1 = digest(f"{ha1}:{self.nonce}:{self.cnonce}")
        if self.qop == "auth-int":
            inner = _HASHES[self.algorithm](body).hexdigest()
            ha2 = digest(f"{method}:{self.uri}:{inner}")
        elif self.qop in ("", "auth"):
            ha2 = digest(f"{method}:{self.uri}")
        else:
            raise DigestError("the quality of protection is not known")
        middle = f":{self.nc}:{self.cnonce}:{self.qop}" if self.qop else ""
        return digest(f"{ha1}:{self.nonce}{middle}:{ha2}")

    def __str__(self) -> str:
        text = (
            f"Digest username={quote(self.username)}, realm={quote(self.realm)}, nonce={quote(self.nonce)}, "
            f'uri={quote(self.uri)}, response="{self.response}"'
        )
        if self.algorithm is not None:
            text += f", algorithm={self.algorithm.value}" + ("-sess" if self.session else "")
        if self.cnonce:
            text += f", cnonce={quote(self.cnonce)}"
        if self.opaque is not None:
            text += f", opaque={quote(self.opaque)}"
        return f"{text}, qop={self.qop}, nc={self.nc}" if self.qop else text


class Verdict(Enum):
    """What a server thinks of an answer."""

    GOOD = "good"
    STALE = "stale"
    """The secret is right and the nonce is too old, not ours, or its count was seen: challenge again with stale."""
    WRONG = "wrong"


def ha1(username: str, realm: str, password: str, algorithm: Algorithm) -> str:
    """What a server keeps in place of a password: the hash of user, realm and password, as hex."""
    return algorithm.digest(f"{username}:{realm}:{password}")


class Noise:
    """Random bytes, of which the system is asked for 1,536 at a time: each question costs more than what it gives."""

    __slots__ = ("_pool", "_used")

    def __init__(self) -> None:
        self._pool = b""
        self._used = 0

    def __call__(self, size: int) -> bytes:
        """That many of them, never the same ones again."""
        used = self._used
        if used + size > len(self._pool):
            self._pool = os.urandom(max(size, _POOL))
            used = 0
        self._used = used + size
        return self._pool[used : used + size]


class Guard:
    """The server's side for one realm. Times are Unix seconds, so that nodes with the same key accept each other's."""

    def __init__(
        self,
        realm: str,
        key: bytes,
        *,
        algorithms: Sequence[Algorithm] = (Algorithm.SHA_256, Algorithm.MD5),
        lifetime: float = LIFETIME,
        remembered: int = REMEMBERED,
        noise: Callable[[int], bytes] | None = None,
    ) -> None:
        """``key`` signs the nonces (32 bytes or more of randomness); the first algorithm is the one preferred.
        ``noise`` gives that many random bytes."""
        self.realm = realm
        self.algorithms = tuple(algorithms)
        self._mac_key = key if len(key) <= hashlib.blake2b.MAX_KEY_SIZE else hashlib.sha512(key).digest()
        self._salt = realm.encode("utf-8", "surrogateescape")
        self._lifetime = lifetime
        self._remembered = remembered
        self._noise = noise or Noise()
        self._challenges = {
            stale: [str(Challenge(realm, _PLACE, each, stale=stale)).rsplit(_PLACE, 1) for each in self.algorithms]
            for stale in (False, True)
        }  # all but the nonce is always the same
        self._used: OrderedDict[str, tuple[int, int]] = OrderedDict()  # nonce: highest count, bits of those before it

    def challenges(self, now: float, *, stale: bool = False) -> list[str]:
        """Values of WWW-Authenticate or Proxy-Authenticate, a line for each, the preferred one first (RFC 8760)."""
        nonce = self._nonce(now)
        return [f"{before}{nonce}{behind}" for before, behind in self._challenges[stale]]

    def answer(self, values: Iterable[str]) -> Answer | None:
        """The answer for our realm among the values of Authorization or Proxy-Authorization; None where absent.

        Raises MalformedMessage.
        """
        for value in values:
            if value[:7].lower() == "digest ":
                answer = Answer.parse(value)
                if answer.realm == self.realm:
                    return answer
        return None

    def verify(self, answer: Answer, method: str, ha1: str | None, now: float, body: bytes = b"") -> Verdict:
        """Judge an answer. ``ha1`` is the one of its user, our realm and its algorithm; None: no such user."""
        if answer.algorithm not in self.algorithms or answer.realm != self.realm:
            return Verdict.WRONG
        if answer.qop not in ("auth", "auth-int") or not answer.cnonce or not answer.count:
            return Verdict.WRONG
        expected = answer.expected(method, ha1 or "0", body)
        equal = hmac.compare_digest(expected.encode(), answer.response.encode("utf-8", "surrogateescape"))
        if not equal or not ha1:
            return Verdict.WRONG
        return Verdict.GOOD if self._fresh(answer.nonce, now) and self._count(answer) else Verdict.STALE

    def _nonce(self, now: float) -> str:
        stamp = _STAMP.pack(max(int(now * 1000), 0), self._noise(12))
        return binascii.b2a_base64(stamp + self._mac(stamp), newline=False).decode()

    def _mac(self, stamp: bytes) -> bytes:
        return hashlib.blake2b(stamp + self._salt, key=self._mac_key, digest_size=_MAC_SIZE).digest()

    def _fresh(self, nonce: str, now: float) -> bool:
        try:
            data = binascii.a2b_base64(nonce.encode("ascii"), strict_mode=True)
        except (binascii.Error, ValueError):
            return False
        stamp, mac = data[: _STAMP.size], data[_STAMP.size :]
        if len(stamp) != _STAMP.size or not hmac.compare_digest(mac, self._mac(stamp)):
            return False
        age: float = now - _STAMP.unpack(stamp)[0] / 1000
        return -5 <= age <= self._lifetime  # nodes' clocks may differ a little

    def _count(self, answer: Answer) -> bool:
        """Whether the count was not seen before with this nonce (RFC 7616 section 3.4.5)."""
        count = answer.count
        highest, seen = self._used.get(answer.nonce, (0, 0))
        if count > highest:
            seen = ((seen << (count - highest)) | 1) & (2**WINDOW - 1) if count - highest < WINDOW else 1
            highest = count
        else:
            bit = 1 << (highest - count)
            if highest - count >= WINDOW or seen & bit:
                return False
            seen |= bit
        self._used[answer.nonce] = (highest, seen)
        self._used.move_to_end(answer.nonce)
        if len(self._used) > self._remembered:
            self._used.popitem(last=False)
        return True


class Answerer:
    """The client's side: answers challenges, and goes on counting with the last nonce of each realm."""

    def __init__(self, credentials: Iterable[Credentials], *, noise: Callable[[int], str] = secrets.token_hex) -> None:
        """Of several credentials, the one named after the realm goes before the one for any."""
        self._credentials = tuple(credentials)
        self._noise = noise
        self._last: dict[tuple[str, bool], tuple[Challenge, int]] = {}

    def learn(self, challenges: Iterable[Challenge]) -> list[Challenge]:
        """Take the challenges of a 401 or 407: the strongest of each realm that we have credentials for.

        Gives those that are new; an empty list means that a further try would only repeat the answer refused.
        """
        best: dict[tuple[str, bool], Challenge] = {}
        for challenge in challenges:
            place = (challenge.realm, challenge.proxy)
            if not self._usable(challenge):
                continue
            held = best.get(place)
            if held is None or _strength(challenge) < _strength(held):
                best[place] = challenge
        fresh = []
        for place, challenge in best.items():
            last = self._last.get(place)
            if last is not None and last[1] > 0 and not challenge.stale and last[0].nonce == challenge.nonce:
                continue
            self._last[place] = (challenge, 0)
            fresh.append(challenge)
        return fresh

    def headers(self, method: str, uri: str, body: bytes = b"") -> list[tuple[str, str]]:
        """Authorization and Proxy-Authorization headers for a request, for each realm learnt. Raises DigestError."""
        rows = []
        for (_realm, proxy), (challenge, count) in list(self._last.items()):
            name = "Proxy-Authorization" if proxy else "Authorization"
            rows.append((name, str(self._answer(challenge, count + 1, method, uri, body))))
            self._last[challenge.realm, proxy] = (challenge, count + 1)
        return rows

    def _usable(self, challenge: Challenge) -> bool:
        known = challenge.algorithm in STRONGEST_FIRST
        protected = not challenge.qop or "auth" in challenge.qop or "auth-int" in challenge.qop
        return known and protected and self._for(challenge.realm) is not None

    def _for(self, realm: str) -> Credentials | None:
        exact = (each for each in self._credentials if each.realm == realm)
        anywhere = (each for each in self._credentials if not each.realm)
        return next(exact, None) or next(anywhere, None)

    def _answer(self, challenge: Challenge, count: int, method: str, uri: str, body: bytes) -> Answer:
        credentials, algorithm = self._for(challenge.realm), challenge.algorithm
        if credentials is None or algorithm is None:
            raise DigestError(f"there are no credentials for {challenge.realm}")
        qop = "auth" if "auth" in challenge.qop else "auth-int" if challenge.qop else ""
        cnonce = self._noise(8) if qop or challenge.session else ""
        answer = Answer(
            credentials.username,
            challenge.realm,
            challenge.nonce,
            uri,
            "",
            algorithm,
            challenge.session,
            qop,
            cnonce,
            f"{count:08x}" if qop else "",
            challenge.opaque,
        )
        secret = ha1(credentials.username, challenge.realm, credentials.password, algorithm)
        return replace(answer, response=answer.expected(method, secret, body))


def challenges_of(www: Iterable[str], proxy: Iterable[str]) -> list[Challenge]:
    """The digest challenges of a response, from WWW-Authenticate and Proxy-Authenticate values; others are left out."""
    found = []
    for values, is_proxy in ((www, False), (proxy, True)):
        for value in values:
            if value[:7].lower() == "digest ":
                found.append(Challenge.parse(value, proxy=is_proxy))
    return found


def _strength(challenge: Challenge) -> int:
    return STRONGEST_FIRST.index(challenge.algorithm) if challenge.algorithm in STRONGEST_FIRST else 99


def _algorithm(text: str) -> tuple[Algorithm | None, bool]:
    name = text.lower()
    session = name.endswith("-sess")
    return _BY_NAME.get(name.removesuffix("-sess")), session


def _read(text: str) -> dict[str, str]:
    """The parameters behind ``Digest``, by lower-case name. Raises MalformedMessage where one comes twice."""
    if text[:7].lower() != "digest ":
        raise MalformedMessage(400, "The authentication scheme is not Digest")
    params = _read_usual(text)
    return _read_any(text) if params is None else params


def _read_any(text: str) -> dict[str, str]:
    params: dict[str, str] = {}
    position = 7
    end = len(text)
    while position < end:
        found = _PARAM.match(text, position)
        if found is None:
            if text[position:].strip(" \t,"):
                raise MalformedMessage(400, "The authentication parameters cannot be read")
            break
        name, quoted, token = found.groups()
        name = name.lower()
        if name in params:
            raise MalformedMessage(400, f"The authentication parameter {name[:40]} comes twice")
        params[name] = token if quoted is None else unquote(f'"{quoted}"') if "\\" in quoted else quoted
        position = found.end()
    return params


def _read_usual(text: str) -> dict[str, str] | None:
    """The same of nearly all values in a tenth of the time: known names in lower case, nothing escaped, no comma in
    quotes. None where only the full reading can tell."""
    if "\\" in text:
        return None
    params: dict[str, str] = {}
    for part in text[7:].split(","):
        equals = part.find("=")
        name = _USUAL.get(part[:equals]) if equals > 0 else None
        if name is None or name in params:
            return None
        value = part[equals + 1 :]
        if value[:1] == '"':
            if len(value) < 2 or value.find('"', 1) != len(value) - 1:
                return None
            value = value[1:-1]
        elif value not in _USUAL_TOKENS and not value.isalnum():
            return None
        params[name] = value
    return params


def _extended(text: str | None) -> str:
    """The user name of ``username*`` (RFC 7616 section 3.4, RFC 5987). Raises MalformedMessage where there is none."""
    charset, mark, rest = (text or "").partition("''")
    if not mark or charset.lower() != "utf-8":
        raise MalformedMessage(400, "Credentials without username")
    return percent_decoded(rest, errors="replace")
