"""What a person sees of the authorization endpoint: the log-in form, and the page that says why nothing goes on."""

from __future__ import annotations

from dataclasses import dataclass, field

from aiohttp import hdrs, web

from ringback.net import pages
from ringback.protocols.oauth.grants import ErrorCode, ErrorResponse
from ringback.rules.catalogue import render
from ringback.rules.reasons import Reason


@dataclass(frozen=True, slots=True)
class Form:
    """The log-in form: where it posts to, its proof of origin, who asks (``client``) whom (``node``), the user name to
    begin with, and the origin that the browser goes to afterwards."""

    action: str
    csrf: str = field(repr=False)
    client: str
    node: str
    user: str
    returns_to: str


def words(reason: Reason) -> str:
    """The sentence of a reason."""
    return render(reason)


def form(asked: Form, fault: Reason | None, status: int, headers: dict[str, str] | None = None) -> web.Response:
    """The log-in page. Focus is where the person has to type."""

    def say(reason_id: str, **values: object) -> str:
        return pages.escape(words(Reason.of(reason_id, **values)))

    alert = "" if fault is None else f'<p class="fault" role="alert" id="fault">{pages.escape(words(fault))}</p>'
    described = "" if fault is None else ' aria-describedby="fault"'
    user_focus, password_focus = ("", " autofocus") if asked.user else (" autofocus", "")
    body = (
        f"<p>{say('log-in.lead', client=asked.client, node=asked.node)}</p>{alert}"
        f'<form method="post" action="{pages.escape(asked.action)}">'
        f'<input type="hidden" name="csrf" value="{pages.escape(asked.csrf)}">'
        f'<label for="user">{say("log-in.user")}</label>'
        f'<input id="user" name="user" value="{pages.escape(asked.user)}" autocomplete="username" maxlength="256" '
        f'autocapitalize="none" spellcheck="false" required{user_focus}{described}>'
        f'<label for="password">{say("log-in.password")}</label>'
        f'<input id="password" name="password" type="password" autocomplete="current-password" maxlength="1024" '
        f"required{password_focus}{described}>"
        f'<button type="submit">{say("log-in.submit")}</button></form>'
    )
    # Browsers apply form-action to where the answer of the form sends them, too.
    return pages.page(
        words(Reason("log-in.title")), body, status=status, form_action=f"'self' {asked.returns_to}", headers=headers
    )


def refused(request: web.Request, code: ErrorCode, why: Reason | str) -> web.Response:
    """A request that nobody can be sent back for: a page for browsers, the published JSON for others."""
    text = why if isinstance(why, str) else words(why)
    if "text/html" not in request.headers.get(hdrs.ACCEPT, ""):
        return refused_json(code, text, 400)
    title = words(Reason("log-in.refused-title"))
    sentence = words(Reason.of("log-in.refused", why=text.rstrip(".")))
    return pages.page(title, pages.fault(f"{sentence}."), status=400)


def refused_json(code: ErrorCode, text: str, status: int, headers: dict[str, str] | None = None) -> web.Response:
    """A refusal in the shape that is seen on real servers: the error in capitals."""
    body = ErrorResponse(error=code.upper(), error_description=text).build()
    kept = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"} | (headers or {})
    return web.Response(status=status, body=body, content_type="application/json", headers=kept)
