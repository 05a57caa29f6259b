"""FIPS and common criteria mode: the tables, and servers that keep to them, asked by openssl."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.net.tls import client_context, server_context
from ringback.rules.tls_modes import (
    COMMON_CRITERIA,
    FIPS,
    USUAL,
    KeyFacts,
    TlsMode,
    connection_weakness,
    mode_of,
    weaknesses,
)
from tests.certificates.authority import TestAuthority, Wanted, rsa_key
from tests.certificates.servers import HOST, listening, openssl

NAME = "cm1.example.com"


async def answer_to_openssl(port: int, *options: str) -> bool:
    """Whether ``openssl s_client`` gets an answer."""
    process = await asyncio.create_subprocess_exec(
        openssl(), "s_client", "-connect", f"{HOST}:{port}", "-servername", NAME, "-ign_eof", *options,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    async with asyncio.timeout(10):
        said, _ = await process.communicate(b"ping")
    return b"pong" in said


@pytest.mark.peer
@pytest.mark.parametrize("rsa", [True, False])
async def test_a_server_in_a_mode_takes_only_what_its_table_has(tmp_path: Path, rsa: bool) -> None:
    authority = TestAuthority(tmp_path)
    issued = authority.issue(wanted=Wanted(dns=[NAME], key=rsa_key() if rsa else None))
    identity = issued.write(tmp_path)
    kind = "RSA" if rsa else "ECDSA"
    asked = {
        "1.3": ("-tls1_3",),
        "1.2": ("-tls1_2",),
        "1.2 with P-256": ("-tls1_2", "-cipher", f"ECDHE-{kind}-AES128-GCM-SHA256", "-groups", "P-256"),
        "1.2 with CBC": ("-tls1_2", "-cipher", f"ECDHE-{kind}-AES256-SHA384"),
        "1.2 with ChaCha20": ("-tls1_2", "-cipher", f"ECDHE-{kind}-CHACHA20-POLY1305"),
        "1.3 with ChaCha20": ("-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"),
        "1.3 with X25519": ("-tls1_3", "-groups", "X25519"),
        "1.1": ("-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"),
    }
    taken = {}
    for mode in (USUAL, FIPS, COMMON_CRITERIA):
        async with listening(identity, server_context(replace(identity, mode=mode))) as listener:
            taken[mode.name] = {
                name for name, options in asked.items() if await answer_to_openssl(listener.port, *options)
            }
    assert taken["usual"] == set(asked) - {"1.1"}
    assert taken["fips"] == {"1.3", "1.2", "1.2 with P-256", "1.2 with CBC"}
    assert taken["common-criteria"] == {"1.3", "1.2", "1.2 with P-256"}


async def test_both_sides_in_a_mode_find_each_other(tmp_path: Path) -> None:
    authority = TestAuthority(tmp_path)
    identity = authority.issue(NAME).write(tmp_path)
    for mode in (USUAL, FIPS, COMMON_CRITERIA):
        async with listening(identity, server_context(replace(identity, mode=mode))) as listener:
            context = client_context(authority.ca_file, mode=mode)
            _, writer = await asyncio.open_connection(HOST, listener.port, ssl=context, server_hostname=NAME)
            assert writer.get_extra_info("cipher")[0] in (mode.allowed or {"TLS_AES_256_GCM_SHA384"})
            writer.close()


def test_the_tables_are_narrower_the_stricter_the_mode() -> None:
    assert COMMON_CRITERIA.allowed < FIPS.allowed
    assert not [name for name in FIPS.allowed if "CHACHA" in name or name.endswith("SHA") or "RC4" in name]
    assert mode_of(fips=True) is FIPS
    assert mode_of(fips=True, common_criteria=True) is COMMON_CRITERIA
    assert mode_of(fips=False) is USUAL


_MODES = st.sampled_from([USUAL, FIPS, COMMON_CRITERIA])
_KEYS = st.builds(
    KeyFacts,
    st.sampled_from(["rsa", "ec", "ed25519", "ed448", "dsa", "unknown"]),
    st.sampled_from([0, 512, 1024, 2047, 2048, 3072, 4096]),
    st.sampled_from(["", "secp256r1", "secp384r1", "secp256k1", "brainpoolP256r1"]),
    st.sampled_from(["", "md5", "sha1", "sha256", "sha384"]),
    st.booleans(),
)


@given(_KEYS, _MODES)
def test_no_mode_takes_a_key_that_the_usual_one_refuses(key: KeyFacts, mode: TlsMode) -> None:
    usual, narrow = weaknesses(key, USUAL, "a"), weaknesses(key, mode, "a")
    assert set(map(str, usual)) <= set(map(str, narrow))
    if key.kind == "rsa" and key.bits < 2048:
        assert usual
    if key.digest in ("md5", "sha1") and not key.self_signed:
        assert usual
    if mode is not USUAL and (key.kind not in ("rsa", "ec") or (key.kind == "ec" and not key.curve.startswith("secp"))):
        assert narrow


@given(st.sampled_from(["", "SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"]), st.text(max_size=30), _MODES)
def test_what_is_not_in_the_table_is_no_connection(version: str, cipher: str, mode: TlsMode) -> None:
    weakness = connection_weakness(version, cipher, mode)
    if version not in ("TLSv1.2", "TLSv1.3"):
        assert weakness is not None
    elif mode.allowed:
        assert (weakness is None) is (cipher in mode.allowed)
