"""Foreign phones at our call manager: sound measured both ways, encrypted or not, and what people do with it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.baresip import Account, Baresip, running_baresip
from tests.support.kamailio import running_kamailio
from tests.support.linphone import Linphone, LinphoneAccount, running_linphone
from tests.support.telephony import Telephony, phones, running_telephony

pytestmark = [pytest.mark.peer, pytest.mark.timeout(180)]


@dataclass(frozen=True, slots=True)
class Way:
    """How a phone speaks: transport, encryption of the sound, codec."""

    transport: str = "udp"
    encryption: str = ""
    codecs: str = "PCMU/8000/1"


SECURE = Way("tls", "srtp-mand")


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Telephony]:
    with running_telephony(tmp_path_factory.mktemp("office"), phones(6)) as running:
        yield running


def _account(office: Telephony, index: int, way: Way, proxy: str = "") -> Account:
    phone = office.phones[index]
    registrar = office.tls_registrar if way.transport == "tls" else office.registrar
    return Account(
        phone.number, registrar, phone.user, phone.password, way.transport, way.encryption, way.codecs,
        ca=office.ca if way.transport == "tls" else None, proxy=proxy,
    )  # fmt: skip


@contextlib.asynccontextmanager
async def _phone(
    office: Telephony, folder: Path, index: int, way: Way, tone: int, **more: str
) -> AsyncIterator[Baresip]:
    async with running_baresip(folder / f"phone{index}", _account(office, index, way, **more), tone=tone) as phone:
        yield phone


def _uri(office: Telephony, index: int, way: Way) -> str:
    registrar = office.tls_registrar if way.transport == "tls" else office.registrar
    return f"sip:{office.phones[index].number}@{registrar}"  # it adds the transport itself


async def _connect(office: Telephony, caller: Baresip, called: Baresip, way: Way | None = None) -> None:
    await caller.command("dial", _uri(office, 1, way or Way()))
    await called.expect("CALL_INCOMING")
    await called.command("accept")
    await called.expect("CALL_ESTABLISHED")
    await caller.expect("CALL_ESTABLISHED")


@pytest.mark.parametrize(
    "way",
    [
        Way(),
        Way("tcp"),
        Way("udp", codecs="G722/16000/1"),
        Way("udp", codecs="opus/48000/2"),
        SECURE,
        Way("tls", "dtls_srtp"),
    ],
    ids=str,
)
async def test_two_phones_hear_each_other(office: Telephony, tmp_path: Path, way: Way) -> None:
    async with (
        _phone(office, tmp_path, 0, way, 440) as anita,
        _phone(office, tmp_path, 1, way, 880) as bruno,
    ):
        await _connect(office, anita, bruno, way)
        await anita.hears(880)
        await bruno.hears(440)
        await bruno.command("hangup")
        await anita.expect("CALL_CLOSED")


async def test_an_encrypted_phone_and_one_that_is_not_hear_each_other_through_the_relay(
    office: Telephony, tmp_path: Path
) -> None:
    async with (
        _phone(office, tmp_path, 0, SECURE, 440) as anita,
        _phone(office, tmp_path, 1, Way(), 880) as bruno,
    ):
        await _connect(office, anita, bruno, SECURE)
        await anita.hears(880)
        await bruno.hears(440)
        await anita.command("hangup")
        await bruno.expect("CALL_CLOSED")


@contextlib.asynccontextmanager
async def _linphone(office: Telephony, folder: Path, way: Way) -> AsyncIterator[Linphone]:
    """The third phone of the office; it hears all the time, where baresip's records end at a change of the call."""
    own = office.phones[2]
    account = LinphoneAccount(
        own.number, office.tls_registrar if way.transport == "tls" else office.registrar, own.user, own.password,
        way.transport, "srtp" if way.encryption else "none", ca=office.ca if way.transport == "tls" else None,
    )  # fmt: skip
    async with running_linphone(folder / "linphone", account) as phone:
        yield phone


@pytest.mark.parametrize("way", [Way("tcp"), SECURE], ids=str)
async def test_phones_of_two_makers_hear_each_other(office: Telephony, tmp_path: Path, way: Way) -> None:
    async with (
        _phone(office, tmp_path, 0, way, 440) as anita,
        _linphone(office, tmp_path, way) as carla,
    ):
        await anita.command("dial", _uri(office, 2, way))
        await carla.wait("call-status", "State", "LinphoneCallIncomingReceived")
        await carla.say("answer 1")
        await anita.expect("CALL_ESTABLISHED")
        await anita.hears(660)
        await carla.hears(440)
        await carla.say("terminate")
        await anita.expect("CALL_CLOSED")


