"""How questions look that wait for a person: each as the host would tell it, in every look, read by axe; and what the
page answers. Where they come from is shown elsewhere, with real servers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import msgspec
import pytest
from playwright.sync_api import expect

from ringback.client.host.wire_sign_in import (
    CertificateBefore,
    CertificateQuestion,
    ChangedSetting,
    ConfigurationChange,
    Questions,
    QuestionsChanged,
    SignIn,
    SignInAgain,
    SignInChanged,
)
from ringback.rules.reasons import Reason
from ringback.rules.trace import Fault
from tests.browser.conftest import Arrive
from tests.browser.people import MODIFIED, Person
from tests.browser.test_views import violations
from tests.browser.wire import Wire

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

# Colours of the system, contrast themes, language; whether axe looks (contrast themes choose the colours, and the rest
# is that of the others), and whether in a narrow window too (the longest words, and the other direction).
LOOKS: dict[str, tuple[Literal["light", "dark"], Literal["active", "none"], str, bool, bool]] = {
    "light": ("light", "none", "en", True, False),
    "dark-de": ("dark", "none", "de", True, True),
    "light-ar": ("light", "none", "ar", False, True),
    "forced": ("dark", "active", "en", False, False),
}
HOST = "cm-berlin.example.com"
WHY = Reason.of("calls.ended.gone", name="Berlin", seconds=45)  # any sentence of the catalogue
CERTIFICATE = CertificateQuestion(
    server="im1.example.com",
    expected="im1.example.com",
    found=["im1.old.example", "*.old.example"],
    subject="CN=im1.old.example",
    issuer="CN=Somebody else",
    valid_from="2026-01-01T00:00:00Z",
    valid_until="2027-01-01T00:00:00Z",
    fingerprint=":".join(["AB", "CD"] * 16),
    reason=WHY,
    why=[Reason.of("calls.why.silent")],
    may_accept=True,
    service="messages",
    before=CertificateBefore(
        issuer="CN=Example private CA",
        valid_until="2026-12-01T00:00:00Z",
        fingerprint=":".join(["12", "34"] * 16),
        accepted_at="2026-10-01T09:00:00Z",
    ),
)
AGAIN = SignInAgain(asks="password", who_asks=HOST, reason=WHY, services=["messages", "phone"])


def questions(wire: Wire, **waiting: Any) -> None:
    """These wait."""
    wire.tell(QuestionsChanged(questions=Questions(**waiting)))


@pytest.fixture
def look(person: Arrive) -> Iterator[Any]:
    """Call with a view's name: looked at in every look; at the end axe must have found nothing."""
    found: dict[str, Any] = {}

    def at(one: Person, view: str) -> None:
        for name, (scheme, forced, language, axe, narrow) in LOOKS.items():
            one.page.emulate_media(color_scheme=scheme, forced_colors=forced, reduced_motion="reduce")
            one.prefer(language=language)
            expect(one.page.locator("html")).to_have_attribute("lang", language)
            if axe:
                found[f"{view}-{name}"] = violations(one)
            one.fits()
            one.picture(f"question-{view}-{name}")
            if narrow:
                one.page.set_viewport_size({"width": 360, "height": 740})
                one.fits()
                one.picture(f"question-{view}-{name}-360")
                one.page.set_viewport_size({"width": 1440, "height": 900})
        one.page.emulate_media(color_scheme="light", forced_colors="none")
        one.prefer(language="en")

    yield at
    wrong = {view: each for view, each in found.items() if each}
    assert not wrong, wrong


