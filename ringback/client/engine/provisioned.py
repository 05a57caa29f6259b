"""What a set-up link says beyond where to look (planning guide, "URL configuration"): modes, telephony, protocols.

A link comes from anybody. So it can make the client stricter with certificates but never looser (chosen), and for
all other settings the company's own configuration counts before it. Only the documented keys are taken: a link must not
name servers that are sent anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote

import msgspec

from ringback.client.host.wire_sign_in import ManualSettings
from ringback.rules.precedence import Setting, ValueSource
from ringback.rules.reasons import Reason

FROM_LINK = frozenset({"telephony_enabled", "forcelaunchbrowser", "prtcertificateurl"})
"""The documented keys, folded, that are settings; those of trust and protocols are read by themselves."""
_PROTOCOLS = {"ipv4-only": "ipv4", "ipv4_only": "ipv4", "ipv6-only": "ipv6", "ipv6_only": "ipv6"}


def with_protocol(manual: ManualSettings, link: Mapping[str, str]) -> ManualSettings:
    """The connection settings with the internet protocol of the link, where the person chose none by hand."""
    said = next((value for name, value in link.items() if name.casefold() == "ip_mode"), "")
    protocol = _PROTOCOLS.get(unquote(said).strip().casefold().replace(" ", "-"), "")
    if manual.internet_protocol != "both" or not protocol:
        return manual
    return msgspec.structs.replace(manual, internet_protocol=protocol)


def filled_in(settings: Mapping[str, Setting], link: Mapping[str, str]) -> dict[str, Setting]:
    """The settings with those of the link that nothing else sets."""
    present = {name.casefold() for name, setting in settings.items() if setting.value.strip()}
    added = {
        name: Setting(name, value, ValueSource.DEFAULT, Reason.of("precedence.link", name=name))
        for name, value in link.items()
        if name.casefold() in FROM_LINK and name.casefold() not in present and value.strip()
    }
    return {**settings, **added}
