"""The contact list: groups and their order by keys and by dragging, names of one's own, files out and in and undone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.conftest import Arrive
from tests.browser.people import Person
from tests.browser.test_views import violations

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

CARDS = (
    "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Depot Süd\r\nTEL;TYPE=work:+49 89 555 77 10\r\nEND:VCARD\r\n"
    "BEGIN:VCARD\r\nVERSION:4.0\r\nNOTE:Nobody to reach\r\nEND:VCARD\r\n"
)


def names_in(one: Person, group: str) -> list[str]:
    """The people of a group, from top to bottom."""
    rows = one.page.locator(f"[data-group='{group}'] [data-contact]")
    return [str(row.get_attribute("data-contact")) for row in rows.all()]


def shows(one: Person, group: str, *people: str) -> None:
    """Wait until a group holds these people in this order."""
    rows = one.page.locator(f"[data-group='{group}'] [data-contact]")
    for at, user in enumerate(people):
        expect(rows.nth(at)).to_have_attribute("data-contact", f"{user}@example.com")
    expect(rows).to_have_count(len(people))


def groups(one: Person) -> list[str]:
    """The groups from top to bottom."""
    return [str(each.get_attribute("data-group")) for each in one.page.locator("[data-group]").all()]


def choose(one: Person, *words: str) -> None:
    """From the menu of the list."""
    one.page.get_by_role("button", name="Arrange, import and export").click()
    one.page.get_by_role("menuitem", name=words[0], exact=True).click()


def answer(one: Person, dialog: str, text: str, button: str = "Save") -> None:
    """Fill in a dialog that asks for one text."""
    asked = one.page.get_by_role("dialog", name=dialog)
    asked.get_by_role("textbox").fill(text)
    asked.get_by_role("button", name=button).click()
    expect(asked).to_have_count(0)


def of_group(one: Person, group: str, item: str) -> None:
    """From the menu of a group."""
    one.page.get_by_role("button", name=f"Actions for the group {group}").click()
    one.page.get_by_role("menuitem", name=item, exact=True).click()


def row_in(one: Person, group: str, user: str) -> Locator:
    """Somebody's row in a group."""
    return one.page.locator(f"[data-group='{group}'] [data-contact='{user}@example.com']")


def test_groups_and_people_are_put_in_order_by_keys_and_by_dragging(person: Arrive) -> None:
    george = person("george")
    george.sign_in()
    george.see("Contacts")
    page = george.page
    shows(george, "Sales", "bartholomew", "hana")
    choose(george, "New group")
    answer(george, "New group", "Night shift")
    expect(page.locator("[data-group='Night shift']")).to_contain_text("Nobody yet")
    row_in(george, "Sales", "hana").focus()
    page.keyboard.press("Control+Shift+ArrowUp")
    shows(george, "Sales", "hana", "bartholomew")
    row_in(george, "Sales", "bartholomew").drag_to(page.locator("[data-group='Night shift'] [data-group-head]"))
    shows(george, "Night shift", "bartholomew")
    shows(george, "Sales", "hana")
    row_in(george, "Sales", "hana").drag_to(
        row_in(george, "Night shift", "bartholomew"), target_position={"x": 90, "y": 4}
    )
    shows(george, "Night shift", "hana", "bartholomew")
    george.picture("contacts-arranged")
    of_group(george, "Night shift", "Rename the group")
    answer(george, "Rename the group", "Late shift")
    shows(george, "Late shift", "hana", "bartholomew")
    before = groups(george)
    page.locator("[data-group='Late shift']").get_by_role("button").first.focus()
    page.keyboard.press("Control+Shift+ArrowUp")
    at = before.index("Late shift")
    after = [*before[: at - 1], "Late shift", before[at - 1], *before[at + 1 :]]
    expect(page.locator("[data-group]").nth(at - 1)).to_have_attribute("data-group", "Late shift")
    assert groups(george) == after
    page.reload()
    shows(george, "Late shift", "hana", "bartholomew")
    assert groups(george) == after
    row_in(george, "Late shift", "hana").click()
    page.get_by_role("main").get_by_role("button", name="Favourite").click()
    expect(page.locator("[data-group]").first).to_have_attribute("data-group", "Favourites")
    page.get_by_role("main").get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Change the name").click()
    answer(george, "Change the name", "Hanna from sales")
    expect(page.get_by_role("main").get_by_role("heading", name="Hanna from sales")).to_be_visible()
    for user in ("bartholomew", "hana"):
        row_in(george, "Late shift", user).drag_to(page.locator("[data-group='Sales'] [data-group-head]"))
        expect(row_in(george, "Sales", user)).to_be_visible()
    of_group(george, "Late shift", "Delete the group")
    page.get_by_role("alertdialog").get_by_role("button", name="Delete the group").click()
    expect(page.locator("[data-group='Late shift']")).to_have_count(0)


