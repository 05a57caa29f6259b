"""Where address books lie on this computer: folders of vCards that other programs keep, as far as they are files.

KDE and many synchronisers keep one file a contact in ``$XDG_DATA_HOME/contacts``, terminal programs in ``~/.contacts``;
``Contacts`` in the home folder is Windows' own place, and where people save exports. Only what is there is given.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

OWN_FOLDER = "address-books"  # in the data folder: what is put there is searched


def system_address_books(home: Path, environment: Mapping[str, str]) -> tuple[Path, ...]:
    """The folders of a person's home that hold vCards or CSV. Looks at the disk: call it in a thread."""
    data = Path(environment.get("XDG_DATA_HOME") or home / ".local" / "share")
    places = (data / "contacts", home / ".contacts", home / "Contacts")
    return tuple(dict.fromkeys(place for place in places if place.is_dir()))


def own_address_books(folder: Path) -> tuple[Path, ...]:
    """The folder for address books inside a data folder, if somebody made it. Looks at the disk."""
    place = folder / OWN_FOLDER
    return (place,) if place.is_dir() else ()
