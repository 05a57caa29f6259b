"""The voicemail service asked as a person, over REST: every answer is read or becomes one of the documented errors."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar
from urllib.parse import quote, urlencode

import msgspec
from yarl import URL

from ringback.client.identity.https import Answer, CertificateProblemError, Https, HttpsError
from ringback.client.voicemail.errors import (
    BusyError,
    NotThereError,
    ServiceRefusedError,
    UnreachableError,
)
from ringback.client.voicemail.proof import Prover
from ringback.protocols.markup import Element
from ringback.protocols.vmrest import documents
from ringback.protocols.vmrest.calls import CallControl, PhoneCall
from ringback.protocols.vmrest.documents import DocumentError
from ringback.protocols.vmrest.greetings import GreetingChange, UserGreeting
from ringback.protocols.vmrest.mailbox import Addressee, Folder, Mailbox, NewMessage, Recipient, recipients
from ringback.protocols.vmrest.messages import FolderName, Message, MessageChange, MessageList
from ringback.rules.addresses import HostPort

SOUND_LIMIT: Final = 32 * 1024 * 1024  # octets; an hour of G.711
_SOUND_SECONDS: Final = 60.0
_ASKS: Final = 3  # how often one question is asked with another proof
_JSON: Final = {"Accept": documents.JSON}


_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Limits:
    """What the service allows: seconds of a message and of a greeting; 0: not told."""

    message: int = 0
    greeting: int = 0


class VoicemailApi:
    """Every method raises VoicemailError: UnreachableError, SignInNeededError, NotThereError, ServiceRefusedError."""

    def __init__(self, https: Https, servers: Sequence[HostPort], prover: Prover) -> None:
        """``servers`` in the order to try; the one that answered last is asked first."""
        self._https = https
        self._servers = list(servers)
        self._prover = prover
        self._current = 0

    @property
    def server(self) -> HostPort:
        """Whom we ask."""
        return self._servers[self._current]

    def next_server(self) -> None:
        """Go on with the next one: this one's notifications, or its answers, did not come."""
        self._current = (self._current + 1) % len(self._servers)

    # --- reading

    async def mailbox(self) -> Mailbox:
        """How full it is."""
        return self._read(Mailbox.read_from, await self._ask("GET", "/mailbox"), "Mailbox")

    async def limits(self) -> Limits:
        """How long messages may be; services that don't tell give zeros."""
        try:
            found = self._document(await self._ask("GET", "/user/cos"), "Cos")
            return Limits(int(found.text_of("MaxMsgLen") or 0), int(found.text_of("MaxGreetingLength") or 0))
        except (NotThereError, ServiceRefusedError, ValueError):
            return Limits()

    async def folder(self, name: FolderName) -> Folder:
        """Count and change number of a folder."""
        return self._read(Folder.read_from, await self._ask("GET", f"/mailbox/folders/{name}"), "Folder")

    async def page(self, folder: FolderName, **question: str | int) -> MessageList:
        """A page of messages; ``question`` as documented (``pagenumber``, ``rowsperpage``, ``usngreaterthan`` ...)."""
        path = f"/mailbox/folders/{folder}/messages?{urlencode(question)}"
        return self._read(MessageList.read_from, await self._ask("GET", path), "Messages")

    async def message(self, message: str) -> Message:
        """One message."""
        return self._read(Message.read_from, await self._ask("GET", _place(message)), "Message")

    async def sound(self, message: str) -> bytes:
        """The WAV file of a message."""
        path = f"{_place(message)}/attachments/0"
        return (await self._ask("GET", path, {"Accept": "audio/wav"}, seconds=_SOUND_SECONDS)).body

    async def addresses(self, name: str) -> list[Addressee]:
        """Who can be sent a message."""
        found = self._document(await self._ask("GET", f"/mailbox/addresses?{urlencode({'name': name})}"), "Addresses")
        return [Addressee.read_from(row) for row in found.all("Address")]

    # --- changing

    async def mark(self, message: str, *, read: bool) -> None:
        """Heard, or new again."""
        await self._put(_place(message), MessageChange(read=read).element())

    async def delete(self, message: str, *, hard: bool) -> None:
        """To the deleted ones, or for good."""
        await self._ask("DELETE", _place(message) + ("?harddelete=true" if hard else ""))

    async def restore(self, message: str) -> None:
        """Back from the deleted ones."""
        await self._ask("PUT", f"{_place(message)}?method=undelete", body=b"")

    async def empty(self) -> None:
        """Delete the deleted ones for good."""
        await self._ask("POST", "/mailbox/folders/deleted/messages?method=empty", body=b"")

    async def send(
        self,
        message: NewMessage,
        to: Sequence[Recipient],
        wav: bytes | None,
        *,
        about: str = "",
        method: str = "",
    ) -> None:
        """Send, or with ``about`` (the id of a message) forward it or, by ``method``, reply to it."""
        parts = [(documents.JSON, documents.render(message.element(), json=True))]
        if to or not method:
            parts.append((documents.JSON, documents.render(recipients(to), json=True)))
        if wav is not None:
            parts.append(("audio/wav", wav))
        question = {"messageid": f"0:{about}"} if about else {}
        if method:
            question["method"] = method
        kind, body = parcel(parts)
        path = "/messages" + (f"?{urlencode(question)}" if question else "")
        await self._ask("POST", path, {"Content-Type": kind, **_JSON}, body=body, seconds=_SOUND_SECONDS)

    # --- greetings

    async def greetings(self) -> list[UserGreeting]:
        """All kinds that the service has."""
        found = self._document(await self._ask("GET", "/user/greetings"), "Greetings")
        try:
            return [UserGreeting.read_from(row) for row in found.all("Greeting")]
        except DocumentError as error:
            raise UnreachableError(self.server.host, str(error)) from error

    async def change_greeting(self, kind: str, change: GreetingChange) -> None:
        """Turn one on or off, until when, and what it plays."""
        await self._put(f"/user/greetings/{quote(kind, safe='')}", change.element())

    async def greeting_sound(self, kind: str, language: int) -> bytes:
        """The recording of a greeting."""
        return (await self._ask("GET", _recording(kind, language), {"Accept": "audio/wav"})).body

    async def keep_greeting(self, kind: str, language: int, wav: bytes) -> None:
        """Record a greeting."""
        headers = {"Content-Type": "audio/wav", **_JSON}
        await self._ask("PUT", _recording(kind, language), headers, body=wav, seconds=_SOUND_SECONDS)

    async def remove_greeting(self, kind: str, language: int) -> None:
        """Delete a recording: the standard words count again."""
        await self._ask("DELETE", _recording(kind, language))

    async def language(self) -> int:
        """The Windows locale identifier of the person's recordings."""
        found = self._document(await self._ask("GET", "/user"), "User").text_of("Language")
        return int(found) if found.isascii() and found.isdigit() and len(found) < 6 else 1033

    # --- on a phone

    async def call(self, number: str) -> str:
        """Have a phone called; the id of the call."""
        answer = await self._post("/calls", PhoneCall(number).element())
        found = answer.location.rpartition("/")[2]
        if not found:
            raise UnreachableError(self.server.host, "the call has no place")
        return found

    async def call_state(self, call: str) -> PhoneCall:
        """Whether somebody answered. Raises NotThereError once it ended."""
        return self._read(PhoneCall.read_from, await self._ask("GET", f"/calls/{quote(call, safe='')}"), "Call")

    async def control(self, call: str, control: CallControl) -> None:
        """Play, pause, go on, stop."""
        await self._post(f"/calls/{quote(call, safe='')}", control.element())

    async def hang_up(self, call: str) -> None:
        """End it."""
        await self._ask("DELETE", f"/calls/{quote(call, safe='')}")

    # --- being told

    async def subscribe(self) -> str:
        """A subscription to notifications: the name of its channel's last part."""
        answer = await self._ask("POST", "/mailbox?method=requestnotification", body=b"{}")
        name = answer.body.decode("utf-8", "replace").strip().strip('"')
        if not name or len(name) > 128 or not name.replace("-", "").isalnum():
            raise UnreachableError(self.server.host, "the subscription has no name")
        return name

    # --- inside

    async def _put(self, path: str, element: Element) -> None:
        await self._ask("PUT", path, {"Content-Type": documents.JSON, **_JSON}, body=_json(element))

    async def _post(self, path: str, element: Element) -> Answer:
        return await self._ask("POST", path, {"Content-Type": documents.JSON, **_JSON}, body=_json(element))

    async def _ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] = _JSON,
        *,
        body: bytes | None = None,
        seconds: float = 8.0,
    ) -> Answer:
        """Ask the servers in turn until one answers, each with what proves who we are."""
        problem: UnreachableError | None = None
        for _ in self._servers:
            try:
                return await self._ask_one(method, path, headers, body, seconds)
            except BusyError:
                raise
            except UnreachableError as error:
                problem = problem or error
                if error.stop is not None or len(self._servers) == 1:
                    break
                self.next_server()
        raise problem or UnreachableError("", "no voicemail server is known")

    async def _ask_one(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None, seconds: float
    ) -> Answer:
        server = self.server
        url = URL(f"https://{server}/vmrest{path}", encoded=True)
        for _ in range(_ASKS):
            proof, value = await self._prover.header(server.host)
            try:
                answer = await self._https.request(
                    method, url, {**headers, "Authorization": value}, body=body, seconds=seconds, limit=SOUND_LIMIT
                )
            except CertificateProblemError as error:
                raise UnreachableError(server.host, error.detail, error.stop) from error
            except HttpsError as error:
                raise UnreachableError(server.host, error.detail, reason=error.reason) from error
            if answer.status != 401:
                return _good(server.host, answer)
            await self._prover.refused(proof, value)
        await self._prover.header(server.host)  # raises where nothing is left to try
        raise UnreachableError(server.host, "HTTP 401")

    def _document(self, answer: Answer, name: str) -> Element:
        try:
            return documents.parse(answer.body, answer.kind, name)
        except DocumentError as error:
            raise UnreachableError(self.server.host, str(error)) from error

    def _read(self, read: Callable[[Element], _T], answer: Answer, name: str) -> _T:
        try:
            return read(self._document(answer, name))
        except DocumentError as error:
            raise UnreachableError(self.server.host, str(error)) from error


