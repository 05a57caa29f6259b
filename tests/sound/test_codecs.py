"""Codecs: foreign programs as oracles, exact lengths, settings, and any octets."""

import ctypes
from fractions import Fraction
from typing import Literal

import av
import numpy as np
import pytest
from av.audio.codeccontext import AudioCodecContext
from hypothesis import given, settings
from hypothesis import strategies as st

from ringback.media.codecs import (
    ALL,
    G722,
    G729,
    OPUS,
    PCMA,
    PCMU,
    UNAVAILABLE,
    Codec,
    CodecError,
    EncoderSettings,
    NoSuchCodecError,
    OpusParameters,
    PayloadError,
    Pcm,
    Resampler,
    available,
    codec_named,
    g729,
    libopus,
    opus,
)
from ringback.media.codecs.g711 import G711
from ringback.media.codecs.opus import has_copy
from tests.sound.speech import speech
from tests.support.tones import heard

EVERY_SAMPLE = np.arange(-32768, 32768).astype(np.int16)


def tone(hertz: float, rate: int, seconds: float, level: float = 8000) -> Pcm:
    """A sine."""
    return (level * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)).astype(np.int16)


def by_ffmpeg(name: Literal["pcm_mulaw", "pcm_alaw"], pcm: Pcm) -> bytes:
    """Encoded by FFmpeg's own tables."""
    encoder = av.CodecContext.create(name, "w")
    encoder.sample_rate, encoder.format, encoder.layout = 8000, "s16", "mono"
    encoder.time_base = Fraction(1, 8000)
    frame = av.AudioFrame.from_ndarray(pcm.reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate = 8000
    return b"".join(map(bytes, encoder.encode(frame)))


def sent_through(codec: Codec, pcm: Pcm, options: EncoderSettings | None = None) -> Pcm:
    """Encoded and decoded again."""
    encoder, decoder = codec.encoder(options), codec.decoder()
    frames = [pcm[at : at + encoder.frame] for at in range(0, pcm.size - encoder.frame + 1, encoder.frame)]
    return np.concatenate([decoder.decode(encoder.encode(frame)) for frame in frames])


@pytest.mark.parametrize(("codec", "name"), [(PCMU, "pcm_mulaw"), (PCMA, "pcm_alaw")])
def test_both_laws_decode_as_ffmpeg_does_and_encode_to_the_nearest_level(
    codec: G711, name: Literal["pcm_mulaw", "pcm_alaw"]
) -> None:
    decoder = av.CodecContext.create(name, "r")
    decoder.sample_rate, decoder.layout = 8000, "mono"
    theirs = decoder.decode(av.Packet(bytes(range(256))))[0].to_ndarray().reshape(-1)
    levels = codec.decoder().decode(bytes(range(256)))
    assert (levels == theirs).all()
    table = codec.encoder(EncoderSettings(ptime=20))
    codes = b"".join(table.encode(EVERY_SAMPLE[at : at + 160].copy()) for at in range(0, EVERY_SAMPLE.size - 159, 160))
    ours = levels[np.frombuffer(codes, np.uint8)].astype(int)
    samples = EVERY_SAMPLE[: ours.size].astype(int)
    foreign = levels[np.frombuffer(by_ffmpeg(name, EVERY_SAMPLE[: ours.size]), np.uint8)].astype(int)
    assert (np.abs(ours - samples) <= np.abs(foreign - samples)).all(), "never further off than FFmpeg's choice"


def test_values_of_g711_in_the_recommendation() -> None:
    assert PCMU.decoder().decode(b"\xff\x7f\x00\x80").tolist() == [0, 0, -32124, 32124]
    assert PCMA.decoder().decode(b"\xd5\x55\x2a\xaa").tolist() == [8, -8, -32256, 32256]


@pytest.mark.parametrize("codec", ALL, ids=lambda codec: codec.name)
@pytest.mark.parametrize("ptime", [10, 20, 40, 60])
def test_a_tone_keeps_its_pitch_and_level(codec: Codec, ptime: int) -> None:
    out = sent_through(codec, tone(440, codec.rate, 1.2), EncoderSettings(ptime=ptime))[codec.rate // 5 :]
    spectrum = np.abs(np.fft.rfft(out * np.hanning(out.size)))
    assert abs(np.argmax(spectrum) * codec.rate / out.size - 440) < 2
    assert np.sqrt(np.mean(out.astype(float) ** 2)) == pytest.approx(8000 / np.sqrt(2), rel=0.05)


@pytest.mark.parametrize("codec", [*ALL, G729], ids=lambda codec: codec.name)
@pytest.mark.parametrize("ptime", [10, 20, 60])
def test_a_payload_tells_its_length_without_being_decoded(codec: Codec, ptime: int) -> None:
    encoder, decoder = codec.encoder(EncoderSettings(ptime=ptime)), codec.decoder()
    payload = encoder.encode(tone(300, codec.rate, ptime / 1000))
    assert decoder.samples_in(payload) == encoder.frame == codec.rate * ptime // 1000 == decoder.decode(payload).size


def test_ffmpeg_hears_what_we_encode_with_opus() -> None:
    encoder = OPUS.encoder()
    theirs = av.CodecContext.create("libopus", "r")
    theirs.sample_rate, theirs.layout = 48000, "mono"
    pcm = tone(700, 48000, 1)
    decoded = []
    for at in range(0, pcm.size, encoder.frame):
        decoded += [
            frame.to_ndarray().reshape(-1) for frame in theirs.decode(av.Packet(encoder.encode(pcm[at : at + 960])))
        ]
    out = np.concatenate(decoded)[9600:].astype(float)
    assert abs(heard(out / np.abs(out).max(), 48000).frequency - 700) < 3


@pytest.mark.parametrize("rate", [8000, 16000, 24000, 48000])
def test_opus_at_any_rate_is_the_same_stream(rate: int) -> None:
    payload = opus(rate).encoder().encode(tone(300, rate, 0.02))
    assert OPUS.decoder().decode(payload).size == 960
    with pytest.raises(CodecError):
        opus(44100)


def test_the_coarse_copy_of_a_lost_packet_brings_it_back() -> None:
    encoder = OPUS.encoder(EncoderSettings(fec=True, expected_loss=0.2))
    pcm = tone(300, 48000, 1)
    payloads = [encoder.encode(pcm[at : at + 960]) for at in range(0, pcm.size, 960)]
    assert has_copy(payloads[20])
    assert not has_copy(OPUS.encoder().encode(pcm[:960]))
    decoder, guess = OPUS.decoder(), OPUS.decoder()
    for payload in payloads[:20]:
        decoder.decode(payload)
        guess.decode(payload)
    recovered = decoder.recover(payloads[21], 960)
    assert recovered is not None
    assert recovered.size == 960
    assert np.sqrt(np.mean(recovered.astype(float) ** 2)) > 3000
    assert decoder.recover(b"", 960) is None
    concealed = guess.conceal(960)
    assert concealed is not None
    assert concealed.size == 960


@pytest.mark.parametrize("ptime", [10, 20, 40, 60, 80, 120])
def test_libopus_finds_coarse_copies_where_we_do(ptime: int) -> None:
    theirs = libopus.load().opus_packet_has_lbrr
    theirs.argtypes, theirs.restype = [ctypes.c_char_p, ctypes.c_int32], ctypes.c_int
    found = set()
    for rate, bitrate in ((8000, 8000), (16000, 16000), (48000, 32000)):
        pcm = speech(rate)
        encoder = opus(rate).encoder(EncoderSettings(ptime=ptime, bitrate=bitrate, fec=True, expected_loss=0.2))
        for at in range(0, pcm.size - encoder.frame, encoder.frame):
            payload = encoder.encode(pcm[at : at + encoder.frame])
            assert has_copy(payload) == bool(theirs(payload, len(payload)))
            found.add(has_copy(payload))
    assert found == {True, False}


def test_silence_need_not_be_sent() -> None:
    encoder = OPUS.encoder(EncoderSettings(dtx=True))
    sizes = [len(encoder.encode(np.zeros(960, np.int16))) for _ in range(100)]
    assert sizes.count(0) > 50
    encoder.tune(EncoderSettings(dtx=False))
    assert encoder.encode(np.zeros(960, np.int16))


def test_an_encoder_changes_while_it_works() -> None:
    encoder = OPUS.encoder(EncoderSettings(bitrate=64000))
    pcm = tone(300, 48000, 0.06) + tone(1700, 48000, 0.06)
    large = [len(encoder.encode(pcm[:960])) for _ in range(20)][-1]
    encoder.tune(EncoderSettings(bitrate=12000, ptime=60))
    assert encoder.frame == 2880
    small = [len(encoder.encode(pcm[:2880])) for _ in range(20)][-1]
    assert small / 3 < large / 2


@pytest.mark.parametrize("codec", [*ALL, G729], ids=lambda codec: codec.name)
def test_a_frame_of_another_size_or_kind_is_refused(codec: Codec) -> None:
    encoder = codec.encoder()
    for wrong in (np.zeros(encoder.frame - 1, np.int16), np.zeros(encoder.frame, np.float32)):
        with pytest.raises(CodecError):
            encoder.encode(wrong)  # type: ignore[arg-type]  # the point of the test
    with pytest.raises(CodecError):
        encoder.tune(EncoderSettings(ptime=17))
    with pytest.raises(PayloadError):
        codec.decoder().decode(b"")
    with pytest.raises(PayloadError):
        codec.decoder().samples_in(b"")


@given(st.lists(st.binary(min_size=1, max_size=400), max_size=12))
@settings(max_examples=150)
def test_any_octets_are_sound_or_the_documented_error(payloads: list[bytes]) -> None:
    for codec in available():
        decoder = codec.decoder()
        for payload in payloads:
            try:
                promised = decoder.samples_in(payload)
                assert decoder.decode(payload).size == promised
            except PayloadError:
                pass
            recovered = decoder.recover(payload, codec.rate // 50)
            assert recovered is None or recovered.dtype == np.int16


def test_what_is_not_there_says_why() -> None:
    for name in UNAVAILABLE.keys() - {"G729"}:
        with pytest.raises(NoSuchCodecError, match=r"FFmpeg|PyAV"):
            codec_named(name)
    with pytest.raises(NoSuchCodecError, match="not known"):
        codec_named("speex-ultra")
    with pytest.raises(NoSuchCodecError, match="48000"):
        codec_named("opus", 8000)
    assert codec_named("g722", 8000) is G722
    assert codec_named("OPUS", 48000, rate=16000).rate == 16000


def test_g729_is_there_where_the_system_has_its_library(monkeypatch: pytest.MonkeyPatch) -> None:
    assert available() == (*ALL, G729), "linphone's library, which the tests need anyway, brings it"
    assert codec_named("g729", 8000) is G729
    g729.load.cache_clear()
    monkeypatch.setattr("ctypes.util.find_library", lambda name: f"lib{name}-that-is-nowhere.so")
    try:
        assert available() == ALL
        with pytest.raises(NoSuchCodecError, match="libbcg729"):
            codec_named("G729")
        with pytest.raises(NoSuchCodecError, match="libbcg729"):
            G729.encoder()
    finally:
        g729.load.cache_clear()


def test_ffmpeg_understands_our_g729() -> None:
    pcm = speech(8000)
    encoder = G729.encoder(EncoderSettings(ptime=10))
    theirs = av.CodecContext.create("g729", "r")
    assert isinstance(theirs, AudioCodecContext)
    theirs.sample_rate, theirs.layout = 8000, "mono"
    decoder, ours, foreign = G729.decoder(), [], []
    for at in range(0, pcm.size - 79, 80):
        payload = encoder.encode(pcm[at : at + 80])
        assert len(payload) == 10
        ours.append(decoder.decode(payload))
        foreign += [frame.to_ndarray().reshape(-1) for frame in theirs.decode(av.Packet(payload))]
    heard, also = np.concatenate(ours).astype(float), np.concatenate(foreign).astype(float)
    size = min(heard.size, also.size)
    assert np.corrcoef(heard[:size], also[:size])[0, 1] > 0.95


def test_g729_silence_and_loss() -> None:
    decoder = G729.decoder()
    encoder = G729.encoder()
    pcm = speech(8000)
    for at in range(8000, 16000, 160):
        decoder.decode(encoder.encode(pcm[at : at + 160]))
    guess = decoder.conceal(200)
    assert guess is not None
    assert guess.size == 200
    assert np.abs(guess).max() > 0
    assert decoder.samples_in(bytes(22)) == 240 == decoder.decode(bytes(22)).size
    for wrong in (b"", bytes(3), bytes(11), bytes(250)):
        with pytest.raises(PayloadError):
            decoder.decode(wrong)


@pytest.mark.parametrize("name", ["g729", "siren", "ilbc"])
def test_ffmpeg_still_has_no_encoder_for_what_we_say_is_missing(name: str) -> None:
    with pytest.raises(av.codec.codec.UnknownCodecError):
        av.Codec(name, "w")


def test_wishes_about_opus_both_ways() -> None:
    said = OpusParameters.of(
        {"maxplaybackrate": "16000", "useinbandfec": "1", "maxaveragebitrate": "20000", "cbr": "x"}
    )
    assert said == OpusParameters(max_rate=16000, max_bitrate=20000, fec=True)
    assert str(said) == "maxplaybackrate=16000;maxaveragebitrate=20000;useinbandfec=1"
    assert str(OpusParameters()) == ""
    assert OpusParameters.of({"maxplaybackrate": "-1", "maxaveragebitrate": "9" * 30}) == OpusParameters()
    limited = said.limit(EncoderSettings(bitrate=32000))
    assert (limited.bitrate, limited.max_rate) == (20000, 16000)
    assert OpusParameters().limit(EncoderSettings()).bitrate is None


RATES = [
    (source, target) for source in (8000, 16000, 24000, 44100, 48000) for target in (8000, 16000, 24000, 44100, 48000)
]


@pytest.mark.parametrize(("source", "target"), RATES)
def test_resampling_gives_exact_lengths_and_the_same_tone(source: int, target: int) -> None:
    resampler = Resampler(source, target)
    pcm = tone(440, source, 1)
    size = source // 50
    pieces = [resampler.process(pcm[at : at + size]) for at in range(0, pcm.size, size)]
    assert {piece.size for piece in pieces} == {target // 50}
    out = np.concatenate(pieces)[target // 10 :].astype(float)
    spectrum = np.abs(np.fft.rfft(out * np.hanning(out.size))) ** 2
    peak = int(np.argmax(spectrum))
    assert abs(peak * target / out.size - 440) < 2
    assert spectrum[peak - 4 : peak + 5].sum() > 0.9999 * spectrum.sum(), "nothing but the tone"
    assert np.sqrt(np.mean(out**2)) == pytest.approx(8000 / np.sqrt(2), rel=0.01)


@pytest.mark.parametrize(("source", "target"), [(8000, 48000), (48000, 8000), (48000, 16000), (44100, 48000)])
def test_pieces_of_any_length_lose_no_sample(source: int, target: int) -> None:
    resampler, random = Resampler(source, target), np.random.default_rng(3)
    taken = given_out = 0
    for size in random.integers(0, 700, 400).tolist():
        given_out += resampler.process(np.full(size, 1000, np.int16)).size
        taken += size
        assert given_out == taken * target // source


def test_what_is_too_high_for_the_lower_rate_disappears() -> None:
    out = Resampler(16000, 8000).process(tone(5000, 16000, 1))[800:].astype(float)
    assert np.sqrt(np.mean(out**2)) < 8
    up = Resampler(8000, 16000).process(tone(3400, 8000, 1))[1600:].astype(float)
    spectrum = np.abs(np.fft.rfft(up * np.hanning(up.size))) ** 2
    assert spectrum[up.size // 4 + 50 :].sum() < 1e-5 * spectrum.sum(), "and no image of it appears"


def test_equal_rates_pass_and_wild_ones_are_refused() -> None:
    pcm = tone(440, 8000, 0.02)
    assert Resampler(8000, 8000).process(pcm) is pcm
    with pytest.raises(CodecError):
        Resampler(0, 8000)
