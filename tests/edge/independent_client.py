"""A person's client outside, written from the documents only: ``docs/interfaces/edge.md`` and the public descriptions
of such edges that it names. It imports nothing of Ringback, is synchronous, and uses other libraries (``http.client``,
``xml.etree``, questions to name servers made by hand, slixmpp), so that both sides can't misread a format alike.

    python independent_client.py ADDRESS PASSWORD NAME_SERVER CA_FILE

prints what it met as JSON: sign-in, configuration, the person's data, a configuration file, and a message to oneself.
"""

from __future__ import annotations

import asyncio
import base64
import http.client
import json
import random
import socket
import ssl
import struct
import sys
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

import slixmpp

_A, _SRV = 1, 33
_SECONDS = 10.0


class UnexpectedError(Exception):
    """The edge did something that the documents don't say."""


class Names:
    """Questions to one name server (RFC 1035), for addresses and services."""

    def __init__(self, server: str) -> None:
        host, _, port = server.rpartition(":")
        self._server = (host, int(port))

    def services(self, name: str) -> list[tuple[int, int, int, str]]:
        """Priority, weight, port and host of each record, the most preferred first."""
        found = []
        for message, start, _ in self._ask(name, _SRV):
            priority, weight, port = struct.unpack_from("!HHH", message, start)
            found.append((priority, weight, port, _name(message, start + 6)[0]))
        return sorted(found)

    def address(self, name: str) -> str:
        for message, start, length in self._ask(name, _A):
            return socket.inet_ntoa(message[start : start + length])
        raise UnexpectedError(f"{name} has no address outside")

    def _ask(self, name: str, kind: int) -> list[tuple[bytes, int, int]]:
        number = random.randrange(65536)
        labels = b"".join(bytes([len(one)]) + one.encode() for one in name.rstrip(".").split("."))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours:
            ours.settimeout(_SECONDS)
            ours.connect(self._server)
            ours.send(struct.pack("!HHHHHH", number, 0x0100, 1, 0, 0, 0) + labels + struct.pack("!BHH", 0, kind, 1))
            message = ours.recv(4096)
        if struct.unpack_from("!H", message)[0] != number:
            raise UnexpectedError("an answer to another question")
        _, _, questions, answers, _, _ = struct.unpack_from("!HHHHHH", message)
        at = 12
        for _ in range(questions):
            at = _name(message, at)[1] + 4
        rows = []
        for _ in range(answers):
            at = _name(message, at)[1]
            found, _, _, length = struct.unpack_from("!HHIH", message, at)
            if found == kind:
                rows.append((message, at + 10, length))
            at += 10 + length
        return rows


def _name(message: bytes, at: int) -> tuple[str, int]:
    """The name that begins there, and where it ends."""
    labels: list[str] = []
    end = 0
    for _ in range(128):
        length = message[at]
        if length >= 0xC0:
            end = end or at + 2
            at = struct.unpack_from("!H", message, at)[0] & 0x3FFF
            continue
        at += 1 + length
        if not length:
            return ".".join(labels), end or at
        labels.append(message[at - length : at].decode("ascii"))
    raise UnexpectedError("a name without end")


@dataclass
class Place:
    """Where something is: of the edge, or inside."""

    host: str
    port: int


@dataclass
class Configuration:
    """What ``get_edge_config`` says."""

    services: dict[str, list[Place]] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    edges: dict[str, list[Place]] = field(default_factory=dict)
    route: str = ""

    @classmethod
    def read(cls, body: bytes) -> Configuration:
        root = ET.fromstring(body)
        if root.tag != "getEdgeConfigResponse" or root.get("version") != "1.0":
            raise UnexpectedError(f"{root.tag} {root.attrib}")
        made = cls(route=root.findtext("edgeConfig/sipRequest/route", ""))
        for row in root.iterfind("serviceConfig/service"):
            name, error = row.findtext("name", ""), row.findtext("error")
            if error is not None:
                made.errors[name] = error
            elif name == "tftpServer":
                made.files += [one.text for one in row.iterfind("address") if one.text]
            else:
                servers = sorted(row.iterfind("server"), key=lambda one: int(one.findtext("priority", "0")))
                made.services[name] = [_place(one, "port") for one in servers]
        for element in root.iterfind("edgeConfig/*"):
            if found := [_place(one, "tlsPort") for one in element.iterfind("server")]:
                made.edges[element.tag] = found
        return made


def _place(element: ET.Element, port: str) -> Place:
    return Place(element.findtext("address", ""), int(element.findtext(port, "0")))


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


class _Connection(http.client.HTTPSConnection):
    """TLS to an address, for the name in the URL."""

    def __init__(self, place: Place, address: str, context: ssl.SSLContext) -> None:
        super().__init__(place.host, place.port, timeout=_SECONDS, context=context)
        self._tls, self._address = context, address

    def connect(self) -> None:
        plain = socket.create_connection((self._address, self.port), _SECONDS)
        self.sock = self._tls.wrap_socket(plain, server_hostname=self.host)


