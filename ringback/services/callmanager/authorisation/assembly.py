"""The authorisation server of a node, put together."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack
from dataclasses import replace

from aiohttp import web

from ringback.net.single_sign_on import SingleSignOn
from ringback.protocols.oauth.probe import Probe
from ringback.services.callmanager.authentication import Authenticator
from ringback.services.callmanager.authorisation import endpoints
from ringback.services.callmanager.authorisation.authorize import Authorize
from ringback.services.callmanager.authorisation.key_ring import KeyRing
from ringback.services.callmanager.authorisation.settings import SignInSettings
from ringback.services.callmanager.authorisation.tokens import Tokens
from ringback.services.callmanager.guard import Guard
from ringback.storage.callmanager.lock_outs import LockOuts
from ringback.storage.callmanager.sign_ins import SignInStore
from ringback.storage.callmanager.store import Store


class Authorisation:
    """What a node with ``SignInSettings`` has: the key ring and the lock-outs, which the doors need, then routes."""

    def __init__(self, settings: SignInSettings, store: Store, sign_ins: SignInStore, ring: KeyRing) -> None:
        self._settings = settings
        self._store = store
        self._sign_ins = sign_ins
        self.ring = ring
        self.locks = LockOuts(store.engine, settings.lock_tries, settings.lock_window, settings.lock_seconds)

    @classmethod
    async def open(cls, stack: AsyncExitStack, settings: SignInSettings, store: Store) -> Authorisation:
        """Read or make the keys. Raises SealError and sqlalchemy.exc.SQLAlchemyError."""
        sign_ins = SignInStore(store.engine)
        ring = await KeyRing.open(sign_ins, settings, time.time)
        stack.push_async_callback(ring.close)
        return cls(settings, store, sign_ins, ring)

    async def routes(
        self, stack: AsyncExitStack, base: str, version: str, people: Authenticator, guard: Guard
    ) -> list[web.RouteDef]:
        """What to add to the router; ``base`` is ``https://host:port`` of the node. Raises OSError or SamlError where
        the metadata of the identity provider does not serve."""
        tokens = Tokens(self._sign_ins, self.ring, self._settings, time.time)
        authorize = Authorize(self._settings, base, people, tokens, self.ring, self._sign_ins, self._store, time.time)
        routes = [
            *authorize.routes(),
            *endpoints.TokenEndpoints(tokens).routes(),
            *endpoints.Administration(guard, tokens, self.ring, self._sign_ins, self._store, self.locks).routes(),
        ]
        provider = self._settings.single_sign_on
        if provider is not None:
            sso = SingleSignOn(replace(provider, base=base), authorize.signed_in, authorize.not_signed_in)
            await sso.start()
            stack.push_async_callback(sso.stop)
            authorize.single_sign_on = sso
            routes += sso.routes()
        probe = Probe(single_sign_on=provider is not None, code_grant=True, version=version)
        return [*routes, *endpoints.Probe(probe).routes()]
