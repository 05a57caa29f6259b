"""Signing in on the interface between host and page: how far it is, what is asked, and what comes up afterwards.

Where the cluster signs people in elsewhere (``SignIn.asks`` is ``browser``), the page sends ``BeginBrowserSignIn`` and
goes to the address of the answer in the same tab. The browser comes back to ``/signed-in`` of the host, which checks
that it is the same browser, and leads on to ``/``. While somebody is signed in, ``Questions`` tells what waits for the
person; each is asked once, and the services that can do without go on.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

from ringback.client.host.wire_base import Command, Event
from ringback.rules.reasons import Reason
from ringback.rules.trace import Fault

StepState = Literal["todo", "active", "done", "failed"]
Phase = Literal["address", "finding", "credentials", "connecting", "ready", "failed"]
Asks = Literal["password", "browser"]
ChangeEffect = Literal["told", "sign_out", "reset"]


class Step(Struct, frozen=True, kw_only=True):
    """A line of the progress. ``id``: services, home, identity, connecting, ready. ``names``: what is asked."""

    id: str
    state: StepState
    text: Reason
    names: list[str] = field(default_factory=list)
    seconds: float | None = None


class ManualSettings(Struct, frozen=True, kw_only=True):
    """Servers by hand (A9); ``mode`` automatic leaves the rest unused. ``account``: kind of authenticator. ``edge``:
    the company is reached through it, and what its servers are is asked there, whatever else is entered."""

    mode: Literal["automatic", "manual"] = "automatic"
    account: Literal["presence", "callmanager", "messenger", "xmpp"] = "presence"
    presence: str = ""
    call_manager: str = ""
    configuration: str = ""
    voicemail: str = ""
    voice_domain: str = ""
    name_server: str = ""
    internet_protocol: Literal["both", "ipv4", "ipv6"] = "both"
    edge: str = ""


class CertificateBefore(Struct, frozen=True, kw_only=True):
    """What was accepted for this server earlier, where it shows another certificate now."""

    issuer: str
    valid_until: str
    fingerprint: str
    accepted_at: str


class CertificateQuestion(Struct, frozen=True, kw_only=True):
    """A server's certificate that is not trusted, shown for a decision; never accepted unasked.

    ``why``: what is not as it should be, one sentence each. ``service``: which service of the person waits for the
    answer (as in ``Service.id``), empty during the sign-in.
    """

    server: str
    expected: str
    found: list[str]
    issuer: str
    valid_from: str
    valid_until: str
    fingerprint: str
    reason: Reason
    may_accept: bool
    subject: str = ""
    why: list[Reason] = field(default_factory=list)
    before: CertificateBefore | None = None
    service: str = ""


class SignIn(Struct, frozen=True, kw_only=True):
    """Where the sign-in stands. ``who_asks`` names the host that will check who the person is.

    ``asks``: whether the card asks for the password, or sends the person to ``who_asks`` in the browser, with ``why``
    that is so. ``signed_out``: why the last session ended without the person's own doing. ``user``: the user name that
    was refused with the password outside the company's network, where nobody can be asked for the right one before: the
    card asks for it, too; empty: it does not.
    """

    phase: Phase = "address"
    address: str = ""
    name: str = ""
    steps: list[Step] = field(default_factory=list)
    asks: Asks = "password"
    who_asks: str = ""
    why: list[Reason] = field(default_factory=list)
    signed_out: Reason | None = None
    fault: Fault | None = None
    wrong_password: Reason | None = None
    user: str = ""
    certificate: CertificateQuestion | None = None
    suggestion: str = ""
    known: list[KnownAccount] = field(default_factory=list)
    manual: ManualSettings = field(default_factory=ManualSettings)
    questions: int = 0
    decisions: int = 0
    seconds: float = 0.0


class KnownAccount(Struct, frozen=True, kw_only=True):
    """Somebody who signed in here before. ``remembered``: goes on without a question."""

    address: str
    name: str
    last: str
    remembered: bool = False


# --- while signed in


class SignInAgain(Struct, frozen=True, kw_only=True):
    """Services wait until the person signed in again; chats and history stay in view.

    ``asks`` and ``who_asks`` as in ``SignIn``. ``services``: which wait (as in ``Service.id``). ``quietly``: the page
    may first try once without a question, by ``BeginBrowserSignIn`` with ``quietly`` while nothing is under way in it:
    the browser may still be signed in at ``who_asks``. ``wrong_password``: the answer of before was refused.
    """

    asks: Asks
    who_asks: str
    reason: Reason
    services: list[str] = field(default_factory=list)
    quietly: bool = False
    wrong_password: Reason | None = None


class ChangedSetting(Struct, frozen=True, kw_only=True):
    """A setting of the company that is another now. ``was`` and ``now`` are empty where it was or is not set."""

    name: str
    was: str
    now: str
    effect: ChangeEffect


class ConfigurationChange(Struct, frozen=True, kw_only=True):
    """The company changed settings. ``effect`` told: they count already; sign_out or reset: ``ApplyConfiguration``."""

    effect: ChangeEffect
    changes: list[ChangedSetting]
    reasons: list[Reason] = field(default_factory=list)


class Account(Struct, frozen=True, kw_only=True):
    """How one is signed in. ``method``: the password goes to the services; it was typed here once and the services get
    tokens; or the person signed in in the browser. ``who_asks``: who knows the person. ``since``; ``until``: when the
    sign-in is over, null: not known beforehand. ``services``: which use the token (as in ``Service.id``). ``kept``:
    what is kept on this computer and goes with "forget", one sentence each.
    """

    method: Literal["password", "token", "browser"]
    who_asks: str
    since: str
    until: str | None = None
    remembered: bool = False
    services: list[str] = field(default_factory=list)
    kept: list[Reason] = field(default_factory=list)


class Questions(Struct, frozen=True, kw_only=True):
    """What waits for the person while signed in; all null: nothing."""

    again: SignInAgain | None = None
    configuration: ConfigurationChange | None = None
    certificate: CertificateQuestion | None = None


# --- values


class BrowserSignIn(Struct, frozen=True, kw_only=True, tag="BrowserSignIn"):
    """Where to go, in this tab; it comes back by itself."""

    url: str


# --- events


class SignInChanged(Event, frozen=True, kw_only=True):
    """The sign-in moved on."""

    sign_in: SignIn


class QuestionsChanged(Event, frozen=True, kw_only=True):
    """A question came up while signed in, or was answered."""

    questions: Questions


class AccountChanged(Event, frozen=True, kw_only=True):
    """How one is signed in changed: another token, or what is kept."""

    account: Account | None


# --- commands


class FindServices(Command, frozen=True, kw_only=True):
    """Begin with an address: discovery runs, the phase goes to credentials or failed."""

    address: str


class SignInWith(Command, frozen=True, kw_only=True):
    """The password for the address found; ``remember``: the next start asks nothing. What is kept for that is a token
    where the server gives one, else the password, encrypted. Also the answer to ``SignInAgain`` with a password.
    ``user``: the user name, where the card asks for it; empty: as found out from the address."""

    password: str
    remember: bool = False
    user: str = ""


class BeginBrowserSignIn(Command, frozen=True, kw_only=True):
    """Sign in at ``who_asks`` in the browser. Answer: BrowserSignIn. ``remember``: the next start asks nothing.
    ``quietly``: come back at once where somebody would have to be asked."""

    remember: bool = False
    quietly: bool = False


class UseKnown(Command, frozen=True, kw_only=True):
    """Sign in an account that was remembered here."""

    address: str


class ForgetKnown(Command, frozen=True, kw_only=True):
    """Delete all that is kept here of an account."""

    address: str


class Cancel(Command, frozen=True, kw_only=True):
    """Give up the running sign-in; back to the address."""


class TryAgain(Command, frozen=True, kw_only=True):
    """Run the failed sign-in again."""


class SetManual(Command, frozen=True, kw_only=True):
    """Keep connection settings; ``mode`` automatic goes back to discovery."""

    settings: ManualSettings


class TestServers(Command, frozen=True, kw_only=True):
    """Try settings without signing in; the trace grows. Answer: TraceLines."""

    settings: ManualSettings


class AnswerCertificate(Command, frozen=True, kw_only=True):
    """Accept once and remember (only where ``may_accept``), or refuse; during the sign-in and while signed in."""

    fingerprint: str
    accept: bool


class RefreshConfiguration(Command, frozen=True, kw_only=True):
    """Look now for servers and what the company set, instead of at the next due time."""


class ApplyConfiguration(Command, frozen=True, kw_only=True):
    """Do what ``ConfigurationChange.effect`` says: sign out and in again, or reset and then sign in; for told: seen."""


class PostponeConfiguration(Command, frozen=True, kw_only=True):
    """Go on as before; asked again when something else changes, or at the next start."""


class SignOut(Command, frozen=True, kw_only=True):
    """End the session; ``forget`` deletes caches and history of this computer too."""

    forget: bool = False


class GetTrace(Command, frozen=True, kw_only=True):
    """Answer: TraceLines."""
