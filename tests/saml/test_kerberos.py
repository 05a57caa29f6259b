"""A ticket of a real Kerberos realm signs in at the identity provider; curl is the client that has it."""

from __future__ import annotations

import asyncio
import base64
import os
import secrets
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from lxml import html

from ringback.protocols.saml.issue import TICKET
from ringback.protocols.saml.request import AuthnRequest
from ringback.services.identity.settings import Kerberos
from tests.support.identity import IDP, LEILA, SERVICE, Stage, running_stage
from tests.support.kerberos import REALM, running_realm

pytestmark = pytest.mark.peer


async def _curl(stage: Stage, url: str, environment: Mapping[str, str]) -> str:
    """The page that curl gets with a ticket; it keeps cookies and follows."""
    port = stage.provider.endpoints[0].port
    process = await asyncio.create_subprocess_exec(
        "curl", "-s", "--max-time", "20", "--negotiate", "-u", ":", "--cacert", str(stage.authority.ca_file),
        "--resolve", f"{IDP}:{port}:127.0.0.1", url, env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    assert process.returncode == 0, err
    return out.decode()


def _request(stage: Stage) -> str:
    return AuthnRequest(
        "_" + secrets.token_hex(20),
        SERVICE,
        f"{stage.service.base}/ssosp/saml/SSO/alias/{SERVICE}",
        f"{stage.provider_base}/saml/sso",
        time.time(),
    ).redirect("state")


async def test_a_ticket_signs_in(tmp_path: Path) -> None:
    people = {"leila": "ticket please", "stranger": "unknown here", "mateus": "two things"}
    with running_realm(tmp_path / "realm", people) as realm:
        keytab = realm.keytab(f"HTTP/{IDP}", "idp.keytab")
        kerberos = Kerberos(keytab, REALM)
        async with (
            running_stage(tmp_path / "stage", methods=("form", "basic", "kerberos"), kerberos=kerberos) as stage,
            stage.browser() as browser,
        ):
            page = await browser.open(_request(stage))
            assert (page.status, page.headers["WWW-Authenticate"]) == (401, "Negotiate")
            assert "password" in page.form.fields, "who has no ticket signs in by the form of the same page"

            got = await _curl(stage, _request(stage), realm.ticket("leila", people["leila"]))
            fields = {each.get("name"): each.get("value") for each in html.document_fromstring(got).iter("input")}
            answer = base64.b64decode(fields["SAMLResponse"] or "").decode()
            assert TICKET in answer
            assert ">leila<" in answer

            # Somebody of the realm who has no account here, and somebody with a second factor.
            got = await _curl(stage, _request(stage), realm.ticket("stranger", people["stranger"]))
            assert "belongs to nobody who signs in here" in got
            got = await _curl(stage, _request(stage), realm.ticket("mateus", people["mateus"]))
            assert 'name="code"' in got

            for token in ("", "AAAA", base64.b64encode(b"NTLMSSP\0" + bytes(40)).decode(), "%%%"):
                page = await browser.open(_request(stage), headers={"Authorization": f"Negotiate {token}"})
                assert (page.status, "ticket" in page.fault) == (401, True)
            basic = base64.b64encode(f"{LEILA.user}:{LEILA.password}".encode()).decode()
            page = await browser.open(_request(stage), headers={"Authorization": f"Basic {basic}"})
            assert "SAMLResponse" in page.form.fields


async def test_a_ticket_of_another_realm_is_refused(tmp_path: Path) -> None:
    with running_realm(tmp_path / "realm", {"leila": "ticket please"}) as realm:
        kerberos = Kerberos(realm.keytab(f"HTTP/{IDP}", "idp.keytab"), "OTHER.EXAMPLE.COM")
        async with running_stage(tmp_path / "stage", methods=("form", "kerberos"), kerberos=kerberos) as stage:
            got = await _curl(stage, _request(stage), realm.ticket("leila", "ticket please"))
            assert "not accepted here" in got
            assert "SAMLResponse" not in got


async def test_a_keytab_that_does_not_serve_is_told_at_the_start(tmp_path: Path) -> None:
    for content in (None, b"", b"no keytab"):
        keytab = tmp_path / "keytab"
        if content is not None:
            keytab.write_bytes(content)
        with pytest.raises(OSError, match="keytab"):
            async with running_stage(tmp_path / f"stage-{content!r}", kerberos=Kerberos(keytab, REALM)):
                pass
