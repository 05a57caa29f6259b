"""The E-model: from what the link does to what people think of the sound (ITU-T G.107, 06/2015; wideband: G.107.1).

All parameters that a program on a computer is not able to measure (loudness, room noise, side tone) have the default
values of table 3 of G.107. Delay, the codec's impairment and lost sound are measured.

Wideband codecs are rated on the wideband scale (0 to 129) and brought to the 0 to 100 scale as G.107.1 says (divided by
1.29), so each score says how near a call is to the best that its band can give; scores of narrow and wide calls are not
comparable with each other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

WIDEBAND_BEST = 129.0
_BAND = 1.29

# Table 3 of G.107: values that are meant where nothing else is known.
_SLR, _RLR, _STMR, _D, _DS = 8.0, 2.0, 15.0, 3.0, 3.0
_TELR, _WEPL = 65.0, 110.0
_NC, _NFOR, _PS, _PR = -70.0, -64.0, 35.0, 35.0
_LSTR = _STMR + _D


@dataclass(frozen=True, slots=True)
class CodecImpairment:
    """``ie``: what the codec costs without loss; ``bpl``: how well it bears loss (the more the better), both of G.113.

    ``wide``: on the scale of G.107.1.
    """

    ie: float
    bpl: float
    wide: bool = False


IMPAIRMENTS: Mapping[str, CodecImpairment] = {
    "PCMU": CodecImpairment(0, 25.1),
    "PCMA": CodecImpairment(0, 25.1),
    "G729": CodecImpairment(11, 19.0),
    "GSM": CodecImpairment(26, 43.0),
    "ILBC": CodecImpairment(10, 23.4),
    "G722": CodecImpairment(13, 12.0, wide=True),
    "OPUS": CodecImpairment(6, 14.0, wide=True),
}
"""By upper-case name. G.711 (with concealment), G.729, GSM and G.722's ``ie``: G.113 Appendix I and IV. There are no
agreed values for Opus, nor for the concealment used here with G.722: those follow measurements of this play-out with
PESQ."""

_UNKNOWN = CodecImpairment(10, 10.0)
_OPUS_BITRATES = ((24000, 0.0), (20000, 4.0), (16000, 10.0), (12000, 20.0), (0, 35.0))
"""Bits a second at least, and what Opus costs more there; measured likewise."""


@dataclass(frozen=True, slots=True)
class Rating:
    """``r``: 0 to 100. ``score``: mean opinion score, 1 to 4.5. The others say what was lost to delay, codec and
    gaps."""

    r: float
    score: float
    by_delay: float
    by_codec: float
    by_loss: float


def rate(codec: str, lost: float, delay: float, *, burst: float = 1.0, bitrate: int | None = None) -> Rating:
    """Rate one direction of a call.

    ``lost``: share (0 to 1) of sound that had to be guessed, after all repair. ``delay``: seconds from mouth to ear.
    ``burst``: mean length of a run of losses against random ones (1: random). ``bitrate``: of Opus, bits a second.
    """
    impairment = impairment_of(codec, bitrate)
    percent = min(100.0, max(0.0, lost * 100.0))
    ceiling = 95.0 * (_BAND if impairment.wide else 1.0)
    by_loss = (ceiling - impairment.ie) * percent / (percent / max(1.0, burst) + impairment.bpl)
    by_delay = delay_impairment(max(0.0, delay) * 1000.0)
    if impairment.wide:
        r = (WIDEBAND_BEST - impairment.ie - by_loss) / _BAND - by_delay
        by_loss, by_codec = by_loss / _BAND, impairment.ie / _BAND
    else:
        r, by_codec = basic_rating() - impairment.ie - by_loss - by_delay, impairment.ie
    r = min(100.0, max(0.0, r))
    return Rating(r, opinion_score(r), by_delay, by_codec, by_loss)


def impairment_of(codec: str, bitrate: int | None = None) -> CodecImpairment:
    """What a codec costs, by its registered name; a middling guess for one that is not known."""
    found = IMPAIRMENTS.get(codec.upper(), _UNKNOWN)
    if codec.upper() == "OPUS" and bitrate:
        more = next(cost for least, cost in _OPUS_BITRATES if bitrate >= least)
        return CodecImpairment(found.ie + more, found.bpl, wide=True)
    return found


def opinion_score(r: float) -> float:
    """From R to the mean opinion score (G.107 Annex B)."""
    if r <= 0:
        return 1.0
    if r >= 100:
        return 4.5
    return max(1.0, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6)


def basic_rating() -> float:
    """R of a call that only the default room noise and loudness impair: 93.2."""
    ratio, noise = _signal_to_noise()
    return ratio - _simultaneous(ratio, noise) - delay_impairment(0.0)


def delay_impairment(milliseconds: float) -> float:
    """Idte + Idle + Idd: echo of the talker, echo of the listener, and delay too long to talk (clause 7.4)."""
    ratio, noise = _signal_to_noise()
    return _talker_echo(milliseconds, noise) + _listener_echo(2 * milliseconds, ratio) + _too_long(milliseconds)


def _signal_to_noise() -> tuple[float, float]:
    """Ro and No (clause 7.2)."""
    overall = _SLR + _RLR
    nos = _PS - _SLR - _DS - 100 + 0.004 * (_PS - overall - _DS - 14) ** 2
    pre = _PR + 10 * math.log10(1 + 10 ** ((10 - _LSTR) / 10))
    nor = _RLR - 121 + pre + 0.008 * (pre - 35) ** 2
    nfo = _NFOR + _RLR
    noise = 10 * math.log10(sum(10 ** (part / 10) for part in (_NC, nos, nor, nfo)))
    return 15 - 1.5 * (_SLR + noise), noise


def _simultaneous(ratio: float, noise: float) -> float:
    """Is (clause 7.3): loudness, side tone, quantising."""
    xolr = _SLR + _RLR + 0.2 * (64 + noise - _RLR)
    iolr = 20 * ((1 + (xolr / 8) ** 8) ** (1 / 8) - xolr / 8)
    stmro = -10 * math.log10(10 ** (-_STMR / 10) + 10 ** (-_TELR / 10))
    ist = (
        12 * (1 + ((stmro - 13) / 6) ** 8) ** (1 / 8)
        - 28 * (1 + ((stmro + 1) / 19.4) ** 35) ** (1 / 35)
        - 13 * (1 + ((stmro - 3) / 33) ** 13) ** (1 / 13)
        + 29
    )
    g = 1.07 + 0.258 * 37 + 0.0602 * 37**2
    y, z = (ratio - 100) / 15 + 46 / 8.4 - g / 9, 46 / 30 - g / 40
    return float(iolr + ist + 15 * math.log10(1 + 10**y + 10**z))


def _talker_echo(milliseconds: float, noise: float) -> float:
    if milliseconds < 1:
        return 0.0
    terv = (
        _TELR
        - 40 * math.log10((1 + milliseconds / 10) / (1 + milliseconds / 150))
        + 6 * math.exp(-0.3 * milliseconds**2)
    )
    roe = -1.5 * (noise - _RLR)
    re = 80 + 2.5 * (terv - 14)
    return ((roe - re) / 2 + math.sqrt((roe - re) ** 2 / 4 + 100) - 1) * (1 - math.exp(-milliseconds))


def _listener_echo(round_trip: float, ratio: float) -> float:
    rle = 10.5 * (_WEPL + 7) * (round_trip + 1) ** -0.25
    return float((ratio - rle) / 2 + math.sqrt((ratio - rle) ** 2 / 4 + 169))


def _too_long(milliseconds: float) -> float:
    if milliseconds <= 100:
        return 0.0
    x = math.log2(milliseconds / 100)
    return float(25 * ((1 + x**6) ** (1 / 6) - 3 * (1 + (x / 3) ** 6) ** (1 / 6) + 2))
