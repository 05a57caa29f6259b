"""The errors of the presence service beside those of the protocol."""

from __future__ import annotations


class PresenceServiceError(Exception):
    """Anything that the presence service raises of itself."""


class CredentialsUnavailableError(PresenceServiceError):
    """No call manager answered the question for a person's credentials."""


class NoVerifierError(PresenceServiceError):
    """The person's password is in a directory, so that nobody has a verifier of it."""
