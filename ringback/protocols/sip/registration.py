"""Registering with the first of several registrars that answers, and staying so (RFC 3261 section 10, RFC 5626)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ringback.protocols.sip.flows import Content, Flow, Target
from ringback.protocols.sip.settings import Credential

if TYPE_CHECKING:
    from ringback.rules.reasons import Reason

RegistrationState = Literal["off", "connecting", "registered", "waiting", "refused"]


@dataclass(frozen=True, slots=True)
class Registrar:
    """A server to register with: where it is, and the domain for the Request-URI (``sip:domain``)."""

    target: Target
    domain: str


@dataclass(frozen=True, slots=True)
class RegistrationSettings:
    """What to register.

    ``user``: the address of record's user part (directory number); ``display``: name for From. ``registrars`` in order of
    preference: the first is returned to after ``return_after`` seconds of answering again. ``expires``: seconds asked for;
    what the server grants counts, refreshed ``delta`` seconds early (the device file's timerRegisterDelta) or at half of
    a short one. ``instance``: ``urn:uuid:...`` for +sip.instance; ``reg_id`` 0: no outbound (RFC 5626).
    ``contact_user``: user part of the Contact (empty: ``user``); ``contact_params``: more Contact header parameters with
    their quotes; ``headers``: further header fields of each REGISTER, ``body`` for the first one after connecting.
    ``keep_alive``: seconds between keep-alives: on the flow CRLF or STUN, to a standby registrar the REGISTER with
    ``Expires: 0`` and ``cisco-keep-alive`` where ``standby_keep_alive``. ``retry``: first and longest seconds to wait
    after all registrars failed (doubling, with up to half of it by chance).
    """

    user: str
    registrars: tuple[Registrar, ...]
    credentials: tuple[Credential, ...] = ()
    display: str = ""
    expires: int = 3600
    delta: int = 5
    instance: str = ""
    reg_id: int = 1
    contact_user: str = ""
    contact_params: tuple[tuple[str, str | None], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    body: Content = None
    keep_alive: int = 120
    standby_keep_alive: bool = False
    return_after: int = 120
    retry: tuple[float, float] = (2.0, 120.0)


class Registration:
    """Made by ``Agent.register``. Attributes: ``state``, ``reasons`` (why it is in this state), ``registrar`` (the current
    one), ``flow`` (over which it is registered, for INVITEs), ``expires_at``, ``next_try`` (time of the next attempt while
    "waiting", else None), ``last_response``, ``service_route`` (RFC 3608), ``owner`` of the application."""

    __slots__ = ()

    state: RegistrationState
    reasons: tuple[Reason, ...]
    flow: Flow | None

    def start(self, now: float) -> None:
        """Begin."""
        raise NotImplementedError

    def refresh(self, now: float) -> None:
        """Register again now (after the network changed, or a person asked)."""
        raise NotImplementedError

    def stop(self, now: float) -> None:
        """Unregister (Expires 0) and stay off."""
        raise NotImplementedError
