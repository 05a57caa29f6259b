"""Descriptions on their way, media paths, offers for several ends, and what phones report: pure functions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ringback.protocols.sdp.description import Description, SdpError
from ringback.protocols.sip.message import Request
from ringback.services.callmanager.calls.causes import cause_of, cause_told, reason_header
from ringback.services.callmanager.calls.facts import Cause
from ringback.services.callmanager.calls.identity import Shown, from_value, identity, quoted
from ringback.services.callmanager.calls.media_path import Agreed, End, PathEvidence, agreed_media, choose_path, end_of
from ringback.services.callmanager.calls.offers import is_best_effort, without_keys
from ringback.services.callmanager.calls.passing import cross, hold_answer, is_hold, pass_answer, pass_offer
from ringback.services.callmanager.calls.quality import quality_of

KEY = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj"


def described(*sections: str, version: int = 1, session: str = "7") -> Description:
    head = f"v=0\r\no=- {session} {version} IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
    return Description.parse((head + "".join(f"{section}\r\n" for section in sections)).encode())


AUDIO = "m=audio 4000 RTP/AVP 0 8"
VIDEO = "m=video 4002 RTP/AVP 96\r\na=rtpmap:96 H264/90000"
OPUS = "m=audio 4000 RTP/AVP 111 0\r\na=rtpmap:111 opus/48000/2"
OPUS_96 = "m=audio 5000 RTP/AVP 96 9 0\r\na=rtpmap:96 opus/48000/2"


def test_a_session_keeps_its_origin_and_the_order_of_its_sections_whoever_stands_behind() -> None:
    before = described(AUDIO, VIDEO, version=4)
    fresh = described(OPUS, session="99", version=1)
    passed = pass_offer(fresh, before)
    assert (passed.description.origin.session_id, passed.description.origin.version) == ("7", 5)
    assert [(one.kind, one.port) for one in passed.description.media] == [("audio", 4000), ("video", 0)]
    answered = described(AUDIO, "m=video 0 RTP/AVP 96", session="5")
    back = passed.back(answered, fresh)
    assert [one.kind for one in back.media] == ["audio"]


def test_the_same_content_keeps_its_version() -> None:
    before = described(AUDIO, version=4)
    assert pass_answer(described(AUDIO, session="3", version=9), before).origin == before.origin


def test_sections_are_found_by_kind() -> None:
    passed = pass_offer(described(VIDEO, AUDIO), described(AUDIO))
    assert [one.kind for one in passed.description.media] == ["audio", "video"]
    assert passed.order == (1, 0)


@pytest.mark.parametrize(
    ("section", "held"),
    [
        (AUDIO, False),
        (f"{AUDIO}\r\na=sendonly", True),
        (f"{AUDIO}\r\na=inactive", True),
        (f"{AUDIO}\r\na=recvonly", False),
        (f"{AUDIO}\r\nc=IN IP4 0.0.0.0", True),
        ("m=audio 0 RTP/AVP 0", False),
    ],
)
def test_what_is_a_hold(section: str, held: bool) -> None:
    assert is_hold(described(section)) is held


def test_who_holds_is_answered_that_nothing_flows_and_keeps_its_key() -> None:
    offered = described(f"m=audio 4000 RTP/SAVP 0\r\n{KEY.replace(':1 ', ':3 ')}\r\na=sendonly")
    before = described(f"m=audio 6000 RTP/SAVP 0\r\n{KEY}", version=2)
    answer = hold_answer(offered, before, "127.0.0.1")
    (section,) = answer.media
    assert section.port == 6000
    assert section.value("inactive") is not None
    assert (section.value("crypto") or "").startswith("3 AES_CM_128_HMAC_SHA1_80")
    assert answer.origin.version == 3


def test_two_offers_answer_each_other_in_the_numbers_of_their_writers() -> None:
    first, second = described(OPUS), described(OPUS_96, session="8")
    answers = cross(first, second)
    assert answers is not None
    to_first, to_second = answers
    assert to_first.media[0].formats[0] == "96"
    assert to_first.media[0].port == 5000
    assert to_second.media[0].formats[0] == "111"
    assert cross(described("m=audio 4000 RTP/AVP 8"), described("m=audio 4000 RTP/AVP 9")) is None


def test_an_offer_that_would_encrypt_if_it_could_goes_with_one_that_does_not() -> None:
    careful, plain = described(f"m=audio 4000 RTP/AVP 0\r\n{KEY}"), described("m=audio 5000 RTP/AVP 0", session="8")
    for first, second in ((careful, plain), (plain, careful)):
        answers = cross(first, second)
        assert answers is not None
        assert [answer.media[0].values("crypto") for answer in answers] == [(), ()]
    both = cross(careful, careful)
    assert both is not None
    assert all(answer.media[0].values("crypto") for answer in both)
    assert cross(described(f"m=audio 4000 RTP/SAVP 0\r\n{KEY}"), plain) is None, "who must encrypt does"


def test_sound_goes_directly_unless_something_stands_against_it() -> None:
    plain, sealed, dtls = End(), End("sdes"), End("dtls")
    assert choose_path(PathEvidence(plain, plain)).direct
    assert choose_path(PathEvidence(sealed, sealed)).direct
    for one, other in ((plain, sealed), (sealed, dtls), (plain, replace(plain, family="IP6"))):
        assert not choose_path(PathEvidence(one, other)).direct
    forced = choose_path(PathEvidence(plain, plain, relay_always=True))
    assert [reason.id for reason in forced.reasons] == ["calls.path.configured"]


def test_keys_beside_a_plain_profile() -> None:
    offer = described(f"{AUDIO}\r\n{KEY}").encode()
    assert is_best_effort(offer)
    assert end_of(Description.parse(offer)).keying == "sdes"
    assert end_of(Description.parse(without_keys(offer))).keying == "none"


def test_the_agreed_codec_is_that_of_the_answer() -> None:
    offer, answer = described(OPUS_96).encode(), described("m=audio 7000 RTP/AVP 9").encode()
    caller, called = agreed_media(offer, answer, "audio"), agreed_media(answer, offer, "audio")
    assert caller == Agreed("192.0.2.1", 5000, "G722")
    assert called == Agreed("192.0.2.1", 7000, "G722")
    assert agreed_media(offer, answer, "video") is None


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_any_bytes_have_some_or_no_media(said: bytes, told: bytes) -> None:
    found = agreed_media(b"v=0\nm=audio 1 RTP/AVP 0\n" + said, told, "audio")
    assert found is None or found.port >= 0


def test_what_a_phone_reports_in_its_bye() -> None:
    rows = [
        ("RTP-RxStat", 'Dur=12,Pkt=600,Oct=96000,LatePkt=0,LostPkt=2,AvgJit=3,VQMetrics="MLQK=4.2;ICR=0.01"'),
        ("RTP-TxStat", "Dur=12,Pkt=610,Oct=97600"),
    ]
    told = quality_of(Request("BYE", "sip:a@b", rows, b""))
    assert told is not None
    assert (told["packets_received"], told["packets_sent"], told["packets_lost"]) == (600, 610, 2)
    assert told["metrics"] == "MLQK=4.2;ICR=0.01"
    assert quality_of(Request("BYE", "sip:a@b", [], b"")) is None


@given(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), max_size=80))
def test_any_report_gives_figures(text: str) -> None:
    told = quality_of(Request("BYE", "sip:a@b", [("P-RTP-Stat", f"PS={text},PL=3")], b""))
    assert told is None or told["packets_sent"] >= 0


def test_causes_go_both_ways() -> None:
    assert cause_of(486) is Cause.USER_BUSY
    assert cause_told(reason_header(Cause.NO_ANSWER)[1]) is Cause.NO_ANSWER
    assert cause_told('SIP;cause=200;text="Call completed elsewhere"') is Cause.NORMAL_CLEARING
    assert cause_told("Q.850;cause=99") is Cause.NORMAL_UNSPECIFIED


def test_names_are_quoted_and_private_ones_hidden() -> None:
    shown = Shown("2001", 'Anita "Nita"\r\nX: y', "halden.example")
    assert shown.address == '"Anita \\"Nita\\"X: y" <sip:2001@halden.example>'
    assert quoted("") == ""
    private = Shown(shown.user, shown.name, shown.domain, private=True)
    assert "2001" not in from_value(private)
    assert "2001" not in str(identity(private, "calling", trusted=False))
    assert "2001" in str(identity(private, "calling", trusted=True))
    assert Shown("b@other.example", domain="halden.example").uri == "sip:b@other.example"


def test_a_description_that_is_none_is_refused() -> None:
    with pytest.raises(SdpError):
        Description.parse(b"hello")
