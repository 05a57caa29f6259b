"""``ringback certificates``: requests for an outside authority, its answers, and what expires when."""

from __future__ import annotations

import asyncio
import datetime
import json
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from ringback.cli.check import fail, read_file
from ringback.deployment import Deployment, ports
from ringback.deployment.authority import Authority
from ringback.deployment.certificate_files import CertificateFileError, CertificateFiles, Held, KeyKind
from ringback.deployment.certificate_plan import Need, edge_need, need_of, needs
from ringback.planning.certificates import ServedCertificate, served

certificates = typer.Typer(
    no_args_is_help=True, help="Certificates of a deployment: requests, answers, and what expires when."
)

_DAY = 86400.0
_FILE_WIDTH = 160  # columns where the table goes into a file or a pipe
_KINDS = {
    "authority": "private authority",
    "private": "by the private authority",
    "installed": "installed",
    "request": "waits for its answer",
}


class Key(StrEnum):
    """The kinds of keys: NIST P-256, or RSA of 3072 bits where an authority wants RSA."""

    P256 = "p256"
    RSA3072 = "rsa3072"


FileArgument = Annotated[Path, typer.Argument(help="A deployment file.")]
DataOption = Annotated[Path, typer.Option("--data", metavar="DIR", help="The data folder of the deployment.")]


@certificates.command("requests")
def requests_(
    file: FileArgument,
    data: DataOption,
    multi_server: Annotated[
        bool, typer.Option("--multi-server", help="One for all nodes of a cluster (multi-server SAN).")
    ] = False,
    key: Annotated[Key, typer.Option("--key", help="The kind of the keys.")] = Key.P256,
    addresses: Annotated[
        bool, typer.Option("--addresses", help="Ask for the IP addresses too. Public authorities refuse that.")
    ] = False,
    new_keys: Annotated[
        bool, typer.Option("--new-keys", help="New keys also where a request waits for its answer.")
    ] = False,
    node: Annotated[
        list[str] | None, typer.Option("--node", metavar="NAME", help="For this node only (may be repeated).")
    ] = None,
) -> None:
    """Write a key and a signing request for every certificate that the deployment needs."""
    deployment, files = read_file(file), _files(data)
    wanted = needs(deployment, multi_server=multi_server)
    if node:
        wanted = tuple(need for need in wanted if set(need.nodes) & set(node))
    if not wanted:
        fail(f"{file} has no such node that speaks TLS")
    kind: KeyKind = "rsa3072" if key is Key.RSA3072 else "p256"
    organisation = deployment.organisation
    try:
        for need in wanted:
            made = files.request(need, key=kind, organisation=organisation, addresses=addresses, anew=new_keys)
            typer.echo(f"{made}\n  {', '.join(need.dns)}")
    except (OSError, CertificateFileError) as error:
        fail(f"The requests can't be written: {error}")
    typer.echo(
        "\nSend the .csr files to your authority. Keep the .key files where they are.\n"
        f"Install each answer: ringback certificates install {file} ANSWER.pem --data {data}"
    )


@certificates.command()
def install(
    file: FileArgument,
    answer: Annotated[list[Path], typer.Argument(help="What the authority sent: its certificates in PEM.")],
    data: DataOption,
) -> None:
    """Install a signed certificate with its chain. Running services take it up by themselves."""
    deployment, files = read_file(file), _files(data)
    wanted = (*needs(deployment, multi_server=True), *needs(deployment))
    try:
        document = b"\n".join(path.read_bytes() for path in answer)
        need, read = files.install(document, tuple(dict.fromkeys(wanted)), time.time())
    except CertificateFileError as error:
        fail(f"Nothing was installed. {error}", 1)
    except OSError as error:
        fail(f"{error.filename or answer[0]}: {error.strerror}")
    until = read.certificate.not_valid_after_utc
    typer.echo(f"Installed for {', '.join(need.nodes)}: valid until {until:%Y-%m-%d}, issued by {read.issuer}")


