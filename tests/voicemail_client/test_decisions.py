"""What needs no service: with which account one signs in, where the servers are, shapes of sounds, the CometD half."""

from __future__ import annotations

import struct
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.client.configuration.plan import voicemail_servers
from ringback.client.voicemail import speech
from ringback.client.voicemail.errors import VoicemailError
from ringback.client.voicemail.notices import CHANNEL, GarbledError, Notice, Notices, SessionOverError, Stage
from ringback.client.voicemail.sounds import Recordings, for_sending, format_of, playable, shape_of
from ringback.media.players.sound import parse_sound
from ringback.protocols.cometd import Bayeux, parse
from ringback.protocols.service_profile import ServiceAddress, ServiceProfile, ServiceServers
from ringback.rules.precedence import merge_settings
from ringback.rules.voicemail_sign_in import Proof, ProofEvidence, decide_proof
from tests.voicemail.conftest import recorded

PROOFS = [
    (ProofEvidence(by_token=True, password=False, own=False), Proof.TOKEN),
    (ProofEvidence(by_token=True, password=True, own=False, source="Not set"), Proof.TOKEN),
    (ProofEvidence(by_token=True, password=True, own=True), Proof.OWN),
    (ProofEvidence(by_token=False, password=True, own=False), Proof.SAME),
    (ProofEvidence(by_token=False, password=True, own=False, source="Unified CM - IM and Presence"), Proof.SAME),
    (ProofEvidence(by_token=False, password=True, own=False, source="Not set"), Proof.ASK),
    (ProofEvidence(by_token=False, password=True, own=False, source="Web conferencing"), Proof.ASK),
    (ProofEvidence(by_token=True, password=True, own=False, refused=frozenset({Proof.TOKEN})), Proof.SAME),
    (ProofEvidence(by_token=False, password=True, own=True, refused=frozenset({Proof.OWN})), Proof.SAME),
    (ProofEvidence(by_token=True, password=False, own=False, refused=frozenset({Proof.TOKEN})), Proof.ASK),
]


@pytest.mark.parametrize(("evidence", "proof"), PROOFS)
def test_an_account_given_for_voicemail_counts_first_then_the_token_then_the_password(
    evidence: ProofEvidence, proof: Proof
) -> None:
    decision = decide_proof(evidence)
    assert decision.proof is proof
    assert decision.reasons


def test_the_profile_names_the_servers_else_the_configuration_file_unless_switched_off() -> None:
    two = ServiceServers(ServiceAddress("vm1.example.com", 0), ServiceAddress("vm2.example.com", 10443))
    profile = ServiceProfile(voicemail=two)
    file = {"VoicemailPrimaryServer": "vm3.example.com", "VoicemailBackup1Server": "no server!"}
    assert voicemail_servers(profile, {}) == ["vm1.example.com:443", "vm2.example.com:10443"]
    assert voicemail_servers(ServiceProfile(), merge_settings({}, {}, file)) == ["vm3.example.com:443"]
    assert voicemail_servers(None, {}) == []
    assert voicemail_servers(profile, merge_settings({}, {}, {"Voicemail_Enabled": "false"})) == []


def test_the_shape_of_a_sound_follows_its_loudness() -> None:
    data = recorded(1.0)
    head, pcm = data[:44], data[44:]
    half = len(pcm) // 2
    peaks, seconds = shape_of(head + bytes(half) + pcm[half:], 10)
    assert peaks[:5] == [0] * 5
    assert all(90 <= one <= 100 for one in peaks[5:])
    assert seconds == pytest.approx(1.0)


def test_what_is_recorded_is_sent_as_mu_law_and_heard_as_linear() -> None:
    sent = for_sending(recorded(1.0, rate=16_000))
    assert format_of(sent) == "G.711 mu-law, 8000 Hz"
    assert parse_sound(sent).seconds == pytest.approx(1.0, abs=0.01)
    assert format_of(playable(sent)) == "linear PCM, 8000 Hz"
    assert playable(recorded()) == recorded()


