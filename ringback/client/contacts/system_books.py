"""Where address books lie on this computer: folders of vCards that other programs keep, as far as they are files.

KDE and many synchronisers keep one file a contact in ``$XDG_DATA_HOME/contacts``, terminal programs in ``~/.contacts``;
``Contacts`` in the home folder is Windows' own place, and where people save exports. Only what is there is given.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

SYSTEM = "system"  # in place of a path: whatever other programs of this user keep
OWN_FOLDER = "address-books"  # in the data folder: what is put there is searched


def system_address_books(home: Path, environment: Mapping[str, str]) -> tuple[Path, ...]:
    """The folders of a person's home that hold vCards or CSV. Looks at the disk: call it in a thread."""
    data = Path(environment.get("XDG_DATA_HOME") or home / ".local" / "share")
    places = (data / "contacts", home / ".contacts", home / "Contacts")
    return tuple(dict.fromkeys(place for place in places if place.is_dir()))


def address_books(wanted: Sequence[str], base: Path = Path()) -> tuple[Path, ...]:
    """Files and folders as somebody wrote them, ``system`` for those of the user's other programs; a path that is not
    absolute is meant from ``base``, ``~`` is the home folder. Looks at the disk."""
    found: dict[Path, None] = {}
    for one in wanted:
        places = system_address_books(Path.home(), os.environ) if one == SYSTEM else (base / Path(one).expanduser(),)
        found.update(dict.fromkeys(places))
    return tuple(found)


def own_address_books(folder: Path) -> tuple[Path, ...]:
    """The folder for address books inside a data folder, if somebody made it. Looks at the disk."""
    place = folder / OWN_FOLDER
    return (place,) if place.is_dir() else ()
