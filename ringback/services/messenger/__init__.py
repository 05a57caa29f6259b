"""The messenger cloud's role: so far the answerer of the cloud look-up (CAS)."""

from ringback.services.messenger.service import MessengerService
from ringback.services.messenger.settings import MessengerSettings

__all__ = ["MessengerService", "MessengerSettings"]
