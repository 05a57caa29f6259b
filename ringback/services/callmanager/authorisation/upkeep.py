"""What is done to the store of a cluster from outside its nodes, which notice within seconds."""

from __future__ import annotations

from dataclasses import replace

from ringback.protocols.oauth.tokens import IssuerKeys
from ringback.services.callmanager.authorisation.sealing import SealError, seal, unseal
from ringback.storage.callmanager.sign_ins import SignInStore


async def kept_keys(store: SignInStore, key: bytes) -> IssuerKeys:
    """The keys of the cluster. Raises SealError where there are none, or another key file made them."""
    row = await store.keys()
    if row is None:
        raise SealError("This cluster has no token keys yet; its first start makes them")
    return unseal(row.sealed, row.cluster, key)


async def regenerate(store: SignInStore, key: bytes, *, signing: bool, encryption: bool) -> IssuerKeys:
    """Make a new signing key, a new encryption key or both; the keys from now on.

    A new encryption key ends all access tokens; clients fetch others with their refresh tokens. A new signing key ends
    refresh tokens too: everybody has to sign in again. Raises SealError where there are no keys, and where one is to
    stay that can't be read.
    """
    row = await store.keys()
    if row is None:
        raise SealError("This cluster has no token keys yet; its first start makes them")
    if signing and encryption:
        made = IssuerKeys.generate(row.cluster)
    else:
        made = unseal(row.sealed, row.cluster, key).with_new(signing=signing, encryption=encryption)
    await store.replace_keys(replace(row, sealed=seal(made, key)), end_all=signing)
    return made
