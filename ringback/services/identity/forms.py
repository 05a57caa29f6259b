"""The pages of the identity provider: what a person sees while signing in, as bodies for ``net.pages``."""

from __future__ import annotations

from aiohttp import web

from ringback.net import pages
from ringback.rules.catalogue import render
from ringback.rules.reasons import Reason
from ringback.services.identity.sessions import Session, SignIn

_SUBMIT = "document.forms[0].submit()"
FORM_PATH = "/sign-in"
SIGN_OUT_PATH = "/sign-out"


def ask_password(
    sign_in: SignIn, *, fault: str = "", user: str = "", status: int = 200, headers: dict[str, str] | None = None
) -> web.Response:
    """User name and password. Focus is where the person has to type, and the fault belongs to that field."""
    focus = ("", " autofocus") if user else (" autofocus", "")
    described = _described(fault)
    body = (
        f"{_then(sign_in)}{_fault(fault)}{_form(sign_in)}"
        f'<label for="user">{_say("identity.user")}</label>'
        f'<input id="user" name="user" value="{pages.escape(user)}" required autocomplete="username" '
        f'autocapitalize="none" spellcheck="false" maxlength="200"{focus[0]}{described}>'
        f'<label for="password">{_say("identity.password")}</label>'
        f'<input id="password" name="password" type="password" required autocomplete="current-password" '
        f'maxlength="500"{focus[1]}{described}><button type="submit">{_say("identity.submit")}</button></form>'
    )
    return _page("identity.title", body, status=status, headers=headers)


def ask_code(
    sign_in: SignIn, *, fault: str = "", status: int = 200, headers: dict[str, str] | None = None
) -> web.Response:
    """The code of the second factor."""
    body = (
        f"{_then(sign_in)}{_fault(fault)}{_form(sign_in)}"
        f'<label for="code">{_say("identity.code")}</label><input id="code" name="code" required autofocus '
        'inputmode="numeric" autocomplete="one-time-code" pattern="[0-9 ]{6,8}" maxlength="8"'
        f'{_described(fault)}><button type="submit">{_say("identity.continue")}</button></form>'
    )
    return _page("identity.code-title", body, status=status, headers=headers)


def hand_over(consumer: str, answer: str, relay_state: str, headers: dict[str, str]) -> web.Response:
    """The answer on its way to the service: the form sends itself, or by its button where scripts are off."""
    fields = {"SAMLResponse": answer, "RelayState": relay_state}
    hidden = "".join(
        f'<input type="hidden" name="{name}" value="{pages.escape(value)}">' for name, value in fields.items() if value
    )
    body = (
        f'<form method="post" action="{pages.escape(consumer)}">{hidden}'
        f'<p class="note">{_say("identity.handing-over")}</p>'
        f'<button type="submit">{_say("identity.continue")}</button></form>'
    )
    # No form-action: browsers hold it against redirects that follow at the service, too.
    title = render(Reason("identity.handing-over-title"))
    return pages.page(title, body, script=_SUBMIT, form_action="", headers=headers)


def refusal(title: str, why: str, *, status: int) -> web.Response:
    """Nothing is sent anywhere; the person reads why. ``title`` is the id of a sentence."""
    return _page(title, pages.fault(why), status=status)


def account(session: Session | None, token: str) -> web.Response:
    """Who is signed in, and the way out."""
    if session is None:
        return _page("identity.signed-out-title", f"<p>{_say('identity.nobody')}</p>")
    body = (
        f"<p>{_say('identity.somebody', name=session.person.name or session.person.user)}</p>"
        f'<p class="note">{_say("identity.services-stay")}</p>'
        f'<form method="post" action="{SIGN_OUT_PATH}"><input type="hidden" name="token" value="{pages.escape(token)}">'
        f'<button type="submit">{_say("identity.sign-out")}</button></form>'
    )
    return _page("identity.account-title", body)


def _page(title: str, body: str, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return pages.page(render(Reason(title)), body, status=status, headers=headers)


def _say(reason_id: str, **values: object) -> str:
    return pages.escape(render(Reason.of(reason_id, **values)))


def _form(sign_in: SignIn) -> str:
    return f'<form method="post" action="{FORM_PATH}/{pages.escape(sign_in.id)}">'


def _then(sign_in: SignIn) -> str:
    return f'<p class="note">{_say("identity.then", service=sign_in.asked.service.entity_id)}</p>'


def _fault(text: str) -> str:
    return f'<p class="fault" role="alert" id="fault">{pages.escape(text)}</p>' if text else ""


def _described(text: str) -> str:
    return ' aria-describedby="fault"' if text else ""
