"""Which format a file has, and its text whatever its encoding."""

from __future__ import annotations

from dataclasses import replace

from ringback.client.contacts.formats.comma import read_csv
from ringback.client.contacts.formats.entries import ContactFile, Format, Lost
from ringback.client.contacts.formats.lists import read_xml
from ringback.client.contacts.formats.vcards import read_vcards
from ringback.rules.reasons import Reason

BYTES_MOST = 16 * 1024 * 1024
LOST_MOST = 2000  # things not understood that are told


def format_of(data: bytes, name: str = "") -> Format:
    """By what the file begins with, else by its name."""
    begin = text_of(data[:4096]).lstrip("\ufeff \t\r\n").lower()
    if begin.startswith("begin:vcard"):
        return Format.VCARD
    if begin.startswith("<"):
        return Format.XML
    ending = name.lower().rpartition(".")[2]
    return {"vcf": Format.VCARD, "vcard": Format.VCARD, "xml": Format.XML}.get(ending, Format.CSV)


def text_of(data: bytes) -> str:
    """The text of a file: UTF-8, UTF-16 where it says so, else the Windows code page of western Europe."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.start >= len(data) - 4 and error.reason == "unexpected end of data":  # the beginning of a file was cut
            return data[: error.start].decode("utf-8-sig", errors="replace")
        return data.decode("cp1252", errors="replace")


def read_contacts(data: bytes, name: str = "") -> ContactFile:
    """The contacts of a file and what was not understood. Nothing that stands in a file makes it raise."""
    found = format_of(data, name)
    if len(data) > BYTES_MOST:
        return ContactFile(found, (), (Lost(0, Reason.of("contacts.file.too_large", limit=BYTES_MOST // 2**20)),))
    if found is Format.XML:
        file = read_xml(data)
    elif found is Format.VCARD:
        file = read_vcards(text_of(data))
    else:
        file = read_csv(text_of(data))
    return file if len(file.lost) <= LOST_MOST else replace(file, lost=file.lost[:LOST_MOST])
