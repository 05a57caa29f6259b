"""What can go wrong with the local store."""


class StoreError(Exception):
    """Base of the package's errors; the message says in one sentence what happened."""


class StoreKeyError(StoreError):
    """The key is missing, damaged or not the one that the store was written with."""


class StoreFileError(StoreError):
    """The file can't be opened, or is not a store of this version."""


class StoreClosedError(StoreError):
    """The store is closed, or about to be: the person signed out meanwhile."""

    def __init__(self) -> None:
        super().__init__("The local store is closed")
