"""Kamailio as the other side: it takes what we write, and challenges and answers so that we can read it."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Iterator

import pytest

from ringback.protocols.sip.digest import Answerer, Credentials, challenges_of
from ringback.protocols.sip.headers import NameAddr, Quoted, Via
from ringback.protocols.sip.message import Request, Response, parse
from ringback.protocols.sip.uri import Uri
from tests.support.kamailio import RunningKamailio, running_kamailio

pytestmark = pytest.mark.peer
_WAIT = 5.0  # seconds for an answer on loopback


@pytest.fixture(scope="module")
def kamailio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningKamailio]:
    with running_kamailio(tmp_path_factory.mktemp("kamailio")) as running:
        yield running


class Phone:
    """A UDP socket that registers one user, a message after the other."""

    def __init__(self, server: RunningKamailio, user: str, password: str) -> None:
        self._server = server
        self._user = user
        self.answerer = Answerer([Credentials(user, password)])
        self._numbers = itertools.count(1)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(_WAIT)

    def __enter__(self) -> Phone:
        return self

    def __exit__(self, *_error: object) -> None:
        self._socket.close()

    def register(self, *, with_digest: bool, display: str = "") -> Response:
        """Send a REGISTER and take its final answer."""
        number, realm = next(self._numbers), self._server.realm
        port = self._socket.getsockname()[1]
        contact = NameAddr(
            display,
            Uri("sip", self._user, "127.0.0.1", port, {"transport": "udp"}),
            {"+sip.instance": Quoted("<urn:uuid:00000000-0000-1000-8000-001122334455>"), "expires": "60"},
        )
        address = NameAddr(display, Uri("sip", self._user, realm))
        headers = [
            ("Via", str(Via("UDP", "127.0.0.1", port, {"branch": f"z9hG4bK{port}.{number}", "rport": None}))),
            ("From", str(address.with_tag("t"))),
            ("To", str(address)),
            ("Call-ID", f"{port}@127.0.0.1"),
            ("CSeq", f"{number} REGISTER"),
            ("Max-Forwards", "70"),
            ("Contact", str(contact)),
        ]
        if with_digest:
            headers += self.answerer.headers("REGISTER", f"sip:{realm}")
        self._socket.sendto(
            Request("REGISTER", f"sip:{realm}", headers).encode(), (self._server.address, self._server.port)
        )
        while True:
            response = parse(self._socket.recv(65_535))
            assert isinstance(response, Response)
            response.check()
            assert response.via.params.get("branch") == f"z9hG4bK{port}.{number}"
            if response.is_final:
                return response


def learn(phone: Phone, response: Response) -> int:
    return len(
        phone.answerer.learn(challenges_of(response.all("WWW-Authenticate"), response.all("Proxy-Authenticate")))
    )


@pytest.mark.parametrize("display", ["", "Anita", 'Anita "A, B" Pérez\\ 电话 <x>'])
def test_a_registration_is_taken(kamailio: RunningKamailio, display: str) -> None:
    with Phone(kamailio, "anita", kamailio.password) as phone:
        refused = phone.register(with_digest=False, display=display)
        assert refused.status == 401
        assert learn(phone, refused) == 1
        taken = phone.register(with_digest=True, display=display)
        assert str(taken).startswith("SIP/2.0 200")
        (contact,) = (each for each in taken.contacts if each.uri.user == "anita" and each.expires)
        assert contact.uri.host == "127.0.0.1"
        assert contact.expires is not None
        assert 0 < contact.expires <= 60
        assert taken.to.display == display
        again = phone.register(with_digest=True, display=display)  # the same nonce, counted on
        assert again.status == 200


def test_a_wrong_password_is_refused_once_and_not_tried_again(kamailio: RunningKamailio) -> None:
    with Phone(kamailio, "botan", "not it") as phone:
        assert learn(phone, phone.register(with_digest=False)) == 1
        assert phone.register(with_digest=True).status == 401
