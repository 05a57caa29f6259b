"""The companies that an inner proxy serves: whose a connection is, and how they come, change and go while others'
connections stand."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace

import structlog

from ringback.net.tls import server_context
from ringback.protocols.traversal.opening import Service
from ringback.rules.reasons import Reason
from ringback.services.edge.arrivals import ByServerName, ByStreamHeader
from ringback.services.edge.inner import Reception
from ringback.services.edge.media_inner import InnerMedia
from ringback.services.edge.settings import InnerSettings, TenantSettings
from ringback.services.edge.tenant import Tenant, lasting
from ringback.services.edge.watch import Watch

_log = structlog.get_logger("ringback.edge")


@dataclass(slots=True)
class Tally:
    """What is counted of all companies, also of those that went: answers by the first digit of their status,
    connections whose person may not have them any more, calls since the start and now."""

    answers: Counter[int] = field(default_factory=Counter)
    ended: int = 0
    calls: int = 0
    calls_now: int = 0

    def add(self, tenant: Tenant) -> None:
        """Count one company."""
        begun, now = tenant.calls
        self.answers += tenant.https.answers
        self.ended += tenant.guests.ended
        self.calls += begun
        self.calls_now += now


@dataclass(frozen=True, slots=True)
class _Served:
    """A company with what ends it."""

    tenant: Tenant
    ends: AsyncExitStack


class Companies:
    """Make it, then ``start``. ``media``: as for ``Tenant.open``."""

    def __init__(self, watch: Watch, media: InnerMedia | None) -> None:
        self._watch = watch
        self._media = media
        self._home: _Served | None = None
        self._others: list[_Served] = []
        self._gone = Tally()
        self._https: ByServerName | None = None
        self._sip: ByServerName | None = None
        self._xmpp: ByStreamHeader | None = None

    @property
    def every(self) -> tuple[Tenant, ...]:
        """The company that the edge belongs to, then others."""
        home = () if self._home is None else (self._home.tenant,)
        return (*home, *(one.tenant for one in self._others))

    def tally(self) -> Tally:
        """What was counted since the start."""
        found = replace(self._gone, answers=Counter(self._gone.answers), calls_now=0)
        for tenant in self.every:
            found.add(tenant)
        return found

    async def start(self, settings: InnerSettings) -> Mapping[Service, Reception]:
        """Serve all of them: what each kind of connection is served by. ``stop`` has to be called also where it raises
        OSError or ssl.SSLError."""
        self._home = await self._open(settings.home)
        self._others = list(await self._open_all(settings.tenants))
        home = self._home.tenant
        self._https = ByServerName((home.public, home.https.serve))
        found: dict[Service, Reception] = {"https": Reception(self._https.serve, self._https.context)}
        if home.xmpp is not None:
            self._xmpp = ByStreamHeader(home.xmpp.serve)
            found["xmpp"] = Reception(self._xmpp.serve, None)
        if home.sip is not None:
            # a context of its own: the names of tenants lead elsewhere
            self._sip = ByServerName((server_context(home.settings.public), home.sip.serve))
            found["sip"] = Reception(self._sip.serve, self._sip.context)
        self._arrange()
        return found

    async def stop(self) -> None:
        """End all of them."""
        every = [*self._others, *([] if self._home is None else [self._home])]
        self._home, self._others = None, []
        for fault in await self._end(every):
            if fault is not None:
                raise fault

    async def become(self, wanted: InnerSettings) -> tuple[list[Reason], list[str]]:
        """Serve the companies of other settings. Those that changed in what lasts begin anew, but for the company that
        the edge belongs to: what of that can't be taken in comes second, in words. Raises OSError or ssl.SSLError where
        one of them can't be served; then nothing has changed."""
        home = self._home
        if home is None:
            return [], []
        now = {one.tenant.settings.realm: one for one in self._others}
        then = {one.realm: one for one in wanted.tenants}
        kept = {realm for realm in then.keys() & now.keys() if not lasting(now[realm].tenant.settings, then[realm])}
        opened = await self._open_all(tuple(one for one in wanted.tenants if one.realm not in kept))
        fresh = {one.tenant.settings.realm: one for one in opened}
        over = [one for realm, one in now.items() if realm not in kept]
        taken = self._told(home, wanted, now, then, kept)
        left = lasting(home.tenant.settings, wanted.home)
        home.tenant.become(wanted.home)
        for realm in kept:
            now[realm].tenant.become(then[realm])
        self._others = [fresh[realm] if realm in fresh else now[realm] for realm in then]
        self._arrange()  # from here on nobody new comes to those that are over
        for one, fault in zip(over, await self._end(over), strict=True):
            self._gone.add(one.tenant)
            if fault is not None:
                _log.error("edge.company_end", company=one.tenant.settings.realm, why=repr(fault))
        return taken, left

    # --- inside

    @staticmethod
    async def _end(over: list[_Served]) -> list[BaseException | None]:
        """End companies side by side; what went wrong with each."""
        return await asyncio.gather(*(one.ends.aclose() for one in over), return_exceptions=True)

    @staticmethod
    def _told(
        home: _Served,
        wanted: InnerSettings,
        now: Mapping[str, _Served],
        then: Mapping[str, TenantSettings],
        kept: set[str],
    ) -> list[Reason]:
        """What a change comes to."""
        found = []
        if home.tenant.changes(wanted.home):
            found.append(Reason.of("edge.reload.company_changed", company=min(wanted.https.domains, default="")))
        for realm in sorted({*now, *then}):
            if realm not in now:
                found.append(Reason.of("edge.reload.company_came", company=realm))
            elif realm not in then:
                found.append(Reason.of("edge.reload.company_gone", company=realm))
            elif realm not in kept:
                what = ", ".join(lasting(now[realm].tenant.settings, then[realm]))
                found.append(Reason.of("edge.reload.company_anew", company=realm, what=what))
            elif now[realm].tenant.changes(then[realm]):
                found.append(Reason.of("edge.reload.company_changed", company=realm))
        return found

    async def _open(self, settings: TenantSettings) -> _Served:
        async with AsyncExitStack() as stack:
            tenant = await Tenant.open(stack, settings, self._watch, self._media)
            return _Served(tenant, stack.pop_all())

    async def _open_all(self, wanted: tuple[TenantSettings, ...]) -> tuple[_Served, ...]:
        """All of them or none, side by side: each waits a moment for silent call managers."""
        found = await asyncio.gather(*(self._open(one) for one in wanted), return_exceptions=True)
        opened = tuple(one for one in found if isinstance(one, _Served))
        faults = [one for one in found if isinstance(one, BaseException)]
        if faults:
            await asyncio.gather(*(one.ends.aclose() for one in opened))
            raise faults[0]
        return opened

    def _arrange(self) -> None:
        """Which names lead to whom."""
        if self._home is None:
            return
        names, others = self._home.tenant.settings.names, [one.tenant for one in self._others]
        if self._https is not None:
            tenants = {name: (one.public, one.https.serve) for one in others for name in one.settings.names}
            self._https.become(names, tenants)
        if self._xmpp is not None:
            streams = [(one.settings.xmpp, one.xmpp) for one in others]
            self._xmpp.become({its.domain: front.serve for its, front in streams if its and front})
        if self._sip is not None:
            phones = [(one, one.sip) for one in others]
            self._sip.become(
                names, {name: (one.public, sip.serve) for one, sip in phones if sip for name in one.settings.names}
            )
