"""The pages of the identity provider: what a person sees while signing in, as bodies for ``net.pages``."""

from __future__ import annotations

from aiohttp import web

from ringback.net import pages
from ringback.services.identity.sessions import Session, SignIn

_SUBMIT = "document.forms[0].submit()"
FORM_PATH = "/sign-in"
SIGN_OUT_PATH = "/sign-out"


def ask_password(
    sign_in: SignIn, *, fault: str = "", user: str = "", status: int = 200, headers: dict[str, str] | None = None
) -> web.Response:
    """User name and password."""
    focus = ("", " autofocus") if user else (" autofocus", "")
    body = (
        f"{_to(sign_in)}{pages.fault(fault)}{_form(sign_in)}"
        f'<label for="user">User name</label><input id="user" name="user" value="{pages.escape(user)}" required '
        f'autocomplete="username" autocapitalize="none" spellcheck="false" maxlength="200"{focus[0]}>'
        '<label for="password">Password</label><input id="password" name="password" type="password" required '
        f'autocomplete="current-password" maxlength="500"{focus[1]}>'
        '<button type="submit">Sign in</button></form>'
    )
    return pages.page("Sign in", body, status=status, headers=headers)


def ask_code(
    sign_in: SignIn, *, fault: str = "", status: int = 200, headers: dict[str, str] | None = None
) -> web.Response:
    """The code of the second factor."""
    body = (
        f"{_to(sign_in)}{pages.fault(fault)}{_form(sign_in)}"
        '<label for="code">Code from your authenticator app</label><input id="code" name="code" required autofocus '
        'inputmode="numeric" autocomplete="one-time-code" pattern="[0-9 ]{6,8}" maxlength="8">'
        '<button type="submit">Continue</button></form>'
    )
    return pages.page("Enter your code", body, status=status, headers=headers)


def hand_over(consumer: str, answer: str, relay_state: str, headers: dict[str, str]) -> web.Response:
    """The answer on its way to the service: the form sends itself, or by its button where scripts are off."""
    fields = {"SAMLResponse": answer, "RelayState": relay_state}
    hidden = "".join(
        f'<input type="hidden" name="{name}" value="{pages.escape(value)}">' for name, value in fields.items() if value
    )
    body = (
        f'<form method="post" action="{pages.escape(consumer)}">{hidden}'
        '<p class="note">You are signed in. If nothing happens, continue here.</p>'
        '<button type="submit">Continue</button></form>'
    )
    # No form-action: browsers hold it against redirects that follow at the service, too.
    return pages.page("Signing in", body, script=_SUBMIT, form_action="", headers=headers)


def refusal(title: str, why: str, *, status: int, headers: dict[str, str] | None = None) -> web.Response:
    """Nothing is sent anywhere; the person reads why."""
    return pages.page(title, pages.fault(why), status=status, headers=headers)


def account(session: Session | None, token: str, *, headers: dict[str, str] | None = None) -> web.Response:
    """Who is signed in, and the way out."""
    if session is None:
        return pages.page("Signed out", "<p>Nobody is signed in here in this browser.</p>", headers=headers)
    name = pages.escape(session.person.name or session.person.user)
    body = (
        f"<p>You are signed in as <strong>{name}</strong>.</p>"
        '<p class="note">Services that you opened stay signed in until you sign out there.</p>'
        f'<form method="post" action="{SIGN_OUT_PATH}"><input type="hidden" name="token" value="{pages.escape(token)}">'
        '<button type="submit">Sign out</button></form>'
    )
    return pages.page("Your sign-in", body, headers=headers)


def _form(sign_in: SignIn) -> str:
    return f'<form method="post" action="{FORM_PATH}/{pages.escape(sign_in.id)}">'


def _to(sign_in: SignIn) -> str:
    return f'<p class="note">to continue to {pages.escape(sign_in.asked.service.entity_id)}</p>'
