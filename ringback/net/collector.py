"""The garbage collector of a busy server: what was loaded at the start is looked at no more."""

from __future__ import annotations

import gc

_YOUNG, _MIDDLE, _OLD = 20_000, 20, 50


def settle() -> None:
    """Call once when a server has loaded all that it needs, before it serves.

    The collector then leaves modules and tables alone and looks less often at the young. A call manager's call costs
    less than half of what it costs with Python's defaults, since a look at everything comes every few hundred calls
    there.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
