"""XMPP: streams that are none, words before TLS and before sign-in, and people who would be others."""

from __future__ import annotations

import asyncio
import base64
import re
import ssl
from contextlib import suppress
from dataclasses import dataclass

import pytest

from tests.edge.conftest import DOMAIN, PASSWORDS
from tests.edge.siege import BEFORE_TLS, SECONDS, Siege, cases, hang_up

pytestmark = pytest.mark.asyncio(loop_scope="session")

STREAM = "<?xml version='1.0'?><stream:stream to='{to}' version='1.0' xmlns='{ns}' xmlns:stream='http://etherx.jabber.org/streams'>"
HEADER = STREAM.format(to=DOMAIN, ns="jabber:client")
STARTTLS = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
PUBSUB = "http://jabber.org/protocol/pubsub"
SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
BIND = "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>{}</bind></iq>"
BOMB = "<!DOCTYPE s [<!ENTITY a 'aaaaaaaaaa'>" + "".join(
    f"<!ENTITY {name} '&{last};&{last};&{last};&{last};'>" for last, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@dataclass
class Stream:
    """A raw stream through the edge."""

    siege: Siege
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    heard: str = ""

    @classmethod
    async def begin(cls, siege: Siege) -> Stream:
        return cls(siege, *await siege.connect_plain("xmpp"))

    def say(self, text: str | bytes) -> None:
        self.writer.write(text.encode() if isinstance(text, str) else text)

    async def until(self, *words: str) -> str:
        """Everything up to the first of the words, or to the end of the connection."""
        async with asyncio.timeout(SECONDS):
            while not any(word in self.heard for word in words):
                try:
                    data = await self.reader.read(65536)
                except (OSError, ssl.SSLError):
                    data = b""
                if not data:
                    break
                self.heard += data.decode()
        found, self.heard = self.heard, ""
        return found

    async def end(self) -> str:
        """Everything that still comes, until the edge hangs up."""
        return await self.until("\0")

    async def secure(self) -> None:
        """As an honest client: TLS, and the features after it."""
        self.say(HEADER)
        assert "starttls" in await self.until("</stream:features>")
        self.say(STARTTLS)
        assert "<proceed" in await self.until("/>")
        await self.writer.start_tls(self.siege.context(), server_hostname=DOMAIN)
        self.say(HEADER)
        assert "mechanisms" in await self.until("</stream:features>")

    async def sign_in(self, user: str) -> None:
        await self.secure()
        self.say(plain(user, PASSWORDS[user]))
        assert "<success" in await self.until("/>", "</success>")
        self.say(HEADER)
        assert "bind" in await self.until("</stream:features>")

    async def bind(self, resource: str = "") -> str:
        self.say(BIND.format(f"<resource>{resource}</resource>" if resource else ""))
        match = re.search(r"<jid>(.*?)</jid>", await self.until("</iq>"))
        assert match is not None
        return match[1]


def plain(user: str, password: str, other: str = "") -> str:
    word = base64.b64encode(f"{other}\0{user}\0{password}".encode()).decode()
    return f"<auth xmlns='{SASL}' mechanism='PLAIN'>{word}</auth>"


BEFORE: dict[str, str | bytes] = {
    "sign-in": HEADER + plain("mallory", PASSWORDS["mallory"]),
    "message": HEADER + f"<message to='anita@{DOMAIN}'><body>hi</body></message>",
    "bind": HEADER + BIND.format("<resource>x</resource>"),
    "resume": HEADER + "<resume xmlns='urn:xmpp:sm:3' h='0' previd='x'/>",
    "register": HEADER + "<iq type='set' id='r'><query xmlns='jabber:iq:register'><username>x</username></query></iq>",
    "old-sign-in": HEADER + "<iq type='set' id='a'><query xmlns='jabber:iq:auth'><username>x</username></query></iq>",
    "proceed-of-a-client": HEADER + "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
    "starttls-of-another-space": HEADER + "<starttls xmlns='urn:other'/>",
    "other-domain": STREAM.format(to="example.org", ns="jabber:client"),
    "loopback": STREAM.format(to="127.0.0.1", ns="jabber:client"),
    "room-service": STREAM.format(to=f"conference.{DOMAIN}", ns="jabber:client"),
    "no-address-at-all": STREAM.format(to="@@/", ns="jabber:client"),
    "server-to-server": STREAM.format(to=DOMAIN, ns="jabber:server"),
    "component": STREAM.format(to=DOMAIN, ns="jabber:component:accept"),
    "other-stream-space": HEADER.replace("http://etherx.jabber.org/streams", "urn:other"),
    "not-a-stream": "<?xml version='1.0'?><message/>",
    "http": "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "tls-at-once": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 600,
    "noise": bytes(range(256)),
    "utf-16": HEADER.encode("utf-16"),
    "other-encoding": HEADER.replace("<?xml version='1.0'?>", "<?xml version='1.0' encoding='utf-16'?>"),
    "nul": HEADER + "\0",
    "not-utf-8": HEADER.encode() + b"<a\xff\xfe/>",
    "entity-bomb": BOMB + "]>" + HEADER.partition("?>")[2] + "&i;",
    "outer-entity": "<!DOCTYPE s [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>" + HEADER.partition("?>")[2] + "&x;",
    "outer-document": "<!DOCTYPE s SYSTEM 'http://127.0.0.66/x.dtd'>" + HEADER.partition("?>")[2],
    "own-entity": HEADER + "<a>&anything;</a>",
    "processing-instruction": HEADER + "<?php x?>",
    "comment": HEADER + "<!-- x -->",
    "letters-between": HEADER + "hello" * 100,
    "huge-start-tag": "<?xml version='1.0'?><stream:stream to='" + "a" * 20_000,
    "tag-without-end": HEADER + "<a " + "b='c' " * 4000,
    "many-attributes": HEADER + "<a " + " ".join(f"a{n}=''" for n in range(500)) + "/>",
    "deep": HEADER + "<a>" * 500,
    "long-name": HEADER + "<" + "a" * 20_000,
    "end-before-the-beginning": "</stream:stream>",
    "stream-in-a-stream": HEADER + HEADER.partition("?>")[2],
}


@pytest.mark.parametrize("name", cases(BEFORE))
async def test_nothing_but_starttls_is_heard_before_tls(siege: Siege, name: str) -> None:
    before = siege.reached()
    stream = await Stream.begin(siege)
    stream.say(BEFORE[name])
    stream.say("</enough>")
    found = await stream.end()
    assert "<proceed" not in found
    assert "<success" not in found
    assert "root:" not in found
    assert len(found) < 2000
    await hang_up(stream.writer)
    assert siege.reached() == before
    await siege.is_healthy()


INJECTED = "<stream:stream xmlns='jabber:client'><auth mechanism='PLAIN'/>"


async def test_words_in_clear_behind_the_wish_for_tls_end_it(siege: Siege) -> None:
    """CVE-2011-0411 and its like: what came in clear must not look as if it had come through TLS."""
    before = siege.reached()
    stream = await Stream.begin(siege)
    stream.say(HEADER + STARTTLS + INJECTED)
    assert "<proceed" not in await stream.end()
    await hang_up(stream.writer)
    assert siege.reached() == before
    await siege.is_healthy()


async def test_words_in_clear_between_the_answer_and_tls_are_no_stream(siege: Siege) -> None:
    before = siege.reached()
    stream = await Stream.begin(siege)
    stream.say(HEADER)
    await stream.until("</stream:features>")
    stream.say(STARTTLS)
    await stream.until("<proceed")
    stream.say(INJECTED)
    with pytest.raises((ssl.SSLError, OSError)):
        await stream.writer.start_tls(siege.context(), server_hostname=DOMAIN)
    await hang_up(stream.writer)
    assert siege.reached() == before
    await siege.is_healthy()


async def test_slow_streams_end_before_tls(siege: Siege) -> None:
    before, loop = siege.reached(), asyncio.get_running_loop()
    streams = [await Stream.begin(siege) for _ in range(3)]
    streams[1].say(HEADER)
    streams[2].say(HEADER)
    await streams[2].until("</stream:features>")
    streams[2].say(STARTTLS)
    began = loop.time()
    found = await asyncio.gather(*(stream.end() for stream in streams))
    assert loop.time() - began < BEFORE_TLS + 4
    assert "<success" not in "".join(found)
    for stream in streams:
        await hang_up(stream.writer)
    assert siege.reached() == before
    await siege.is_healthy()


UNSIGNED = {
    "message": f"<message to='anita@{DOMAIN}'><body>hi</body></message>",
    "presence": f"<presence to='anita@{DOMAIN}'/>",
    "roster": "<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>",
    "bind": BIND.format("<resource>x</resource>"),
    "resume": "<resume xmlns='urn:xmpp:sm:3' h='0' previd='x'/>",
    "register": "<iq type='set' id='r'><query xmlns='jabber:iq:register'><username>x</username></query></iq>",
    "success-of-a-client": f"<success xmlns='{SASL}'/>",
    "starttls-again": STARTTLS,
    "entity-bomb": BOMB,
    "huge-tag": "<a " + "b" * 20_000,
    "huge-stanza": "<auth xmlns='x'>" + "A" * 40_000,
    "server-to-server": "<db:result xmlns:db='jabber:server:dialback' from='a' to='b'>x</db:result>",
}


@pytest.mark.parametrize("name", cases(UNSIGNED))
async def test_nobody_says_anything_before_signing_in(siege: Siege, name: str) -> None:
    stream = await Stream.begin(siege)
    await stream.secure()
    stream.say(UNSIGNED[name])
    found = await stream.end()
    assert not found or found.endswith("</stream:stream>")
    assert "<jid>" not in found
    assert "<query" not in found
    await hang_up(stream.writer)
    await siege.is_healthy()


def _auth(mechanism: str, word: str = "") -> str:
    return f"<auth xmlns='{SASL}' mechanism='{mechanism}'>{word}</auth>"


MECHANISMS = {
    "anonymous": _auth("ANONYMOUS"),
    "external": _auth("EXTERNAL", "="),
    "unknown": _auth("X-MADE-UP", "AAAA"),
    "another-person": plain("mallory", PASSWORDS["mallory"], other=f"anita@{DOMAIN}"),
    "administrator": plain("mallory", PASSWORDS["mallory"], other=DOMAIN),
    "no-password": plain("anita", ""),
    "no-user": plain("", "x"),
    "four-parts": _auth("PLAIN", base64.b64encode(b"\0anita\0x\0y").decode()),
    "not-base64": _auth("PLAIN", "!!!"),
    "not-utf-8": _auth("PLAIN", base64.b64encode(b"\0\xff\0\xff").decode()),
    "huge": _auth("PLAIN", base64.b64encode(b"\0anita\0" + b"x" * 10_000).decode()),
    "bound-to-a-channel": _auth("SCRAM-SHA-256-PLUS", base64.b64encode(b"p=tls-exporter,,n=mallory,r=x").decode()),
    "made-up-token": _auth("CISCO-VTG-TOKEN", base64.b64encode(f"userid=anita@{DOMAIN}\0token=x".encode()).decode()),
    "empty": _auth("PLAIN"),
}


@pytest.mark.parametrize("name", cases(MECHANISMS))
async def test_nobody_signs_in_without_proof(siege: Siege, name: str) -> None:
    stream = await Stream.begin(siege)
    await stream.secure()
    stream.say(MECHANISMS[name])
    found = await stream.until("</failure>", "<challenge", "</stream:stream>")
    assert "<success" not in found
    if "<challenge" in found:
        stream.say(f"<response xmlns='{SASL}'/>")
        assert "<success" not in await stream.until("</failure>", "</stream:stream>")
    await hang_up(stream.writer)
    await siege.is_healthy()


async def test_people_are_not_somebody_else(siege: Siege) -> None:
    """Addresses in stanzas, resources of others, their lists, and their streams."""
    anita, mallory = [await Stream.begin(siege) for _ in range(2)]
    await anita.sign_in("anita")
    hers = await anita.bind("desk")
    anita.say("<enable xmlns='urn:xmpp:sm:3' resume='true'/><presence/>")
    match = re.search(r"<enabled[^>]* id='([^']+)'|<enabled[^>]* id=\"([^\"]+)\"", await anita.until("/>"))
    assert match is not None
    await mallory.sign_in("mallory")
    mallory.say(f"<resume xmlns='urn:xmpp:sm:3' h='0' previd='{match[1] or match[2]}'/>")
    assert "<failed" in await mallory.until("</failed>", "/>")
    assert (await mallory.bind("desk")).startswith(f"mallory@{DOMAIN}/")
    for index, words in enumerate((
        f"<iq type='get' to='anita@{DOMAIN}' id='0'><query xmlns='jabber:iq:roster'/></iq>",
        f"<iq type='set' to='anita@{DOMAIN}' id='1'><query xmlns='jabber:iq:roster'><item jid='x@y'/></query></iq>",
        f"<iq type='get' to='anita@{DOMAIN}' id='2'><pubsub xmlns='{PUBSUB}'><items node='x'/></pubsub></iq>",
        f"<iq type='set' to='anita@{DOMAIN}' id='3'><query xmlns='urn:xmpp:mam:2'/></iq>",
    )):  # fmt: skip
        mallory.say(words)
        found = await mallory.until("</iq>", "/>")
        assert f"id='{index}'" in found.replace('"', "'")
        assert "type='error'" in found.replace('"', "'"), found
    mallory.say(f"<message from='{hers}' to='anita@{DOMAIN}' type='chat'><body>forged</body></message>")
    assert "<stream:error" in await mallory.end()  # RFC 6120 section 4.9.3.9
    await hang_up(mallory.writer)
    anita.say("<iq type='get' id='z'><ping xmlns='urn:xmpp:ping'/></iq>")
    found = await anita.until("id='z'", 'id="z"')
    assert "forged" not in found
    assert "mallory" not in found
    await hang_up(anita.writer)
    await siege.is_healthy()


HEAVY: dict[str, str | bytes] = {
    "entity-bomb": BOMB,
    "huge-stanza": "<message><body>" + "x" * 2_000_000,
    "huge-tag": "<message a='" + "x" * 100_000,
    "deep": "<a>" * 5_000,
    "comment": "<!-- x -->",
    "end-of-what-was-not-begun": "</message>",
    "second-header": HEADER,
    "not-utf-8": b"<message><body>\xff\xfe</body></message>",
}


@pytest.mark.parametrize("name", cases(HEAVY))
async def test_heavy_words_of_people_end_their_own_stream_only(siege: Siege, name: str) -> None:
    stream = await Stream.begin(siege)
    await stream.sign_in("mallory")
    await stream.bind("x")
    stream.say(HEAVY[name])
    with suppress(OSError, ssl.SSLError):
        await stream.writer.drain()
    found = await stream.end()
    assert "<stream:error" in found or not found
    await hang_up(stream.writer)
    await siege.is_healthy()
