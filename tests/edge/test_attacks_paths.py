"""Ways around the list: paths that servers read differently, targets in odd spellings, hosts that nobody may reach."""

from __future__ import annotations

import base64
import ipaddress
import socket
from collections.abc import Callable

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from ringback.rules.edge_networks import Inside
from ringback.services.edge.resolver import GuardedResolver
from tests.edge.conftest import CALL_MANAGER, DOMAIN
from tests.edge.siege import CLOUD, PAGES, REBOUND, Siege, cases, segment

pytestmark = pytest.mark.asyncio(loop_scope="session")

PATHS = {
    "upwards": "/pages/../secret",
    "upwards-escaped": "/pages/%2e%2e/secret",
    "upwards-half-escaped": "/pages/.%2e/secret",
    "upwards-in-capitals": "/pages/%2E%2E/secret",
    "upwards-escaped-twice": "/pages/%252e%252e/secret",
    "slash-escaped": "/pages/..%2fsecret",
    "slash-escaped-twice": "/pages/%252fsecret",
    "here": "/pages/./x",
    "backslash": "/pages\\..\\secret",
    "backslash-escaped": "/pages/..%5csecret",
    "nul": "/pages/x%00.xml",
    "line-break": "/pages/x%0d%0aX-User:%20root",
    "tab": "/pages/x%09y",
    "overlong-dots": "/pages/%c0%ae%c0%ae/secret",
    "overlong-slash": "/pages/x%c0%afsecret",
    "overlong-of-three": "/pages/%e0%80%ae%e0%80%ae/secret",
    "not-utf-8": "/pages/%ff%fe",
    "half-an-escape": "/pages/%2",
    "escape-of-no-figure": "/pages/%zz",
    "escape-of-unicode": "/pages/%u002e%u002e/secret",
    "parameters-on-dots": "/pages/..;x=1/secret",
    "parameters-on-the-first-part": "/pages;x=1/../secret",
    "empty-part": "/pages//x",
    "empty-first-part": "//pages/x",
    "fragment": "/pages/x#/../secret",
    "neighbour-by-prefix": "/pagesecret",
    "other-case": "/PAGES/x",
    "letters-escaped-elsewhere": "/%73ecret",
    "root": "/",
    "nothing": "",
    "very-long": "/pages/" + "a" * 5000,
    "brackets": "/pages/<script>",
}


@pytest.mark.parametrize("name", cases(PATHS))
async def test_a_path_is_not_repaired(siege: Siege, name: str) -> None:
    await siege.refuses(siege.head(f"/{siege.target()}{PATHS[name]}"), 404 if name == "nothing" else 403, 404)


async def test_a_fragment_in_the_query_passes_no_second_path(siege: Siege) -> None:
    await siege.refuses(siege.head(f"/{siege.target()}/pages/x?a=1#/../secret"), 403, 404)


async def test_octets_that_are_no_letters_pass_nowhere(siege: Siege) -> None:
    data = siege.head(f"/{siege.target()}/pages/MARK").replace(b"MARK", b"\xc3\x28\xff")
    statuses, _ = await siege.send(data)
    assert statuses in ([400], [403, 404])
    data = siege.head(f"/{siege.target()}/pages/x?MARK").replace(b"MARK", b"\xff\xfe")
    before = siege.reached()
    statuses, _ = await siege.send(data)
    assert statuses in ([400], [403, 404])
    assert siege.reached() == before
    await siege.is_healthy()


def _plain(text: str) -> str:
    return base64.b64encode(text.encode("latin-1")).decode()


# how a target is written, made of what an honest client would write (text, its base64url)
SPELLINGS: dict[str, Callable[[str, str], str]] = {
    "padded": lambda text, code: code + "=" * (-len(code) % 4 or 4),
    "padded-escaped": lambda text, code: code + "%3D",
    "blank-inside": lambda text, code: code[:4] + "%20" + code[4:],
    "line-break-inside": lambda text, code: code[:4] + "%0a" + code[4:],
    "letters-escaped": lambda text, code: f"%{ord(code[0]):02x}{code[1:]}",
    "letters-of-other-base64": lambda text, code: code[:4] + "+" + code[5:],
    "other-case": lambda text, code: code.swapcase(),
    "bits-left-over": lambda text, code: code[:-1] + chr(ord(code[-1]) + 1),
    "one-letter-less": lambda text, code: code[:-1],
    "four-parts-and-a-slash": lambda text, code: segment(text + "/"),
    "five-parts": lambda text, code: segment(text + "/secret"),
    "three-parts": lambda text, code: segment(text.rpartition("/")[0]),
    "base64-in-base64": lambda text, code: segment(code),
    "not-coded": lambda text, code: text.replace("/", "%2f"),
    "very-long": lambda text, code: code * 40,
    "nul-in-the-host": lambda text, code: segment(text.replace(PAGES, PAGES + "\0")),
    "two-dots-at-the-end": lambda text, code: segment(text.replace(PAGES, PAGES + "..")),
    "dot-at-the-end": lambda text, code: segment(text.replace(PAGES, PAGES + ".")),
    "user-in-the-host": lambda text, code: segment(text.replace(PAGES, f"anita@{PAGES}")),
    "port-in-the-host": lambda text, code: segment(text.replace(PAGES, f"{PAGES}:443")),
    "path-in-the-port": lambda text, code: segment(f"{text}?x=/"),
    "port-with-a-zero": lambda text, code: segment(f"{text.rpartition('/')[0]}/0{text.rpartition('/')[2]}"),
    "port-with-a-sign": lambda text, code: segment(f"{text.rpartition('/')[0]}/+{text.rpartition('/')[2]}"),
    "port-beyond": lambda text, code: segment(f"{text.rpartition('/')[0]}/{int(text.rpartition('/')[2]) + 65536}"),
    "no-port": lambda text, code: segment(f"{text.rpartition('/')[0]}/"),
    "scheme-of-files": lambda text, code: segment(text.replace("/https/", "/file/")),
    "scheme-in-capitals": lambda text, code: segment(text.replace("/https/", "/HTTPS/")),
    "full-width-letters": lambda text, code: segment(text.replace("pages", "ｐages")),
    "latin-1": lambda text, code: _plain(text.replace("pages", "p\xe4ges")).rstrip("="),
    "other-domain": lambda text, code: segment(text.replace(DOMAIN, "example.org", 1)),
}


