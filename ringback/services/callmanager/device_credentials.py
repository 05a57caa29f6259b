"""What devices sign in to SIP with.

A softphone's secret is derived from a key that the nodes of the cluster share, so nothing is stored for it and any node
can check it. The person whose device it is gets it from the user data service. It changes whenever the person is
revoked, so that nobody goes on registering with one that was fetched before. A plain phone has a password of its own in
the deployment file; its digest hashes are stored.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ringback.protocols.device_config import DeviceKind
from ringback.services.callmanager.settings import CallSettings, DeviceRecord
from ringback.storage.callmanager.call_rows import DigestHashes, Phone

_PURPOSE = b"ringback sip credential\0"
_SOFTPHONES = frozenset({DeviceKind.DESKTOP, DeviceKind.ANDROID, DeviceKind.IPHONE, DeviceKind.TABLET})


@dataclass(frozen=True, slots=True)
class SipCredential:
    """What a softphone signs in with: user, realm and secret of digest authentication (RFC 7616)."""

    user: str
    realm: str
    secret: str


def is_softphone(name: str) -> bool:
    """Whether a device of this name belongs to a person's client, which gets its secret by signing in."""
    return DeviceKind.of(name) in _SOFTPHONES


def derive_secret(key: bytes, device: str, revoked_at: float = 0.0) -> str:
    """The secret of a device: HMAC-SHA-256 of its name, and of the time (Unix seconds) when its person was revoked
    last, under the cluster's key, in URL-safe letters."""
    since = b"\0%d" % round(revoked_at * 1000) if revoked_at else b""
    octets = hmac.digest(key, _PURPOSE + device.encode() + since, "sha256")
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")


def credential_of(device: str, calls: CallSettings | None, revoked_at: float = 0.0) -> SipCredential | None:
    """What a softphone signs in with; None for other devices, and where the cluster carries no calls."""
    if calls is None or not calls.credential_key or not is_softphone(device):
        return None
    return SipCredential(device, calls.domain, derive_secret(calls.credential_key, device, revoked_at))


def hashes(user: str, realm: str, password: str) -> DigestHashes:
    """HA1 in all algorithms (RFC 7616 section 3.4.2)."""
    text = f"{user}:{realm}:{password}".encode()
    return DigestHashes(
        user=user,
        realm=realm,
        md5=hashlib.md5(text, usedforsecurity=False).hexdigest(),
        sha256=hashlib.sha256(text).hexdigest(),
        sha512_256=hashlib.new("sha512_256", text).hexdigest(),
    )


def never_revoked(_user: str) -> float:
    """Where nobody is revoked, because the cluster gives no tokens."""
    return 0.0


def deriver(
    calls: CallSettings, revoked_at: Callable[[str], float] = never_revoked
) -> Callable[[Phone], DigestHashes | None]:
    """The function that makes the hashes of a softphone when they are first asked for. ``revoked_at``: when a person
    (folded user id) was revoked last."""

    def derive(phone: Phone) -> DigestHashes | None:
        credential = credential_of(phone.name, calls, revoked_at(phone.owner))
        if credential is None or phone.user != credential.user:
            return None
        return hashes(credential.user, credential.realm, credential.secret)

    return derive


def stored_hashes(devices: tuple[DeviceRecord, ...], realm: str) -> Iterator[DigestHashes]:
    """The hashes to store: of all devices with a password."""
    for device in devices:
        if device.password:
            yield hashes(device.user or device.name, realm, device.password)
