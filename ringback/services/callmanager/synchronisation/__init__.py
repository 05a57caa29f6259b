"""People of a directory become people of the cluster: what a directory says, what differs, and writing it.

``decide`` is pure: from what the store has, what the directory has and the agreement to a difference with reasons.
``reading`` asks the directory, ``runner`` joins the two and keeps the result, ``keeper`` does so by schedule in a node
and tells the rest of the node who has come and gone.
"""
