"""Where a dialled text goes by a deployment file, through all clusters, with the reasons of each."""

from __future__ import annotations

from dataclasses import dataclass

from ringback.deployment import Deployment
from ringback.deployment.numbers import Numbering, rules
from ringback.rules.dial_plan import Caller, Origin, Route, RouteKind, clean, route
from ringback.rules.dial_rules import Applied, apply_rules


@dataclass(frozen=True, slots=True)
class Step:
    """A cluster that was asked, and where it sends the call."""

    cluster: str
    route: Route


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a client makes of the text, and the way of the call; ``reached`` is who rings at its end, or empty."""

    applied: Applied
    steps: tuple[Step, ...]
    reached: str

    @property
    def connects(self) -> bool:
        """Whether the call gets anywhere."""
        return self.steps[-1].route.kind not in (RouteKind.REFUSED, RouteKind.UNKNOWN)


def explain(deployment: Deployment, dialled: str, cluster: str, origin: Origin = Origin.DEVICE) -> Explanation:
    """Follow a call that begins in a cluster. Clients apply their dial rules first; calls from trunks have none."""
    numbering = Numbering(deployment)
    applied = apply_rules(
        clean(dialled), rules(deployment.dial_plan.application_rule) if origin is Origin.DEVICE else ()
    )
    steps = [Step(cluster, route(applied.number, Caller("", origin), numbering.plan(cluster)))]
    found = steps[0].route
    if found.kind is RouteKind.CLUSTER:
        arriving = route(found.number or found.uri, Caller("", Origin.CLUSTER), numbering.plan(found.target))
        steps.append(Step(found.target, arriving))
    last = steps[-1]
    reached = _reached(numbering, last.cluster, last.route.number) if last.route.kind is RouteKind.LINE else ""
    return Explanation(applied, tuple(steps), reached)


def _reached(numbering: Numbering, cluster: str, number: str) -> str:
    person = numbering.owners.get((cluster, number))
    if person is not None:
        return person.name
    for device in numbering.deployment.device:
        if numbering.home(device) == cluster and number in numbering.lines(device):
            return device.display_name or device.description or device.name
    return ""