class Client:
    """One person outside."""

    def __init__(self, address: str, password: str, names: Names, ca_file: str) -> None:
        self.address = address
        self.user, _, self.domain = address.partition("@")
        self._password, self._names = password, names
        self.ca_file = ca_file
        self._context = ssl.create_default_context(cafile=ca_file)
        self._cookie = ""
        self.edge = Place("", 0)
        self.configuration = Configuration()

    def discover(self) -> None:
        """Find the edge, by the record that exists outside only."""
        rows = self._names.services(f"_collab-edge._tls.{self.domain}")
        if not rows:
            raise UnexpectedError(f"{self.domain} has no edge")
        self.edge = Place(rows[0][3], rows[0][2])

    def own(self, path: str, *, signed: bool = True) -> Answer:
        """Ask the edge itself."""
        return self._ask(f"/{_code(self.domain)}/{path}", signed=signed)

    def inside(self, scheme: str, place: Place, path: str) -> Answer:
        """Ask a server inside."""
        return self._ask(f"/{_code(f'{self.domain}/{scheme}/{place.host}/{place.port}')}{path}", signed=True)

    def single_sign_on(self) -> dict[str, str]:
        answer = self.own(f"get_edge_sso?email={quote(self.address, safe='')}", signed=False)
        root = ET.fromstring(answer.body)
        if (answer.status, root.tag) != (200, "getEdgeSsoResponse"):
            raise UnexpectedError(f"{answer.status} {root.tag}")
        rows = {name: root.find(name) for name in ("sso", "oauth")}
        return {name: "" if row is None else row.get("enabled", "") for name, row in rows.items()}

    def sign_in(self) -> None:
        path = "get_edge_config?service_name=_cisco-uds&service_name=_cuplogin"
        nobody = self.own(path, signed=False)
        if nobody.status != 401 or nobody.headers["WWW-Authenticate"] != 'Basic realm="Cisco-Edge"':
            raise UnexpectedError(f"{nobody.status} {nobody.headers.items()}")
        answer = self.own(path)
        if answer.status != 200:
            raise UnexpectedError(f"signing in: {answer.status} {answer.body!r}")
        self._cookie = _cookie(answer.headers.get_all("Set-Cookie", []))
        self.configuration = Configuration.read(answer.body)

    def _ask(self, path: str, *, signed: bool) -> Answer:
        headers = {}
        if signed:
            headers["Authorization"] = "Basic " + base64.b64encode(f"{self.user}:{self._password}".encode()).decode()
            if self._cookie:
                headers["Cookie"] = f"X-Auth={self._cookie}"
        connection = _Connection(self.edge, self._names.address(self.edge.host), self._context)
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def message_to_oneself(self, text: str) -> str:
        """Sign in to the edge's XMPP server and write to oneself; what came."""
        place = self.configuration.edges["xmppEdgeServer"][0]
        return asyncio.run(_chat(self, self._names.address(place.host), place.port, self._password, text))


async def _chat(client: Client, host: str, port: int, password: str, text: str) -> str:
    xmpp = slixmpp.ClientXMPP(client.address, password)
    xmpp.ca_certs = client.ca_file  # type: ignore[assignment]  # it may be a text, says slixmpp's guide
    heard: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def started(_: Any) -> None:
        xmpp.send_presence()
        xmpp.send_message(mto=slixmpp.JID(client.address), mbody=text, mtype="chat")

    def came(stanza: Any) -> None:
        if not heard.done():
            heard.set_result(str(stanza["body"]))

    xmpp.add_event_handler("session_start", started)
    xmpp.add_event_handler("message", came)
    xmpp.connect(host, port)
    try:
        return await asyncio.wait_for(heard, _SECONDS)
    finally:
        await xmpp.disconnect()


def _code(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _cookie(lines: list[str]) -> str:
    for line in lines:
        name, _, rest = line.partition("=")
        value, *attributes = (one.strip() for one in rest.split(";"))
        words = {one.partition("=")[0].lower() for one in attributes}
        if name == "X-Auth" and len(value) == 64 and {"secure", "httponly"} <= words:
            return value
    raise UnexpectedError(f"no cookie among {len(lines)}")


def main(address: str, password: str, server: str, ca_file: str) -> dict[str, Any]:
    """A person's sign-in; what was met."""
    client = Client(address, password, Names(server), ca_file)
    client.discover()
    sso = client.single_sign_on()
    client.sign_in()
    home = client.configuration.edges["userUdsServer"][0]
    data = client.inside("https", home, f"/cucm-uds/user/{quote(client.user)}")
    user = ET.fromstring(data.body)
    uri = urlsplit(user.findtext("serviceProfile/uri", ""))
    profile = client.inside(uri.scheme, Place(uri.hostname or "", uri.port or 0), uri.path)
    settings = client.inside("http", Place(client.configuration.files[0], 6970), "/jabber-config.xml")
    return {
        "edge": [client.edge.host, client.edge.port],
        "sso": sso,
        "services": {name: [one.host for one in rows] for name, rows in client.configuration.services.items()},
        "errors": client.configuration.errors,
        "edges": sorted(client.configuration.edges),
        "user": [data.status, user.findtext("userName")],
        "profile": [profile.status, ET.fromstring(profile.body).tag],
        "settings": [settings.status, ET.fromstring(settings.body).tag],
        "forbidden": client.inside("https", home, "/axl/").status,
        "message": client.message_to_oneself("noted outside ☕"),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(*sys.argv[1:5])))
