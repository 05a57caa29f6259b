"""Harnesses of OAuth: forms, answers, probe, tokens, key documents.

Beside the documented error, a forgery is what is looked for: whatever the fuzzer makes of a token, nothing but what was
signed may come out of it; and no address that is not ours may be returned to.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from urllib.parse import parse_qsl, urlencode, urlsplit

from ringback.protocols.oauth import grants
from ringback.protocols.oauth.clients import RINGBACK_CLIENT, ringback_client
from ringback.protocols.oauth.grants import AuthorizeRequest, CodeAnswer, GrantError, RefusedError
from ringback.protocols.oauth.probe import Probe, ProbeError
from ringback.protocols.oauth.tokens import (
    CheckingKeys,
    Claims,
    IssuerKeys,
    Revocation,
    TakenBack,
    TokenError,
    check_access,
    check_refresh,
    issue_access,
    issue_refresh,
)

_NOW = 1_800_000_000.0
_KEYS = IssuerKeys.generate("f3a1b2c4-0000-4000-8000-000000000001")
_CHECK = CheckingKeys.parse([_KEYS.published(encryption=True)])
_CLAIMS = Claims("anita", _KEYS.cluster, RINGBACK_CLIENT, "11111111-2222", _NOW, _NOW + 60)
_BACK = "http://127.0.0.1:8080/signed-in"
_REQUEST = AuthorizeRequest("code", RINGBACK_CLIENT, _BACK, "s", grants.challenge_of("v" * 43), device="CSFANITA")
_TAKEN_BACK = TakenBack(revoked=(Revocation(user="anita", before=_NOW),), deactivated=frozenset({"bruno"}))
_OURS = ringback_client()


def _messages(data: bytes) -> None:
    for read in (
        lambda body: AuthorizeRequest.parse(grants.parse_form(body)),
        lambda body: grants.parse_token_request(grants.parse_form(body)),
        grants.TokenResponse.parse,
        grants.ErrorResponse.parse,
        grants.RevokedResponse.parse,
    ):
        with contextlib.suppress(GrantError):
            read(data)
    with contextlib.suppress(ProbeError):
        Probe.parse(data)
    with contextlib.suppress(GrantError, RefusedError):
        CodeAnswer.parse(parse_qsl(data.decode("latin-1"), max_num_fields=None), "s")


def _tokens(data: bytes) -> None:
    token = data.decode("latin-1")
    for check in (check_access, check_refresh):
        with contextlib.suppress(TokenError):
            if check(_CHECK, token, _NOW) != _CLAIMS:
                raise RuntimeError("a token says what nobody signed")


def _key_documents(data: bytes) -> None:
    with contextlib.suppress(TokenError):
        CheckingKeys.parse([data]).refuses("anita", _NOW, RINGBACK_CLIENT, "1")


def _redirects(data: bytes) -> None:
    address = data.decode("utf-8", "replace")
    if _OURS.may_return_to(address):
        parts = urlsplit(address)
        if not (parts.hostname or "").startswith(("127.", "::1", "localhost")) or parts.path != "/signed-in":
            raise RuntimeError(f"this would be returned to: {address!r}")


OAUTH: dict[str, tuple[Callable[[bytes], None], tuple[bytes, ...]]] = {
    "oauth-messages": (
        _messages,
        (
            urlencode(_REQUEST.parameters()).encode(),
            urlencode(grants.CodeGrant(RINGBACK_CLIENT, "c", _BACK, "v" * 43).form()).encode(),
            grants.TokenResponse(access_token="a", token_type="Bearer", expires_in=1, refresh_token="r").build(),
            Probe(True, True).build(),
            b"code=c&state=s&iss=https%3A%2F%2Fcm1.example.com",
        ),
    ),
    "oauth-tokens": (_tokens, (issue_access(_KEYS, _CLAIMS).encode(), issue_refresh(_KEYS, _CLAIMS).encode())),
    "oauth-key-documents": (_key_documents, (_KEYS.published(encryption=True, taken_back=_TAKEN_BACK),)),
    "oauth-redirects": (_redirects, (_BACK.encode(), b"http://[::1]:1/signed-in", b"http://localhost:65535/signed-in")),
}