@certificates.command()
def show(
    file: FileArgument,
    data: Annotated[Path | None, typer.Option("--data", metavar="DIR", help="Look into this data folder.")] = None,
    running: Annotated[bool, typer.Option("--running", help="Ask the running services what they show.")] = False,
    days: Annotated[int, typer.Option("--days", min=0, help="End with 1 where one expires within so many days.")] = 30,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Tell which certificates there are, what expires first, and what lacks a name that clients look for."""
    deployment = read_file(file)
    if data is None and not running:
        fail("Say where to look: --data DIR, --running, or both")
    held = _files(data).held() if data is not None else []
    shown = asyncio.run(served(deployment, ports.bindable)) if running else ()
    rows = [*_held_rows(deployment, held), *_served_rows(deployment, shown)]
    if as_json:
        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
    else:
        _print(rows, days)
    late = any(row["days"] is not None and row["days"] < days for row in rows)
    raise typer.Exit(1 if late or any(row["problems"] for row in rows) else 0)


@certificates.command()
def authority(data: DataOption) -> None:
    """Print the authorities that clients must trust: the deployment's own, and those of installed certificates."""
    folder = _files(data).folder
    if not (folder / "ca.key").is_file():
        fail(f"{data} has no authority yet: it is made at the first start")
    typer.echo(Authority(folder).ca_file.read_text("ascii"), nl=False)


def _files(data: Path) -> CertificateFiles:
    if not data.is_dir():
        fail(f"There is no data folder {data}")
    return CertificateFiles(data / "certificates")


def _held_rows(deployment: Deployment, held: list[Held]) -> list[dict[str, Any]]:
    known = {need.stem: need for need in (*needs(deployment, multi_server=True), *needs(deployment))}
    rows = []
    replaced = {one.stem for one in held if one.kind == "installed"}
    for one in held:
        if one.kind == "private" and one.stem in replaced:
            continue  # not in use
        need = known.get(one.stem) if one.kind in ("private", "installed") else None
        problems = [] if one.read is None else _missing(need, one)
        rows.append(_row(one.stem, _KINDS[one.kind], one, problems))
    return rows


def _missing(need: Need | None, one: Held) -> list[str]:
    lacking = need.missing(one.read.names) if need is not None and one.read is not None else ()
    return [f"lacks {name}" for name in lacking]


def _served_rows(deployment: Deployment, shown: tuple[ServedCertificate, ...]) -> list[dict[str, Any]]:
    rows = []
    by_name = {node.name: node for node in deployment.node}
    for one in shown:
        problems = list(one.problems)
        if one.read is not None:
            node = by_name[one.node]
            public = edge_need(deployment) if "edge-outer" in node.roles else None
            problems += [f"lacks {name}" for name in (public or need_of(deployment, node)).missing(one.read.names)]
        held = Held("installed", one.node, Path(), one.read)
        rows.append(_row(f"{one.node}:{one.port}", f"shown by {one.service}", held, problems))
    return sorted(rows, key=lambda row: row["until"] or "")


def _row(name: str, what: str, one: Held, problems: list[str]) -> dict[str, Any]:
    read = one.read
    ends = read.ends if read is not None else None
    return {
        "name": name,
        "what": what,
        "names": list(read.names.alternative or read.names.common) if read is not None else [],
        "issuer": read.issuer if read is not None else "",
        "key": _key_words(read.key.kind, read.key.bits, read.key.curve) if read is not None else "",
        "until": datetime.datetime.fromtimestamp(ends, datetime.UTC).isoformat() if ends is not None else None,
        "days": int((ends - time.time()) // _DAY) if ends is not None else None,
        "fingerprint": read.fingerprint if read is not None else "",
        "problems": problems,
    }


def _key_words(kind: str, bits: int, curve: str) -> str:
    return f"{kind.upper()} {bits}" if bits else curve or kind


def _print(rows: list[dict[str, Any]], days: int) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("Until", "Days", "Certificate", "What", "Issuer", "Key", "Trouble"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        left = row["days"]
        style = "red" if row["problems"] or (left is not None and left < days) else ""
        table.add_row(
            (row["until"] or "")[:10], "" if left is None else str(left), row["name"], row["what"], row["issuer"],
            row["key"], "; ".join(row["problems"]), style=style,
        )  # fmt: skip
    console = Console()
    if not console.is_terminal:
        console = Console(width=max(console.width, _FILE_WIDTH))
    console.print(table)
