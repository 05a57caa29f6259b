"""Files of contacts, read and written: vCard, CSV and the XML of contact lists.

``read_contacts`` says what each line or card gave and what was not understood; it raises nothing for what is in a file.
"""

from __future__ import annotations

from ringback.client.contacts.formats.entries import ContactFile, Entry, Format, Lost
from ringback.client.contacts.formats.reading import format_of, read_contacts
from ringback.client.contacts.formats.writing import KINDS, Written, write_contacts

__all__ = ["KINDS", "ContactFile", "Entry", "Format", "Lost", "Written", "format_of", "read_contacts", "write_contacts"]
