"""SAML 2.0 single sign-on in its fixed profile: request by redirect, answer by POST, signed assertions."""
