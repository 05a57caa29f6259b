"""The channel in which the two proxies talk about clients: one for each link."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from ringback.protocols.traversal import Channel
from ringback.protocols.traversal.control import ControlError, Lines, Word, line
from ringback.services.edge.linkend import LinkEnd

_MOST = 256 * 1024  # octets that wait for the other end; an end that reads nothing is not worth more

_log = structlog.get_logger("ringback.edge")


class Control:
    """One end of it. ``said`` is called with each word, ``over`` when it is gone."""

    def __init__(self, end: LinkEnd, said: Callable[[Word], None], over: Callable[[Control], None]) -> None:
        self._end = end
        self._said = said
        self._over = over
        self._lines = Lines()
        self._channel: Channel | None = None
        self._rest = b""

    def join(self, channel: Channel) -> None:
        """The channel stands."""
        self._channel = channel

    def say(self, *words: Word) -> None:
        """Say something; what can't be sent now is sent as soon as it can."""
        self._rest += b"".join(line(word) for word in words)
        if len(self._rest) > _MOST:
            self._end.close("the other proxy does not listen")
            return
        self.room()

    # --- Receiver

    def data(self, data: bytes) -> None:
        """Words of the other end."""
        if self._channel is not None:
            self._end.consumed(self._channel, len(data))
        try:
            for word in self._lines.feed(data):
                self._said(word)
        except ControlError as error:
            _log.warning("edge.control_unreadable", peer=self._end.name, why=str(error))
            self._end.close(str(error))

    def room(self) -> None:
        """What was left goes on its way."""
        if self._rest and self._channel is not None:
            self._rest = self._rest[self._end.send(self._channel, self._rest) :]

    def ended(self) -> None:
        """The other end talks no more."""
        self._end.close("the other proxy stopped talking")

    def broken(self) -> None:
        """The link is gone, or the other end does not want to talk."""
        self._channel = None
        self._over(self)
