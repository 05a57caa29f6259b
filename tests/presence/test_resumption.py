"""Stream management (XEP-0198), and what survives the end of a connection and of the process."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from lxml import etree

from tests.presence.conftest import PEOPLE, SignIn
from tests.presence.talk import Talk, connect, sign_in
from tests.support.services import OwnServer, presence_process, running_call_manager

SM = "xmlns='urn:xmpp:sm:3'"


async def enable(talk: Talk) -> str:
    talk.send(f"<enable {SM} resume='true'/>")
    return (await talk.until(r"<enabled [^>]*id='([^']+)' resume='true' max='\d+'/>"))[1]


async def acknowledgement(talk: Talk) -> int:
    talk.send(f"<r {SM}/>")
    return int((await talk.until(rf"<a {SM} h='(\d+)'/>"))[1])


class TestResumption:
    """Sections 3 to 5."""

    async def test_a_broken_connection_loses_nothing(self, own: OwnServer, enter: SignIn) -> None:
        anita, bernd = await enter("anita"), await enter("bernd")
        previous = await enable(bernd)
        anita.message(bernd.bare, "one")
        await bernd.until("one")
        bernd.send(f"<a {SM} h='1'/>")
        await bernd.settle()
        bernd.cut()
        anita.message(bernd.bare, "two")
        await anita.settle()
        again = await connect(own, "bernd", PEOPLE["bernd"])
        again.send(f"<resume {SM} previd='{previous}' h='1'/>")
        resumed = await again.until(r"<resumed [^>]*h='(\d+)'/>")
        assert resumed[1] == "1", "one ping was handled"
        text = (await again.until("two</body>"))[0]
        assert "one</body>" not in text
        again.send(f"<message to='{anita.bare}' type='chat'><body>back</body></message>")
        await anita.until(rf"from='{bernd.jid}'.*?back")
        again.send(f"<a {SM} h='3'/>")  # one, the answer to a ping, two: nothing is left for later tests
        await again.settle()
        await again.leave()

    async def test_only_the_same_person_resumes_and_only_once(self, own: OwnServer, enter: SignIn) -> None:
        bernd = await enter("bernd")
        previous = await enable(bernd)
        mallory = await connect(own, "emil", PEOPLE["emil"])
        mallory.send(f"<resume {SM} previd='{previous}' h='0'/>")
        await mallory.until(rf"<failed {SM}><item-not-found")
        await mallory.leave()
        again = await connect(own, "bernd", PEOPLE["bernd"])
        again.send(f"<resume {SM} previd='{previous}' h='0'/>")
        await again.until("<resumed")
        assert "<conflict" in await bernd.closed()
        await again.leave()
        gone = await connect(own, "bernd", PEOPLE["bernd"])
        gone.send(f"<resume {SM} previd='{previous}' h='0'/>")
        await gone.until("<item-not-found")
        await gone.leave()

    async def test_counts_that_cannot_be_end_the_stream(self, own: OwnServer, enter: SignIn) -> None:
        bernd = await enter("bernd")
        previous = await enable(bernd)
        bernd.send(f"<a {SM} h='99'/>")
        assert "<handled-count-too-high" in await bernd.closed()
        again = await connect(own, "bernd", PEOPLE["bernd"])
        again.send(f"<resume {SM} previd='{previous}' h='4000000000'/>")
        assert "<undefined-condition" in await again.closed()

    async def test_what_was_never_acknowledged_waits_after_the_session(self, enter: SignIn) -> None:
        anita, carla = await enter("anita"), await enter("carla")
        carla.send(f"<enable {SM}/>")
        await carla.until("<enabled")
        anita.message(carla.bare, "kept for later")
        await carla.until("kept for later")
        carla.cut()
        await anita.settle()
        carla = await enter("carla")
        await carla.until("kept for later")
        assert "kept for later" not in await carla.settle()

    async def test_offline_messages_stay_until_they_are_acknowledged(self, enter: SignIn) -> None:
        anita = await enter("anita")
        anita.message("dora@example.com", "until acknowledged")
        await anita.settle()
        dora = await enter("dora", available=False)
        await enable(dora)
        dora.send("<presence/>")
        await dora.until("until acknowledged.*?</message>")
        await dora.leave()
        dora = await enter("dora", available=False)
        await enable(dora)
        dora.send("<presence/>")
        await dora.until("until acknowledged.*?</message>")
        dora.send(f"<a {SM} h='2'/>")
        await dora.settle()
        await dora.leave()
        dora = await enter("dora")
        assert "until acknowledged" not in await dora.settle()


async def test_an_acknowledged_message_survives_kill_minus_nine(tmp_path: Path) -> None:
    """Offline and archived, each exactly once, over the end of the process."""
    with running_call_manager(tmp_path, PEOPLE) as (specification, _):
        with presence_process(specification) as (process, server):
            anita = await sign_in(server, "anita", PEOPLE["anita"], "desk")
            await enable(anita)
            for number in range(20):
                anita.message("bernd@example.com", f"number {number};")
            assert await acknowledgement(anita) == 20
            os.kill(process.pid, signal.SIGKILL)
            process.wait(5)
        with presence_process(specification) as (_, server):
            bernd = await sign_in(server, "bernd", PEOPLE["bernd"], "desk")
            text = ""
            for number in range(20):
                text += (await bernd.until(f"number {number};.*?</message>"))[0]
            text += await bernd.settle()
            assert text.count("number ") == 20
            result = await bernd.ask("<query xmlns='urn:xmpp:mam:2'/>", kind="set")
            assert result.get("type") == "result"
            anita = await sign_in(server, "anita", PEOPLE["anita"], "desk")
            anita.send("<iq type='set' id='m'><query xmlns='urn:xmpp:mam:2'/></iq>")
            archive = (await anita.until("^.*?<iq [^>]*id='m'.*?</iq>"))[0]
            assert [archive.count(f"number {number};") for number in range(20)] == [1] * 20
            await bernd.leave()
            again = await sign_in(server, "bernd", PEOPLE["bernd"], "desk")
            assert "number" not in await again.settle()
            for talk in (anita, again):
                await talk.leave()


async def test_the_archive_id_is_that_of_the_delivered_message(enter: SignIn) -> None:
    anita, bernd = await enter("anita"), await enter("bernd")
    anita.message(bernd.bare, "with an id")
    got = etree.fromstring((await bernd.until("<message [^>]*>.*?with an id.*?</message>"))[0])
    stanza_id = got.find("{urn:xmpp:sid:0}stanza-id")
    assert stanza_id is not None
    assert stanza_id.get("by") == bernd.bare
    bernd.send("<iq type='set' id='m'><query xmlns='urn:xmpp:mam:2'><set xmlns='http://jabber.org/protocol/rsm'>"
               "<max>1</max><before/></set></query></iq>")  # fmt: skip
    archive = (await bernd.until("^.*?<iq [^>]*id='m'.*?</iq>"))[0]
    assert f"id='{stanza_id.get('id')}'" in archive
