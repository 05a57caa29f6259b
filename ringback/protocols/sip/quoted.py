"""A parameter value that stood in quotes."""

from __future__ import annotations


class Quoted(str):
    """A parameter value that is written in double quotes even where it could stand without."""

    __slots__ = ()
