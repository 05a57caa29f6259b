"""Conferences: everybody hears everybody else; the picture is of whoever talks."""

from ringback.media.conference.conference import Conference, Seat
from ringback.media.conference.hub import MixingHub
from ringback.media.conference.mixer import Mix, Mixer
from ringback.media.conference.video import VideoSwitch

__all__ = ["Conference", "Mix", "Mixer", "MixingHub", "Seat", "VideoSwitch"]
