"""Who may register through the edge, as one company's protection and policies say it."""

from __future__ import annotations

import time
from collections.abc import Callable

from ringback.rules.name_search import fold
from ringback.rules.reasons import Reason
from ringback.services.edge.guests import Guests
from ringback.services.edge.watch import TenantWatch


class TenantGate:
    """See ``sip.Gate``. Devices sign in by names of their own, so these count where people's would."""

    def __init__(self, watch: TenantWatch, guests: Guests) -> None:
        self._watch = watch
        self._guests = guests

    def kept_out(self, address: str, user: str) -> float:
        """See ``sip.Gate``."""
        block = self._watch.kept_out(address, fold(user), later=not user)
        return 0.0 if block is None else max(1.0, block.until - time.time())

    def failed(self, address: str, user: str) -> None:
        """See ``sip.Gate``."""
        self._watch.failed(address, fold(user))

    def let_in(self, address: str, user: str) -> None:
        """See ``sip.Gate``."""
        self._watch.let_in(address, fold(user))

    def refuses(self, user: str, device: str) -> Reason | None:
        """See ``sip.Gate``."""
        return self._guests.refuses("sip", user, device)

    def enter(self, device: str, end: Callable[[Reason], None]) -> Callable[[], None]:
        """See ``sip.Gate``."""
        return self._guests.enter("sip", "", end, device)
