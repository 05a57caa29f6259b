"""The side of a service in single sign-on (SAML 2.0): sends a browser to the identity provider and takes its answer."""

from ringback.net.single_sign_on.service_provider import SingleSignOn
from ringback.net.single_sign_on.settings import NotSignedIn, SignedIn, SingleSignOnSettings

__all__ = ["NotSignedIn", "SignedIn", "SingleSignOn", "SingleSignOnSettings"]
