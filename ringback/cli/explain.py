"""``ringback explain``: where a number goes by the dial plan of a deployment file, and why. Nothing has to run."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ringback.cli.check import fail, read_file
from ringback.planning.dial_explain import Explanation
from ringback.planning.dial_explain import explain as follow
from ringback.rules.catalogue import render
from ringback.rules.dial_plan import Origin, RouteKind

_WHERE = {
    RouteKind.LINE: "line {number}",
    RouteKind.CLUSTER: "cluster {target}",
    RouteKind.TRUNK: "{number} through {target}",
    RouteKind.VOICEMAIL: "the voicemail",
    RouteKind.PARK: "a parked call",
    RouteKind.PICKUP: "the call that rings at {number}",
    RouteKind.PICKUP_GROUP: "a call that rings in the group",
    RouteKind.FORWARD_ALL: "a setting, not a call",
    RouteKind.URI: "{uri}",
    RouteKind.REFUSED: "refused",
    RouteKind.UNKNOWN: "nowhere",
}


class From(StrEnum):
    """Who dials."""

    device = "device"
    cluster = "cluster"
    outside = "outside"


def explain(
    file: Annotated[Path, typer.Argument(help="A deployment file.")],
    number: Annotated[str, typer.Argument(help="What is dialled: a number in any spelling, or an address.")],
    cluster: Annotated[
        str, typer.Option("--cluster", metavar="NAME", help="Where the call begins. Without it: the first cluster.")
    ] = "",
    caller: Annotated[
        From, typer.Option("--from", help="Who dials: a device here, another cluster, or somebody outside.")
    ] = From.device,
) -> None:
    """Tell where a dialled number goes and why. Ends with 0 where it connects, 1 where it does not."""
    deployment = read_file(file)
    names = [each.name for each in deployment.cluster]
    if cluster and cluster not in names:
        fail(f"{file} has no cluster {cluster!r}; it has: {', '.join(names)}")
    if not names:
        fail(f"{file} has no cluster, so nobody can call")
    explanation = follow(deployment, number, cluster or names[0], Origin(caller.value))
    for line in lines_of(explanation):
        typer.echo(line)
    raise typer.Exit(0 if explanation.connects else 1)


def lines_of(explanation: Explanation) -> list[str]:
    """The explanation, a line for each reason."""
    found: list[str] = []
    if explanation.applied.rule is not None:
        found += [f"client: {render(reason)}" for reason in explanation.applied.reasons]
    for step in explanation.steps:
        found += [f"{step.cluster}: {render(reason)}" for reason in step.route.reasons]
    last = explanation.steps[-1].route
    where = _WHERE[last.kind].format(number=last.number, target=last.target, uri=last.uri)
    who = f", {explanation.reached}" if explanation.reached else ""
    return [*found, f"→ {where}{who}"]