def test_contacts_go_out_and_come_in_as_files_and_an_import_is_undone(person: Arrive, tmp_path: Path) -> None:
    ivan = person("ivan")
    ivan.sign_in()
    ivan.see("Contacts")
    page = ivan.page
    before = {group: names_in(ivan, group) for group in groups(ivan)}
    for kind, words in (("csv", "Table (CSV)"), ("vcf", "Cards (vCard)"), ("xml", "Contact list (XML)")):
        choose(ivan, "Export contacts")
        dialog = page.get_by_role("dialog", name="Export contacts")
        dialog.get_by_role("radio", name=words).check()
        with page.expect_download() as coming:
            dialog.get_by_role("button", name="Save the file").click()
        file = tmp_path / f"contacts.{kind}"
        coming.value.save_as(file)
        expect(dialog.get_by_role("status")).to_contain_text("people are in")
        assert "julia" in file.read_text()
        dialog.get_by_role("button", name="Close").click()
    dialog = page.get_by_role("dialog", name="Import contacts")
    for kind in ("csv", "vcf", "xml"):
        choose(ivan, "Import contacts")
        dialog.locator("input[type=file]").set_input_files(tmp_path / f"contacts.{kind}")
        expect(dialog).to_contain_text("0 to add, 0 to change")
        expect(dialog.get_by_role("button", name="Nothing to import")).to_be_visible()
        dialog.get_by_role("button", name="Cancel").click()
    (tmp_path / "new.vcf").write_text(CARDS, encoding="utf-8", newline="")
    choose(ivan, "Import contacts")
    dialog.locator("input[type=file]").set_input_files(tmp_path / "new.vcf")
    expect(dialog).to_contain_text("1 to add, 0 to change")
    rows = dialog.get_by_role("region", name="Contacts in the file")
    expect(rows).to_contain_text("Depot Süd")
    expect(dialog).to_contain_text("neither a name nor an address")
    expect(ivan.page.locator("[data-contact]").filter(has_text="Depot Süd")).to_have_count(0)
    ivan.still()
    ivan.picture("import-preview")
    assert violations(ivan) == []
    dialog.get_by_role("button", name="Import 1 contact").click()
    expect(dialog.get_by_role("status")).to_contain_text("1 added, 0 changed")
    expect(page.locator("[data-contact]").filter(has_text="Depot Süd")).to_have_count(1)
    dialog.get_by_role("button", name="Undo the import").click()
    expect(dialog.get_by_role("status")).to_contain_text("your contact list is as before")
    expect(page.locator("[data-contact]").filter(has_text="Depot Süd")).to_have_count(0)
    dialog.get_by_role("button", name="Close").click()
    assert {group: names_in(ivan, group) for group in groups(ivan)} == before


@pytest.mark.parametrize(("scheme", "query"), [("dark", ""), ("light", "?lang=ar")])
def test_axe_finds_nothing_in_the_dialogs_of_the_list(person: Arrive, scheme: str, query: str) -> None:
    ivan = person("ivan", color_scheme=scheme, viewport={"width": 390, "height": 844} if scheme == "dark" else None)
    ivan.sign_in()
    ivan.go("/contacts", query)
    page = ivan.page
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    found = violations(ivan)
    menu = page.get_by_role("main").or_(page.get_by_role("region")).locator("button[aria-haspopup=menu]").first
    for item in (1, 2, 3):
        menu.click()
        page.get_by_role("menuitem").nth(item).click()
        expect(page.get_by_role("dialog")).to_be_visible()
        ivan.still()
        found += violations(ivan)
        ivan.fits()
        ivan.picture(f"contacts-dialog-{item}-{scheme}{query.replace('?lang=', '-')}")
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
    assert found == []


def test_a_file_that_is_none_says_so(person: Arrive, tmp_path: Path) -> None:
    ivan = person("ivan")
    ivan.sign_in()
    ivan.see("Contacts")
    (tmp_path / "picture.vcf").write_bytes(bytes(range(256)) * 20)
    choose(ivan, "Import contacts")
    dialog = ivan.page.get_by_role("dialog", name="Import contacts")
    dialog.locator("input[type=file]").set_input_files(tmp_path / "picture.vcf")
    expect(dialog.get_by_role("alert").or_(dialog.get_by_text(re.compile("0 to add")))).to_be_visible()
