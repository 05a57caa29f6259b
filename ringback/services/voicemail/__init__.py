"""The voicemail service: mailboxes, the REST interface to them, notifications."""

from ringback.services.voicemail.service import VoicemailService
from ringback.services.voicemail.settings import VoicemailSettings

__all__ = ["VoicemailService", "VoicemailSettings"]
