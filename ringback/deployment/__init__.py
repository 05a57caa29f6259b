"""The deployment file: clusters, nodes, roles, names and people of an enterprise, as one TOML text.

``load`` reads and checks it; lab, ``serve``, doctor and planner all work from the same ``Deployment``.
The format is documented in ``docs/administrators/deployment-file.md``.
"""

from ringback.deployment.errors import DeploymentError, Problem
from ringback.deployment.load import load, read
from ringback.deployment.model import Cluster, Deployment, Node, Person, Role, Team, Web, Zone

__all__ = [
    "Cluster",
    "Deployment",
    "DeploymentError",
    "Node",
    "Person",
    "Problem",
    "Role",
    "Team",
    "Web",
    "Zone",
    "load",
    "read",
]
