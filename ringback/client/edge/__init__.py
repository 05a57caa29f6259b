"""The way of a client outside the company's network to its servers: through the edge.

``EdgeRoute`` is handed in wherever servers are asked, and says at each request which way counts now; ``EdgeWay`` is
such a way. What is asked of the edge itself is in ``asking``, what keeps a session there in ``keeping``.
"""

from ringback.client.edge.problems import EdgeProblemError
from ringback.client.edge.way import EdgeRoute, EdgeWay, KeptEdge

__all__ = ["EdgeProblemError", "EdgeRoute", "EdgeWay", "KeptEdge"]