@pytest.mark.parametrize("name", cases(SPELLINGS))
async def test_a_target_has_one_spelling(siege: Siege, name: str) -> None:
    code = siege.target()
    text = base64.urlsafe_b64decode(code + "=" * (-len(code) % 4)).decode()
    await siege.refuses(siege.head(f"/{SPELLINGS[name](text, code)}/pages/x"), 404, 404)


HOSTS = {
    "metadata-of-clouds": "169.254.169.254",
    "metadata-as-a-number": "2852039166",
    "metadata-in-ipv6": "[fd00:ec2::254]",
    "metadata-mapped": "[::ffff:169.254.169.254]",
    "metadata-by-a-public-name": "169.254.169.254.nip.io",
    "loopback": "127.0.0.1",
    "loopback-by-name": "localhost",
    "loopback-with-a-dot": "localhost.localdomain",
    "loopback-short": "127.1",
    "loopback-decimal": "2130706433",
    "loopback-hexadecimal": "0x7f000001",
    "loopback-octal": "0177.0.0.1",
    "loopback-other": "127.255.255.254",
    "loopback-ipv6": "[::1]",
    "loopback-long": "[0:0:0:0:0:0:0:1]",
    "loopback-mapped": "[::ffff:127.0.0.1]",
    "loopback-mapped-hexadecimal": "[::ffff:7f00:1]",
    "zero": "0.0.0.0",
    "nothing-in-ipv6": "[::]",
    "bait-by-name": "bait.example.com",
    "bait-by-address": "127.0.0.66",
    "another-tenant": "cm1.example.org",
    "the-edge-itself": "edge.example.com",
    "part-of-a-name": "ages.example.com",
    "longer-name": "pages.example.com.attacker.example",
}


@pytest.mark.parametrize("name", cases(HOSTS))
async def test_a_host_that_is_not_on_the_list_is_not_reached(siege: Siege, name: str) -> None:
    for scheme, port in (("https", siege.pages.port), ("http", siege.bait.port)):
        found = await siege.refuses(siege.head(f"/{siege.target(HOSTS[name], port, scheme)}/pages/x"), 403, 404)
        assert b"The edge does not lead there.\n" in found


async def test_a_listed_host_at_another_port_is_not_reached(siege: Siege) -> None:
    await siege.refuses(siege.head(f"/{siege.target(PAGES, siege.bait.port)}/pages/x"), 403, 404)
    await siege.refuses(siege.head(f"/{siege.target(PAGES, scheme='http')}/pages/x"), 403, 404)
    await siege.refuses(siege.head(f"/{siege.target(CALL_MANAGER, 22)}/cucm-uds/version"), 403, 404)


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_listed_name_that_leads_to_loopback_is_not_followed(siege: Siege, scheme: str) -> None:
    await siege.refuses(siege.head(f"/{siege.target(REBOUND, siege.bait.port, scheme)}/x"), 502, 404)


async def test_a_listed_name_that_leads_to_the_metadata_of_a_cloud_is_not_followed(siege: Siege) -> None:
    await siege.refuses(siege.head(f"/{siege.target(CLOUD, 80, 'http')}/latest/meta-data/"), 502, 404)


NEVER = (
    "127.0.0.1", "127.9.9.9", "0.0.0.0", "169.254.169.254", "100.100.100.200", "168.63.129.16", "192.0.0.192",
    "224.0.0.1", "255.255.255.255", "::1", "::", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1",
    "2002:7f00:1::", "fe80::1%eth0", "fd00:ec2::254", "ff02::1", "localhost", "",
)  # fmt: skip


@pytest.mark.parametrize("address", NEVER)
async def test_no_name_leads_there(address: str) -> None:
    assert Inside().fault("a.example", address) is not None


async def test_only_the_networks_of_the_deployment_are_inside() -> None:
    usual = Inside(frozenset({"127.0.0.1"}))
    assert usual.fault("a.example", "10.1.2.3") is None
    assert usual.fault("a.example", "127.0.0.1") is None
    narrow = Inside(frozenset({"192.0.2.1"}), (ipaddress.ip_network("10.0.0.0/8"),))
    assert [narrow.fault("a", one) is None for one in ("10.9.9.9", "192.0.2.1", "192.168.0.1", "::ffff:10.0.0.1")] == [
        True,
        True,
        False,
        True,
    ]


async def test_of_several_addresses_only_good_ones_are_left() -> None:
    class Both(AbstractResolver):
        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
        ) -> list[ResolveResult]:
            rows = ("169.254.169.254", "192.0.2.7")
            return [ResolveResult(hostname=host, host=one, port=port, family=2, proto=0, flags=0) for one in rows]

        async def close(self) -> None:
            return

    guarded = GuardedResolver(Both(), Inside())
    assert [row["host"] for row in await guarded.resolve("a.example", 443)] == ["192.0.2.7"]