def _good(server: str, answer: Answer) -> Answer:
    """The answer where it is one. Raises the error that it stands for."""
    if 200 <= answer.status < 300:
        return answer
    if answer.status in (429, 503) and answer.retry_after:
        raise BusyError(server, answer.retry_after)
    if answer.status == 404:
        raise NotThereError
    code, message = _refusal(answer.body)
    if answer.status >= 500 and answer.status != 507:
        raise UnreachableError(server, message or f"HTTP {answer.status}")
    raise ServiceRefusedError(server, code or f"HTTP {answer.status}", message)


def _refusal(body: bytes) -> tuple[str, str]:
    """Code and sentence of a refusal, as far as it can be read."""
    try:
        found = msgspec.json.decode(body, type=_Refusal).errors
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return "", ""
    return found.code[:64], found.message[:300]


class _Errors(msgspec.Struct):
    code: str = ""
    message: str = ""


class _Refusal(msgspec.Struct):
    errors: _Errors


def parcel(parts: Sequence[tuple[str, bytes]]) -> tuple[str, bytes]:
    """A multipart body whose parts have a type and no name (as published), and its own type."""
    boundary = secrets.token_hex(16)
    body = b"".join(
        b"--%s\r\nContent-Type: %s\r\n\r\n%s\r\n" % (boundary.encode(), kind.encode(), content)
        for kind, content in parts
    )
    return f"multipart/form-data; boundary={boundary}", body + b"--%s--\r\n" % boundary.encode()


def _json(element: Element) -> bytes:
    return documents.render(element, json=True)


def _place(message: str) -> str:
    return f"/messages/0:{quote(message, safe='')}"


def _recording(kind: str, language: int) -> str:
    return f"/user/greetings/{quote(kind, safe='')}/greetingstreamfiles/{language}"