def test_a_format_that_cannot_be_played_is_named() -> None:
    form = struct.pack("<HHIIHHHH", 131, 1, 8000, 1000, 10, 0, 2, 80)
    g729 = struct.pack("<4sI4s4sI", b"RIFF", 60, b"WAVE", b"fmt ", len(form)) + form + b"data\x0a\0\0\0"
    for read in (shape_of, playable, for_sending):
        with pytest.raises(VoicemailError) as caught:
            read(g729 + bytes(10))
        assert caught.value.reason.values["format"] == "G.729, 8000 Hz"
    with pytest.raises(VoicemailError):
        Recordings().put(b"no sound at all")


def test_recordings_that_nobody_sends_go_by_themselves() -> None:
    now = [0.0]
    shelf = Recordings(lambda: now[0])
    names = [shelf.put(recorded(0.1)) for _ in range(5)]
    with pytest.raises(VoicemailError):
        shelf.get(names[0])
    assert shelf.get(names[4])
    now[0] = 4000.0
    shelf.put(recorded(0.1))
    with pytest.raises(VoicemailError):
        shelf.get(names[4])


# --- the client's half of CometD against the server's


def exchange(server: Bayeux, notices: Notices, now: float) -> list[Notice]:
    packets = parse(notices.request())
    answer = server.receive(packets, now)
    waiting = [event for packet in packets for event in server.take(packet.get("clientId", ""))]
    return notices.receive(msgspec.json.encode([*waiting, *answer.packets]))


def listening(server: Bayeux) -> Notices:
    notices = Notices("a-subscription")
    assert exchange(server, notices, 0.0) == exchange(server, notices, 0.0) == []
    assert notices.stage is Stage.LISTENING
    return notices


def test_both_halves_agree_and_events_come_once() -> None:
    server = Bayeux(lambda _: True, timeout=12.0)
    notices = listening(server)
    data = {"EventType": "NEW_MESSAGE", "MessageInfo": [{"MessageId": "0:ABC-1"}]}
    server.publish(CHANNEL + "a-subscription", data)
    assert exchange(server, notices, 1.0) == [Notice("NEW_MESSAGE", "abc-1")]
    assert exchange(server, notices, 2.0) == []
    assert notices.hold == 12.0


def test_a_server_that_forgot_us_or_refuses_the_channel_ends_the_session() -> None:
    server = Bayeux(lambda _: True, idle=5.0)
    notices = listening(server)
    server.expire(100.0)
    with pytest.raises(SessionOverError):
        exchange(server, notices, 100.0)
    strict, other = Bayeux(lambda _: False), Notices("x")
    exchange(strict, other, 0.0)
    with pytest.raises(SessionOverError):
        exchange(strict, other, 0.0)


def test_an_event_that_cannot_be_read_still_says_that_something_happened() -> None:
    server = Bayeux(lambda _: True)
    notices = listening(server)
    server.publish(CHANNEL + "a-subscription", {"EventType": 7})
    assert exchange(server, notices, 1.0) == [Notice("")]


KEYS = ("channel", "successful", "advice", "data", "clientId", "error")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8)
    | st.sampled_from(["/meta/connect", "/meta/handshake", CHANNEL + "x"]),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
    max_leaves=12,
)  # fmt: skip


@given(st.binary(max_size=200) | JSON.map(msgspec.json.encode))
def test_any_answer_gives_events_or_one_of_the_two_errors(body: bytes) -> None:
    server = Bayeux(lambda _: True)
    for notices in (Notices("x"), listening(server)):
        try:
            found = notices.receive(body)
        except (GarbledError, SessionOverError):
            continue
        assert all(isinstance(one, Notice) for one in found)


def test_without_a_model_on_this_machine_nothing_can_be_written_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(speech.VARIABLE, raising=False)
    assert speech.model(tmp_path) is None
    (tmp_path / speech.FOLDER).mkdir()
    assert speech.model(tmp_path) is None


def test_a_folder_that_holds_no_model_is_an_error_that_is_foreseen(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"no model")
    with pytest.raises((ImportError, RuntimeError, ValueError)):
        speech.understood(recorded(0.2), tmp_path)
