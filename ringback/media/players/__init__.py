"""What calls hear and keep that no person says: tones, music on hold, files played, recordings."""

from ringback.media.players.player import Player
from ringback.media.players.recorder import Recorder
from ringback.media.players.sound import Sound, SoundFileError, beep, read_sound
from ringback.media.players.tones import Tone, tone

__all__ = ["Player", "Recorder", "Sound", "SoundFileError", "Tone", "beep", "read_sound", "tone"]