async def test_a_call_goes_through_a_foreign_proxy(office: Telephony, tmp_path: Path) -> None:
    with running_kamailio(tmp_path / "proxy", onward=f"sip:{office.registrar}") as between:
        way = f"sip:{between.address}:{between.port};lr"
        async with (
            running_baresip(tmp_path / "anita", _account(office, 0, Way(), way), tone=440) as anita,
            running_baresip(tmp_path / "bruno", _account(office, 1, Way(), way), tone=880) as bruno,
        ):
            await _connect(office, anita, bruno)
            await anita.hears(880)
            await bruno.hears(440)
            await anita.command("hangup")
            await bruno.expect("CALL_CLOSED")
        assert between.forwarded() >= 10


async def test_keys_pressed_arrive_in_order(office: Telephony, tmp_path: Path) -> None:
    async with (
        _phone(office, tmp_path, 0, Way(), 440) as anita,
        _phone(office, tmp_path, 1, Way(), 880) as bruno,
    ):
        await _connect(office, anita, bruno)
        await bruno.hears(440)
        heard = []
        for key in "12*#90":
            await anita.command("sndcode", key)
            heard.append((await bruno.expect("CALL_DTMF_START"))["param"])
            await bruno.expect("CALL_DTMF_END")
        assert heard == list("12*#90")


async def test_hold_brings_music_and_resume_brings_the_person_back(office: Telephony, tmp_path: Path) -> None:
    async with (
        _phone(office, tmp_path, 0, Way(), 440) as anita,
        _linphone(office, tmp_path, Way()) as carla,
    ):
        await anita.command("dial", _uri(office, 2, Way()))
        await carla.wait("call-status", "State", "LinphoneCallIncomingReceived")
        await carla.say("answer 1")
        await carla.hears(440)
        await anita.command("hold")
        await carla.until(lambda last: last.level > -45 and abs(last.frequency - 440) > 12 and last.share < 0.9)
        await anita.command("resume")
        await carla.hears(440)


async def test_a_blind_transfer_connects_the_other_two(office: Telephony, tmp_path: Path) -> None:
    async with (
        _phone(office, tmp_path, 0, Way(), 440) as anita,
        _phone(office, tmp_path, 1, Way(), 880) as bruno,
        _linphone(office, tmp_path, Way()) as carla,
    ):
        await carla.say(f"call {_uri(office, 1, Way())}")
        await bruno.expect("CALL_INCOMING")
        await bruno.command("accept")
        await carla.hears(880)
        await bruno.command("transfer", _uri(office, 0, Way()))
        await anita.expect("CALL_INCOMING")
        await anita.command("accept")
        await anita.hears(660)
        await carla.hears(440)


async def test_a_refused_call_says_busy_and_a_cancelled_one_stops_ringing(office: Telephony, tmp_path: Path) -> None:
    async with (
        _phone(office, tmp_path, 0, Way(), 440) as anita,
        _phone(office, tmp_path, 1, Way(), 880) as bruno,
    ):
        await anita.command("dial", _uri(office, 1, Way()))
        await bruno.expect("CALL_INCOMING")
        await bruno.command("hangup")
        closed = await anita.expect("CALL_CLOSED")
        assert "486" in closed["param"] or "Busy" in closed["param"]
        await anita.command("dial", _uri(office, 1, Way()))
        await bruno.expect("CALL_INCOMING")
        await anita.command("hangup")
        await bruno.expect("CALL_CLOSED")


async def test_a_number_that_nobody_has_is_said_to_be_unknown(office: Telephony, tmp_path: Path) -> None:
    async with _phone(office, tmp_path, 0, Way(), 440) as anita:
        await anita.command("dial", f"sip:2999@{office.registrar}")
        assert "404" in (await anita.expect("CALL_CLOSED"))["param"]


async def test_a_wrong_password_is_refused(office: Telephony, tmp_path: Path) -> None:
    phone = office.phones[0]
    wrong = Account(phone.number, office.registrar, phone.user, "wrong")
    with pytest.raises(PermissionError, match="403"):
        async with running_baresip(tmp_path / "phone", wrong):
            pass
