"""A request of ours on its way out."""

from __future__ import annotations

from ringback.protocols.sip.lexical import is_token
from ringback.protocols.sip.message import Request
from ringback.protocols.sip.names import METHODS
from ringback.protocols.sip.writing import written


class Draft:
    """Method, Request-URI, header rows and body of a request that is sent; ``request`` is made when it is needed."""

    __slots__ = ("_request", "body", "headers", "method", "uri")

    def __init__(self, method: str, uri: str, headers: list[tuple[str, str]], body: bytes = b"") -> None:
        self.method = method
        self.uri = uri
        self.headers = headers
        self.body = body
        self._request: Request | None = None

    @property
    def request(self) -> Request:
        """The request. Raises UnbuildableMessage."""
        if self._request is None:
            self._request = Request(self.method, self.uri, self.headers, self.body)
        return self._request

    def encode(self) -> bytes:
        """The request as bytes. Raises UnbuildableMessage."""
        if self.uri and (self.method in METHODS or is_token(self.method)):
            data = written([f"{self.method} {self.uri} SIP/2.0"], self.headers, self.body)
            if data is not None:
                return data
        return self.request.encode()
