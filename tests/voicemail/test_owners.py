"""Mailboxes follow the people of directories, and a list that would empty a cluster is not believed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.net.followed import FollowedSettings
from ringback.net.tls import client_context
from ringback.protocols.mailbox_owners import MailboxOwner, OwnersDocument, OwnersDocumentError
from ringback.services.voicemail.owners import DirectoryOwners
from ringback.storage.voicemail.records import MailboxRow, NewVoiceMessage
from tests.voicemail.conftest import Running, recorded

_texts = st.text(max_size=20)
_owners = st.builds(MailboxOwner, user=st.text(min_size=1, max_size=20), name=_texts, mail=_texts, extension=_texts)


@given(cluster=st.text(min_size=1, max_size=20), people=st.lists(_owners, max_size=5))
def test_a_list_survives_the_wire(cluster: str, people: list[MailboxOwner]) -> None:
    told = OwnersDocument(cluster, tuple(people))
    assert OwnersDocument.parse(told.build()) == told


@given(st.binary(max_size=60))
@pytest.mark.parametrize("start", [b"", b'{"cluster":"a","people":['])
def test_any_octets_are_a_list_or_the_documented_error(start: bytes, rest: bytes) -> None:
    try:
        found = OwnersDocument.parse(start + rest)
    except OwnersDocumentError:
        return
    assert found.cluster


def people(*users: str) -> tuple[MailboxOwner, ...]:
    return tuple(MailboxOwner(user, user.title(), f"{user}@example.com", f"6{n:03}") for n, user in enumerate(users))


@pytest.mark.asyncio(loop_scope="module")
async def test_mailboxes_follow(running: Running) -> None:
    store = running.store
    settings = FollowedSettings((), "voicemail", "", client_context(running.settings.ca_file))
    owners = DirectoryOwners(settings, store, 1000, "de")
    assert await owners.take(OwnersDocument("office", people("dora", "egon", "anita")))
    dora = await store.mailbox("dora")
    assert dora == MailboxRow("dora", "Dora", "dora@example.com", "6000", "de", size_limit=1000)
    anita = await store.mailbox("anita")
    assert anita is not None
    assert anita.extension == "2001", "what the deployment says of somebody counts"

    await store.set_secrets("dora", pin="a hash")
    [kept] = await store.deliver(["dora"], NewVoiceMessage(recorded(0.01), 10, 1))
    assert await owners.take(OwnersDocument("office", (MailboxOwner("dora", "Dora Neu", "", "6100"),)))
    dora = await store.mailbox("dora")
    assert dora is not None
    assert (dora.display_name, dora.extension, dora.pin) == ("Dora Neu", "6100", "a hash")
    assert await store.message("dora", kept.message.id)
    assert await store.mailbox("egon") is None

    assert await owners.take(OwnersDocument("branch", people(*(f"p{n}" for n in range(12)))))
    assert not await owners.take(OwnersDocument("branch", people("p0")))
    assert await store.mailbox("p11")
    assert await store.mailbox("dora"), "another cluster's people have nothing to do with it"
    assert await owners.take(OwnersDocument("branch", people(*(f"p{n}" for n in range(7)))))
    assert await store.mailbox("p11") is None