def test_what_waits_while_signed_in_is_a_line_and_answered_without_losing_what_is_written(
    person: Arrive, look: Any
) -> None:
    anita = person("anita")
    wire = Wire(anita)
    anita.sign_in()
    wire.answers = True
    anita.turn("/chats/bruno@example.com")
    anita.composer.fill("Half a thought")
    page = anita.page

    questions(wire, again=AGAIN)
    expect(page.get_by_text("Until then these wait: Messages and Phone.")).to_be_visible(timeout=MODIFIED)
    expect(anita.composer).to_be_focused()
    look(anita, "again")
    page.get_by_role("button", name="Sign in again").click()
    dialog = page.get_by_role("alertdialog", name="Sign in again")
    expect(dialog.get_by_label("Password")).to_be_focused()
    expect(dialog).to_contain_text(HOST)
    look(anita, "again-dialog")
    dialog.get_by_label("Password").fill("not this one")
    dialog.get_by_role("button", name="Sign in again").click()
    expect(dialog).to_have_count(0)
    assert [order["do"] for order in wire.asked] == ["SignInWith"]
    expect(anita.composer).to_have_value("Half a thought")

    questions(wire, certificate=CERTIFICATE)
    page.get_by_role("button", name="Look at it").click()
    dialog = page.get_by_role("alertdialog", name="The certificate of im1.example.com is not trusted")
    expect(dialog.get_by_role("button", name="Don't connect")).to_be_focused()
    expect(dialog).to_contain_text("On 1 October 2026")
    expect(dialog.get_by_text("differs", exact=True)).to_have_count(3)
    look(anita, "certificate")
    page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    assert wire.asked[-1]["do"] == "AnswerCertificate"
    assert wire.asked[-1]["accept"] is False

    questions(
        wire,
        configuration=ConfigurationChange(
            effect="sign_out",
            changes=[
                ChangedSetting(name="CcmcipServer1", was="cm1.example.com", now="cm3.example.com", effect="sign_out")
            ],
        ),
    )
    page.get_by_role("button", name="What changed").click()
    expect(page.get_by_text("CcmcipServer1: cm1.example.com → cm3.example.com")).to_be_visible()
    look(anita, "configuration")
    page.get_by_role("button", name="Later").click()
    page.get_by_role("button", name="Sign out and in again").click()
    expect(anita.composer).to_have_value("Half a thought")
    assert [order["do"] for order in wire.asked[-2:]] == ["PostponeConfiguration", "ApplyConfiguration"]
    questions(wire, configuration=ConfigurationChange(effect="told", changes=[]))
    page.get_by_role("button", name="Understood").click()
    questions(wire)
    expect(page.get_by_role("button", name="Understood")).to_have_count(0)


def test_the_cards_of_a_sign_in_by_somebody_else_say_who_why_and_what_went_wrong(person: Arrive, look: Any) -> None:
    leila = person("anita")
    wire = Wire(leila)
    leila.open()
    page = leila.page
    expect(page.get_by_label("Work address")).to_be_visible(timeout=MODIFIED)
    asks = SignIn(
        phase="credentials",
        address="leila@example.com",
        name="Leila Haddad",
        asks="browser",
        who_asks=HOST,
        why=[WHY, Reason.of("calls.why.silent")],
    )
    wire.tell(SignInChanged(sign_in=asks))
    expect(page.get_by_role("button", name=f"Go on to {HOST}")).to_be_focused()
    page.get_by_text("Why?", exact=True).click()
    look(leila, "browser")
    fault = Fault("any", WHY, WHY, Reason.of("calls.why.silent"), WHY)
    wire.tell(SignInChanged(sign_in=msgspec.structs.replace(asks, fault=fault)))
    expect(page.get_by_role("alert")).to_contain_text("Do not disturb")
    look(leila, "browser-fault")
    password = SignIn(phase="credentials", address="leila@example.com", asks="password", who_asks=HOST)
    wire.tell(SignInChanged(sign_in=password))
    expect(page.get_by_label("Password")).to_be_focused()
    expect(page.get_by_label("User name")).to_have_count(0)
    wire.tell(SignInChanged(sign_in=msgspec.structs.replace(password, wrong_password=WHY, user="leila")))
    expect(page.get_by_label("User name")).to_have_value("leila")
    look(leila, "user-name")
    wire.answers = True
    page.get_by_label("User name").fill("b10042")
    page.get_by_label("Password").fill("not this one")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_disabled()
    assert [(order["do"], order["user"]) for order in wire.asked] == [("SignInWith", "b10042")]
    wire.tell(SignInChanged(sign_in=SignIn(signed_out=WHY)))
    expect(page.get_by_role("alert")).to_contain_text("You are signed out")
    look(leila, "signed-out")
    changed = msgspec.structs.replace(CERTIFICATE, service="", may_accept=False)
    wire.tell(SignInChanged(sign_in=SignIn(phase="finding", address="leila@example.com", certificate=changed)))
    card = page.get_by_role("alertdialog", name="The certificate of im1.example.com is not trusted")
    expect(card.get_by_role("button")).to_have_count(1)
    expect(card).to_contain_text("Your company does not allow exceptions.")
    look(leila, "certificate-card")
