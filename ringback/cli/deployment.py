"""``ringback lab`` and ``serve``: a deployment file, rehearsed or run."""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import resource
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
import uvloop
from rich.console import Console

from ringback.cli.check import fail, read_file
from ringback.cli.log import set_up_log
from ringback.deployment import Deployment, DeploymentError, load
from ringback.lab.announce import LAB_JSON, announce, write_lab_json
from ringback.lab.browser import BrowserError, opened
from ringback.lab.compose import Composition, compose
from ringback.lab.loopback import moved
from ringback.lab.roles import DeploymentFile
from ringback.lab.runner import StartError
from ringback.lab.state import DataFolder

_MOST_DESCRIPTORS = 2**18
_END_SECONDS = 12.0  # from the signal to the end of the process, at most; mostly it is less than two
BUILT_IN = Path(__file__).parent.parent / "lab" / "example.toml"

DataOption = Annotated[
    Path | None, typer.Option("--data", metavar="DIR", help="Keep state here between starts. Without it: temporary.")
]
LoopbackOption = Annotated[
    str, typer.Option("--loopback", metavar="127.N", help="Use this part of the loopback range, beside another lab.")
]
LogOption = Annotated[str, typer.Option("--log", help="How much to log: error, warning, info or debug.")]
TokenOption = Annotated[str, typer.Option("--token", help="A fixed word for the web client's address, for scripts.")]


def lab(
    file: Annotated[Path | None, typer.Argument(help="A deployment file. Without it: example.com.")] = None,
    data: DataOption = None,
    loopback: LoopbackOption = "127.0",
    token: TokenOption = "",
    browser: Annotated[
        bool, typer.Option("--browser", help="Open a Chromium that knows the names here and trusts the authority.")
    ] = False,
    show: Annotated[bool, typer.Option("--show", help="Print the built-in deployment file and end.")] = False,
    log: LogOption = "warning",
) -> None:
    """Start a whole enterprise on this computer, with a web client, to try and to rehearse."""
    if show:
        typer.echo(BUILT_IN.read_text("utf-8"), nl=False)
        return
    source = file or BUILT_IN
    deployment = read_file(source)
    try:
        deployment = moved(deployment, loopback)
    except ValueError as error:
        fail(str(error))
    path = source.absolute()  # not what a link leads to: that may change, too
    again = DeploymentFile(path, lambda: moved(load(path), loopback))
    _run(deployment, again, data, log, only=frozenset(), token=token, is_lab=True, browser=browser)


def serve(
    file: Annotated[Path, typer.Argument(help="A deployment file.")],
    node: Annotated[
        list[str] | None,
        typer.Option("--node", metavar="NAME", help="Only this node (may be repeated). Without it: all."),
    ] = None,
    data: DataOption = None,
    log: LogOption = "info",
) -> None:
    """Run the roles of a deployment file: all in one process, or one node."""
    deployment = read_file(file)
    only = frozenset(node or ())
    if unknown := only.difference(entry.name for entry in deployment.node):
        known = ", ".join(entry.name for entry in deployment.node)
        fail(f"{file} has no node {min(unknown)!r}; it has: {known}")
    path = file.absolute()
    again = DeploymentFile(path, lambda: load(path))
    _run(deployment, again, data, log, only=only, token="", is_lab=False, browser=False)


def _run(
    deployment: Deployment,
    source: DeploymentFile,
    data: Path | None,
    log: str,
    *,
    only: frozenset[str],
    token: str,
    is_lab: bool,
    browser: bool,
) -> None:
    set_up_log(log)
    _bear_many_connections()
    with _folder(data) as folder:
        try:
            base = source.path.parent
            composition = compose(deployment, folder, base=base, only=only, web_token=token, file=source)
            composition.fork()
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(_until_told(composition, folder, is_lab=is_lab, temporary=data is None, browser=browser))
        except (StartError, DeploymentError, BrowserError) as error:
            fail(str(error))
        except KeyboardInterrupt:
            raise typer.Exit(0) from None


def _bear_many_connections() -> None:
    """Each takes a descriptor, and a process has 1,024 of them on most systems unless it asks for those it may have."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = most if 0 <= most < _MOST_DESCRIPTORS else _MOST_DESCRIPTORS
    with contextlib.suppress(OSError, ValueError):  # some systems have a limit of their own below that
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


async def _until_told(
    composition: Composition, folder: DataFolder, *, is_lab: bool, temporary: bool, browser: bool
) -> None:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told.set)
    async with composition.running(), contextlib.AsyncExitStack() as stack:
        announce(Console(), composition, folder.path / LAB_JSON, is_lab=is_lab, temporary=temporary)
        if browser:
            await stack.enter_async_context(opened(composition, folder.path / "browser"))
        write_lab_json(composition, folder)  # last: whoever waits for it finds everything else done
        await told.wait()
        # whatever hangs then is told with where it does, and does not keep the process
        faulthandler.dump_traceback_later(_END_SECONDS, exit=True)


@contextlib.contextmanager
def _folder(data: Path | None) -> Iterator[DataFolder]:
    if data is not None:
        try:
            yield DataFolder(data)
        except OSError as error:
            fail(f"The data folder {data} can't be used: {error.strerror}")
        return
    with tempfile.TemporaryDirectory(prefix="ringback-", ignore_cleanup_errors=True) as path:
        yield DataFolder(Path(path), kept=False)
