"""What a source is opened with: who asks, how servers are reached and trusted, and what the company set."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ringback.client.edge import EdgeRoute
from ringback.client.identity.callmanager import CallManager
from ringback.client.trust import TrustJudge
from ringback.net.names import NameClient
from ringback.rules.address_scheme import AddressScheme, SchemeKind
from ringback.rules.addresses import Jid


@dataclass(frozen=True, slots=True)
class Login:
    """A user name and a password for a directory; neither stands in a repr."""

    user: str = field(repr=False)
    password: str = field(repr=False)


def no_login() -> Login | None:
    """Nobody gave any."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceContext:
    """``parameters``: the directory's parameters by their CDI names, as configuration files and service profile give
    them by precedence (the profile's ``Directory`` section stands in them under CDI names); compare names without case.
    ``domain``: of the Jabber identifiers; ``services_domain``: what the person signed in with; ``user``: the user id.
    ``call_manager``: the home cluster's user data service, None where there is none. ``typed``: what the person typed
    for the directory itself; ``call_manager_login``: the cluster's user id and password, None where only a token is
    held (``LDAP_UseCredentialsFrom``). Both are asked at each bind and never kept. ``outside``: the company network is
    not reachable directly, whatever ``route`` says, which tells how servers are reached now. ``region``: ISO 3166 code
    in which national numbers are read, or empty.
    ``folder``: where a source may look for files of the person; None: nowhere. ``clock``: seconds since 1970.
    """

    names: NameClient
    judge: TrustJudge
    own: Jid
    user: str
    domain: str
    services_domain: str
    parameters: Mapping[str, str] = field(repr=False, default_factory=dict)
    call_manager: CallManager | None = None
    typed: Callable[[], Login | None] = no_login
    call_manager_login: Callable[[], Login | None] = no_login
    outside: bool = False
    route: EdgeRoute = field(default_factory=EdgeRoute)
    scheme: AddressScheme | None = None
    region: str = ""
    folder: Path | None = None
    clock: Callable[[], float] = time.time

    @property
    def is_outside(self) -> bool:
        """Whether the company network is out of direct reach now."""
        return self.outside or self.route.outside

    def jid_of(self, user: str = "", uris: Iterable[str] = ()) -> str:
        """The bare Jabber identifier of somebody with this user id and these URIs; empty: none can be made."""
        scheme = self.scheme or AddressScheme(SchemeKind.USER_ID, self.domain)
        return scheme.jid(user, uris)

    def parameter(self, name: str, default: str = "") -> str:
        """A parameter by its CDI name, whatever the case in the file; spaces around it don't count."""
        folded = name.casefold()
        found = next((value for key, value in self.parameters.items() if key.casefold() == folded), "")
        return found.strip() or default
