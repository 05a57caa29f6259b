"""Registering with a token: what is asked for, what is granted for how long, and who is refused or sent away."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from ringback.protocols.oauth.known_keys import KnownKeys
from ringback.protocols.oauth.tokens import (
    NOTHING_TAKEN_BACK,
    CheckingKeys,
    Claims,
    IssuerKeys,
    Revocation,
    TakenBack,
    issue_access,
    issue_refresh,
)
from ringback.protocols.sip import events
from ringback.protocols.sip.bearer import BearerChallenge
from ringback.protocols.sip.flows import Target
from ringback.protocols.sip.message import Response
from ringback.protocols.sip.registration import Registrar, Registration, RegistrationSettings
from ringback.protocols.sip.settings import Credential
from ringback.rules.dial_plan import DialPlan
from tests.calls.lines import DOMAIN, Office
from tests.calls.world import MANAGER, NODE, WALL, Handset, World

KEYS = IssuerKeys.generate()
CLIENT = "C" + "1" * 64
OURS = "Ringback/1"
SERVER = f"https://{NODE}:8443"


class Desk:
    """The office with keys: gives tokens, and takes them back."""

    def __init__(self) -> None:
        office = Office()
        office.person("2001", "CSFANNA")
        office.person("2002", "CSFBERT")
        office.person("2003", "SEP001122334455")
        self.known = KnownKeys(lambda: WALL + self.world.now)
        self.world = World(
            office, DialPlan(lines=frozenset(office.table), domains=frozenset({DOMAIN})), None, self.known
        )
        self.take_back(NOTHING_TAKEN_BACK)

    def take_back(self, taken_back: TakenBack) -> None:
        self.known.use(CheckingKeys.parse([KEYS.published(encryption=True, taken_back=taken_back)]))

    def claims(self, user: str, life: float = 3600.0, token_id: str = "sign-in") -> Claims:
        now = WALL + self.world.now
        return Claims(user, KEYS.cluster, CLIENT, token_id, now, now + life)

    def token(self, user: str = "user2001", life: float = 3600.0, token_id: str = "sign-in") -> str:
        return issue_access(KEYS, self.claims(user, life, token_id))

    def gone(self) -> list[Handset]:
        """Do what the driver does when something was taken back: the phones whose connection was closed."""
        upkeep = self.world.control.upkeep
        closed = upkeep.taken_back(self.world.control.bearer.taken_back(), self.world.now)
        for flow in closed:
            flow.closed = True
            upkeep.flow_closed(flow, self.world.now)
        return [phone for phone in self.world.phones if phone.there in closed]

    def is_registered(self, device: str) -> bool:
        return self.world.control.core.registrar.is_registered(device, self.world.now)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    made = Desk()
    yield made
    await made.world.close()


def register(phone: Handset, token: str = "", *, expires: int = 3600) -> Response:
    """A REGISTER that answers no challenge; the answer to it."""
    to = f"<sip:{phone.number}@{DOMAIN}>"
    rows = [("Contact", phone.agent.contact(phone.here, phone.number)), ("Expires", str(expires))]
    if token:
        rows.append(("Authorization", f"Bearer {token}"))
    phone.agent.send_request(
        phone.world.now, "REGISTER", f"sip:{DOMAIN}", phone.here, from_=to, to=to, headers=rows, credentials=()
    )
    phone.world.settle()
    return phone.last(events.Answered).response


def challenges(response: Response) -> tuple[list[str], BearerChallenge | None]:
    """The schemes that a 401 offers, and the Bearer challenge."""
    values = list(response.all("WWW-Authenticate"))
    return [value.partition(" ")[0] for value in values], BearerChallenge.among(values)


def _altered(desk: Desk) -> str:
    token = desk.token()
    return f"{token[:-9]}{'A' if token[-9] != 'A' else 'B'}{token[-8:]}"


FAULTS: dict[str, Callable[[Desk], str]] = {
    "altered": _altered,
    "expired": lambda desk: desk.token(life=-1),
    "nearly over": lambda desk: desk.token(life=5),
    "a refresh token": lambda desk: issue_refresh(KEYS, desk.claims("user2001")),
    "of another cluster": lambda desk: issue_access(IssuerKeys.generate(), desk.claims("user2001")),
    "with another key": lambda desk: issue_access(KEYS.with_new(encryption=True), desk.claims("user2001")),
    "unsigned": lambda desk: "eyJhbGciOiJub25lIn0." + desk.token().split(".")[1] + ".",
    "of another person": lambda desk: desk.token("user2002"),
    "empty": lambda desk: " ",
    "two": lambda desk: f"{desk.token()} {desk.token()}",
}


class TestTheCallManager:
    """What it offers, takes and refuses."""

    async def test_bearer_is_offered_beside_digest_on_tls_only(self, desk: Desk) -> None:
        secure = register(desk.world.phone("CSFANNA", "2001", "tls", OURS))
        schemes, offered = challenges(secure)
        assert (secure.status, schemes[-1], set(schemes)) == (401, "Bearer", {"Digest", "Bearer"})
        assert offered == BearerChallenge(SERVER, "UnifiedCommunications:readwrite")
        clear = register(desk.world.phone("CSFANNA", "2001", "tcp", OURS))
        assert (clear.status, set(challenges(clear)[0])) == (401, {"Digest"})
        for product, known in (
            ("Cisco-CSF", True),
            ("baresip v1.0.0 (x86_64/Linux)", False),
            ("linphone-daemon/5.1.65 (Debian) LinphoneSDK/5.1.65", False),
            ("Unknown", False),
            ("LinphoneAndroid/6.0 (Pixel) LinphoneSDK/5.4.2", True),
        ):
            offer = challenges(register(desk.world.phone("CSFANNA", "2001", "tls", product)))
            assert (offer[1] is not None) == known, "some do not survive a scheme that they do not know"

    async def test_a_token_registers_the_devices_of_its_person(self, desk: Desk) -> None:
        phone = desk.world.phone("CSFANNA", "2001", "tls", OURS)
        assert register(phone, desk.token()).status == 200
        assert desk.is_registered("CSFANNA")
        assert register(desk.world.phone("SEP001122334455", "2003", "tls", OURS), desk.token("user2003")).status == 200
        assert register(desk.world.phone("CSFANNA", "2001", "tls", OURS), desk.token("USER2001")).status == 403, "taken"

    async def test_a_registration_ends_with_its_token(self, desk: Desk) -> None:
        phone = desk.world.phone("SEP001122334455", "2003", "tls", OURS)
        assert register(phone, desk.token("user2003", life=90)).get("Expires") == "90"
        desk.world.run(60)
        assert register(phone, desk.token("user2003", life=300)).get("Expires") == "300", "a new token goes on"
        assert register(phone, desk.token("user2003")).get("Expires") == "3600"
        assert register(phone, desk.token("user2003", life=60)).get("Expires") == "60"
        desk.world.run(61)
        desk.world.control.upkeep.look_after(desk.world.now)
        assert not desk.is_registered("SEP001122334455")
        phone.call("2001")
        assert [one.status for one in phone.received if isinstance(one, Response)][-2:] == [407, 480], (
            "it is asked anew"
        )

    async def test_calls_need_nothing_more_while_the_token_lives(self, desk: Desk) -> None:
        anna, bert = desk.world.phone("CSFANNA", "2001", "tls", OURS), desk.world.phone("CSFBERT", "2002", "tls", OURS)
        assert register(anna, desk.token()).status == 200
        assert register(bert, desk.token("user2002")).status == 200
        anna.call("2002")
        bert.ring()
        bert.answer()
        assert anna.all(events.Accepted)
        assert not any(isinstance(one, Response) and one.status in (401, 407) for one in anna.received)

    @pytest.mark.parametrize("fault", list(FAULTS))
    async def test_what_is_refused(self, desk: Desk, fault: str) -> None:
        phone = desk.world.phone("CSFANNA", "2001", "tls", OURS)
        refused = register(phone, FAULTS[fault](desk))
        offered = challenges(refused)[1]
        assert refused.status == 401
        assert offered is not None
        assert offered.error == ("" if fault == "empty" else "invalid_token")
        assert not desk.is_registered("CSFANNA")

    @pytest.mark.parametrize(
        "taken_back",
        [
            TakenBack(revoked=(Revocation(user="user2001", before=WALL + 1000),)),
            TakenBack(deactivated=frozenset({"user2001"})),
            TakenBack(ended=frozenset({"sign-in"})),
            TakenBack(valid_from=WALL + 1001),
        ],
    )
    async def test_what_was_taken_back_is_refused(self, desk: Desk, taken_back: TakenBack) -> None:
        desk.take_back(taken_back)
        offered = challenges(register(desk.world.phone("CSFANNA", "2001", "tls", OURS), desk.token()))[1]
        assert offered is not None
        assert offered.error == "invalid_token"

    async def test_a_token_in_the_clear_is_not_looked_at(self, desk: Desk) -> None:
        phone = desk.world.phone("CSFANNA", "2001", "tcp", OURS)
        refused = register(phone, desk.token())
        assert (refused.status, challenges(refused)[1]) == (401, None)

    async def test_without_keys_only_digest_is_offered(self) -> None:
        office = Office()
        office.person("2001", "CSFANNA")
        plan = DialPlan(lines=frozenset(office.table), domains=frozenset({DOMAIN}))
        world = World(office, plan, None, KnownKeys(lambda: WALL))
        assert challenges(register(world.phone("CSFANNA", "2001", "tls")))[1] is None
        world.registered("CSFANNA", "2001", "tls")
        await world.close()


class TestTakenBack:
    """A revoked or deactivated person, or one who signed out, is not registered any more."""

    @pytest.mark.parametrize("why", ["revoked", "deactivated", "ended"])
    async def test_the_connection_is_closed_and_others_stay(self, desk: Desk, why: str) -> None:
        anna, bert = desk.world.phone("CSFANNA", "2001", "tls", OURS), desk.world.phone("CSFBERT", "2002", "tls", OURS)
        register(anna, desk.token(token_id="of anna"))
        register(bert, desk.token("user2002", token_id="of bert"))
        desk.world.run(1)
        now = WALL + desk.world.now
        desk.take_back(
            {
                "revoked": TakenBack(revoked=(Revocation(user="user2001", before=now),)),
                "deactivated": TakenBack(deactivated=frozenset({"user2001"})),
                "ended": TakenBack(ended=frozenset({"of anna"})),
            }[why]
        )
        assert desk.gone() == [anna]
        assert not desk.is_registered("CSFANNA")
        assert desk.is_registered("CSFBERT")
        assert desk.gone() == [], "who stays is looked at again and stays"

    async def test_softphones_of_a_deactivated_person_leave_digest_too_and_desk_phones_stay(self, desk: Desk) -> None:
        anna = desk.world.registered("CSFANNA", "2001", "tls")
        bert = desk.world.registered("CSFBERT", "2002", "udp")
        desk.world.registered("SEP001122334455", "2003")
        desk.take_back(TakenBack(deactivated=frozenset({"user2001", "user2002", "user2003"})))
        assert desk.gone() == [anna]
        assert [desk.is_registered(name) for name in desk.world.office.phones] == [False, False, True]
        assert bert.register() == 403
        desk.take_back(NOTHING_TAKEN_BACK)
        assert bert.register() == 200

    async def test_a_client_that_signs_in_again_is_welcome(self, desk: Desk) -> None:
        anna = desk.world.phone("CSFANNA", "2001", "tls", OURS)
        register(anna, desk.token())
        desk.take_back(TakenBack(revoked=(Revocation(user="user2001", before=WALL + desk.world.now),)))
        desk.gone()
        desk.world.run(1)
        again = desk.world.phone("CSFANNA", "2001", "tls", OURS)
        assert register(again, desk.token()).status == 200
        assert desk.gone() == []


class Client:
    """Our own registration with tokens; ``token`` is what it has now, ``asked`` for which server it was asked."""

    def __init__(self, desk: Desk, phone: Handset, credentials: tuple[Credential, ...]) -> None:
        self.phone = phone
        self.token = desk.token()
        self.asked: list[str] = []
        target = Target("tls", MANAGER[0], MANAGER[1], NODE)
        self.registration: Registration = phone.agent.register(
            RegistrationSettings(
                "2001", (Registrar(target, DOMAIN),), credentials=credentials, keep_alive=3600, token=self._give
            )
        )
        self.registration.start(phone.world.now)
        self.registration.flow_ready(target, phone.here, phone.world.now)
        phone.world.settle()

    def _give(self, server: str) -> str:
        self.asked.append(server)
        return self.token

    def state(self) -> str:
        return self.registration.state

    def statuses(self) -> list[int]:
        return [one.status for one in self.phone.received if isinstance(one, Response)]

    def authorizations(self) -> list[str]:
        return [(one.get("Authorization") or "none").partition(" ")[0] for one in self.phone.sent]


class TestOurClient:
    """It shows a token where one is asked for, and falls back to digest."""

    async def test_it_shows_the_token_when_asked_and_then_at_once(self, desk: Desk) -> None:
        client = Client(desk, desk.world.phone("CSFANNA", "2001", "tls", OURS), ())
        assert client.registration.state == "registered"
        assert (client.statuses(), client.authorizations()) == ([401, 200], ["none", "Bearer"])
        assert set(client.asked) == {SERVER}
        desk.world.run(118)
        assert client.statuses() == [401, 200, 200], "the refresh needs no challenge"

    async def test_each_refresh_takes_the_token_of_now(self, desk: Desk) -> None:
        phone = desk.world.phone("CSFANNA", "2001", "tls", OURS)
        client = Client(desk, phone, ())
        for _ in range(3):
            client.token = desk.token(life=60)
            client.registration.refresh(desk.world.now)
            desk.world.settle()
            assert phone.sent[-1].get("Authorization") == f"Bearer {client.token}"
            assert client.registration.expires_at <= desk.world.now + 60
            desk.world.run(20)

    async def test_a_refused_token_gives_way_to_digest(self, desk: Desk) -> None:
        phone = desk.world.phone("CSFANNA", "2001", "tls", OURS)
        desk.take_back(TakenBack(ended=frozenset({"sign-in"})))
        client = Client(desk, phone, (Credential("CSFANNA", "secret of CSFANNA"),))
        assert client.registration.state == "registered"
        assert client.authorizations() == ["none", "Bearer", "Digest"]

    async def test_a_refused_token_without_digest_is_said_and_a_new_one_is_tried(self, desk: Desk) -> None:
        phone = desk.world.phone("CSFANNA", "2001", "tls", OURS)
        desk.take_back(TakenBack(ended=frozenset({"sign-in"})))
        client = Client(desk, phone, (Credential("CSFANNA", "a password", "for another realm"),))
        assert client.state() == "refused"
        assert [reason.id for reason in client.registration.reasons] == ["registration.token-refused"]
        assert client.authorizations() == ["none", "Bearer"], "the same token is not shown twice"
        client.token = desk.token(token_id="another")
        client.registration.refresh(desk.world.now)
        client.registration.flow_ready(client.registration.settings.registrars[0].target, phone.here, desk.world.now)
        desk.world.settle()
        assert client.state() == "registered"

    async def test_a_token_is_never_shown_in_the_clear(self, desk: Desk) -> None:
        phone = desk.world.phone("CSFANNA", "2001", "tcp", OURS)
        client = Client(desk, phone, (Credential("CSFANNA", "secret of CSFANNA"),))
        assert (client.registration.state, client.asked) == ("registered", [])

    async def test_without_a_token_digest_is_used(self, desk: Desk) -> None:
        phone = desk.world.phone("CSFANNA", "2001", "tls", OURS)
        client = Client(desk, phone, (Credential("CSFANNA", "secret of CSFANNA"),))
        client.token = ""
        client.registration.refresh(desk.world.now)
        desk.world.settle()
        assert client.registration.state == "registered"
        assert client.authorizations()[-1] == "Digest"


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ('Bearer authz_server="https://a:8443", scope="x y"', BearerChallenge("https://a:8443", "x y")),
        ("bearer  error=invalid_token", BearerChallenge("", "", "invalid_token")),
        ("Bearer", None),
        ('Digest realm="a", nonce="b"', None),
    ],
)
def test_challenges_are_read(value: str, read: BearerChallenge | None) -> None:
    assert BearerChallenge.among(['Digest realm="r", nonce="n"', value]) == read
