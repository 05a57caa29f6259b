"""What a page asks about people: one function for each command of ``wire_people``."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from ringback.client.contacts.formats import Format
from ringback.client.contacts.sources.base import Kind, Phone
from ringback.client.engine.engine import Engine
from ringback.client.engine.errors import EngineError
from ringback.client.engine.list_service import Typed
from ringback.client.host import wire_people
from ringback.rules.reasons import Reason

TITLE_LIMIT = 200
QUERY_LIMIT = 200
ID_LIMIT = 1100  # a Jabber identifier may be long
PEOPLE_LIMIT = 200
ORDER_LIMIT = 10_000
FILE_LIMIT = 2 * 1024 * 1024  # octets of a file of contacts
NUMBERS_LIMIT = 20

PeopleValue: TypeAlias = (
    wire_people.SearchResults
    | wire_people.Findings
    | wire_people.PersonCard
    | wire_people.ImportPlan
    | wire_people.ImportDone
    | wire_people.ExportedContacts
    | wire_people.DirectoryReport
    | None
)
_Doer = Callable[[Engine, Any], Awaitable[PeopleValue]]


def _short(text: str, limit: int, field: str) -> str:
    if len(text) > limit:
        raise EngineError(Reason.of("host.too_long", field=field, limit=limit))
    return text


async def _search(engine: Engine, command: wire_people.Search) -> PeopleValue:
    return await engine.search(_short(command.query, QUERY_LIMIT, "query"), command.limit)


async def _find_people(engine: Engine, command: wire_people.FindPeople) -> PeopleValue:
    engine.signed_in()
    query = _short(command.query, QUERY_LIMIT, "query")
    return await engine.people().find(_short(command.search, 64, "search"), query, command.limit)


async def _find_more(engine: Engine, command: wire_people.FindMore) -> PeopleValue:
    return await engine.people().find_more(command.search, command.limit)


async def _stop_finding(engine: Engine, command: wire_people.StopFinding) -> PeopleValue:
    await engine.people().stop(command.search)
    return None


async def _get_person(engine: Engine, command: wire_people.GetPerson) -> PeopleValue:
    return await engine.person_card(_short(command.person, ID_LIMIT, "person"))


async def _add_contact(engine: Engine, command: wire_people.AddContact) -> PeopleValue:
    name = _short(command.name, TITLE_LIMIT, "name")
    await engine.contact_list().add(_short(command.person, ID_LIMIT, "person"), name, command.groups[:PEOPLE_LIMIT])
    return None


async def _change_contact(engine: Engine, command: wire_people.ChangeContact) -> PeopleValue:
    name = _short(command.name, TITLE_LIMIT, "name") if command.name is not None else None
    await engine.contact_list().change(command.person, name, command.groups)
    return None


async def _remove_contact(engine: Engine, command: wire_people.RemoveContact) -> PeopleValue:
    await engine.contact_list().remove(command.person)
    return None


async def _answer_request(engine: Engine, command: wire_people.AnswerRequest) -> PeopleValue:
    engine.signed_in().contacts.answer(command.person, allow=command.allow)
    return None


async def _set_blocked(engine: Engine, command: wire_people.SetBlocked) -> PeopleValue:
    await engine.signed_in().contacts.set_blocked(command.person, command.blocked)
    return None


async def _save_contact(engine: Engine, command: wire_people.SaveContact) -> PeopleValue:
    typed = Typed(
        name=_short(command.name, TITLE_LIMIT, "name"),
        title=_short(command.title, TITLE_LIMIT, "title"),
        company=_short(command.company, TITLE_LIMIT, "company"),
        mail=_short(command.mail, TITLE_LIMIT, "mail"),
        address=_short(command.address, ID_LIMIT, "address"),
        phones=tuple(
            Phone(Kind(one.kind), _short(one.value, 64, "number"))
            for one in command.numbers[:NUMBERS_LIMIT]
            if one.value.strip()
        ),
        groups=tuple(_short(group, TITLE_LIMIT, "group") for group in command.groups[:PEOPLE_LIMIT]),
    )
    person = await engine.contact_list().save(command.person, typed)
    return await engine.person_card(person)


async def _add_group(engine: Engine, command: wire_people.AddGroup) -> PeopleValue:
    await engine.contact_list().add_group(_short(command.name, TITLE_LIMIT, "name"))
    return None


async def _rename_group(engine: Engine, command: wire_people.RenameGroup) -> PeopleValue:
    await engine.contact_list().rename_group(command.name, _short(command.to, TITLE_LIMIT, "to"))
    return None


async def _remove_group(engine: Engine, command: wire_people.RemoveGroup) -> PeopleValue:
    await engine.contact_list().remove_group(command.name)
    return None


async def _order_groups(engine: Engine, command: wire_people.OrderGroups) -> PeopleValue:
    await engine.contact_list().order_groups(command.groups[:ORDER_LIMIT])
    return None


async def _order_contacts(engine: Engine, command: wire_people.OrderContacts) -> PeopleValue:
    await engine.contact_list().order_people(command.group, command.people[:ORDER_LIMIT])
    return None


async def _read_contacts(engine: Engine, command: wire_people.ReadContacts) -> PeopleValue:
    try:
        data = base64.b64decode(command.data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise EngineError(Reason.of("contacts.import.not_base64")) from error
    if len(data) > FILE_LIMIT:
        raise EngineError(Reason.of("contacts.file.too_large", limit=FILE_LIMIT // 2**20))
    return await engine.contact_list().read(_short(command.name, 1000, "name"), data)


async def _apply_import(engine: Engine, command: wire_people.ApplyImport) -> PeopleValue:
    return await engine.contact_list().apply(command.plan, command.lines)


async def _undo_import(engine: Engine, command: wire_people.UndoImport) -> PeopleValue:
    await engine.contact_list().undo(command.undo)
    return None


async def _export_contacts(engine: Engine, command: wire_people.ExportContacts) -> PeopleValue:
    return await engine.contact_list().export(Format(command.format), command.groups)


async def _check_directory(engine: Engine, command: wire_people.CheckDirectory) -> PeopleValue:
    engine.signed_in()
    return await engine.people().check(command.source)


async def _set_directory_login(engine: Engine, command: wire_people.SetDirectoryLogin) -> PeopleValue:
    engine.signed_in()
    user, password = _short(command.user, 1024, "user"), _short(command.password, 1024, "password")
    await engine.people().set_login(user, password)
    return None


PEOPLE_DOERS: dict[type[Any], _Doer] = {
    wire_people.Search: _search,
    wire_people.FindPeople: _find_people,
    wire_people.FindMore: _find_more,
    wire_people.StopFinding: _stop_finding,
    wire_people.GetPerson: _get_person,
    wire_people.AddContact: _add_contact,
    wire_people.ChangeContact: _change_contact,
    wire_people.RemoveContact: _remove_contact,
    wire_people.AnswerRequest: _answer_request,
    wire_people.SetBlocked: _set_blocked,
    wire_people.SaveContact: _save_contact,
    wire_people.AddGroup: _add_group,
    wire_people.RenameGroup: _rename_group,
    wire_people.RemoveGroup: _remove_group,
    wire_people.OrderGroups: _order_groups,
    wire_people.OrderContacts: _order_contacts,
    wire_people.ReadContacts: _read_contacts,
    wire_people.ApplyImport: _apply_import,
    wire_people.UndoImport: _undo_import,
    wire_people.ExportContacts: _export_contacts,
    wire_people.CheckDirectory: _check_directory,
    wire_people.SetDirectoryLogin: _set_directory_login,
}
