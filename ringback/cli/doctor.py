"""``ringback doctor``: every question, answer and decision on the way from an address to its services."""

from __future__ import annotations

import asyncio
import ssl
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
import uvloop
from rich.console import Console

from ringback.cli.check import fail
from ringback.cli.log import set_up_log
from ringback.client.discovery import DiscoverySettings
from ringback.net.tls import platform_fips
from ringback.planning.doctor import DoctorReport, DoctorSettings, run_doctor
from ringback.planning.doctor_report import print_report, report_json
from ringback.rules.addresses import AddressError, HostPort, UserAddress
from ringback.rules.certificates import fips_mode


def doctor(
    address: Annotated[str, typer.Argument(help="A work address, such as anita@example.com.")],
    nameserver: Annotated[
        str, typer.Option("--nameserver", metavar="HOST:PORT", help="Ask this name server in place of the system's.")
    ] = "",
    ca: Annotated[
        Path | None, typer.Option("--ca", metavar="FILE", help="Trust these authorities as well (PEM).")
    ] = None,
    cloud: Annotated[
        str | None, typer.Option("--cloud", metavar="URL", help="Ask the cloud look-up here; empty: don't ask it.")
    ] = None,
    password: Annotated[
        bool, typer.Option("--password", help="Read a password and check the person's own profile and devices too.")
    ] = False,
    fips: Annotated[
        bool | None, typer.Option("--fips/--no-fips", help="As a client with FIPS_MODE. Without it: as this system.")
    ] = None,
    common_criteria: Annotated[bool, typer.Option("--common-criteria", help="As a client with CC_MODE.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Tell why a person can or can't sign in. Ends with 0 when all is well, 1 with a fault, 2 for a bad question."""
    set_up_log("error")
    try:
        person = UserAddress.parse(address)
        server = HostPort.parse(nameserver, 53) if nameserver else None
    except AddressError as error:
        fail(str(error))
    if ca is not None and not ca.is_file():
        fail(f"There is no file {ca}")
    secret = _read_password() if password else ""
    look = DiscoverySettings() if cloud is None else replace(DiscoverySettings(), cloud_url=cloud)
    try:
        strictness = fips_mode(fips, platform=platform_fips(), common_criteria=common_criteria)
        settings = DoctorSettings(discovery=look, strictness=strictness)
        report = _run(person, server, ca, settings, secret)
    except (OSError, ssl.SSLError) as error:
        fail(f"The authorities in {ca} can't be read: {error}")
    if as_json:
        typer.echo(report_json(report))
    else:
        print_report(report, Console())
    raise typer.Exit(report.exit_status)


def _run(
    person: UserAddress, server: HostPort | None, ca: Path | None, settings: DoctorSettings, secret: str
) -> DoctorReport:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run_doctor(person, server, ca, settings=settings, password=secret))


def _read_password() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, err=True))
    return sys.stdin.readline().rstrip("\n")
