"""Distinguished names (RFC 4514): made safely from values, and brought into a form in which they can be compared."""

from __future__ import annotations

from ringback.protocols.ldap.errors import LdapFormatError

_LONGEST = 8192


def escape(value: str) -> str:
    """A value as it may stand in a distinguished name (section 2.4): whatever is not a plain letter or digit of ASCII
    is written as its octets."""
    return "".join(
        letter if letter.isascii() and letter.isalnum() else "".join(f"\\{octet:02x}" for octet in letter.encode())
        for letter in value
    )


def parse(name: str) -> tuple[tuple[tuple[str, str], ...], ...]:
    """The parts of a name, the nearest first; each is a set of (attribute in lower case, value). Raises
    LdapFormatError."""
    if len(name) > _LONGEST:
        raise LdapFormatError("The name is too long")
    if not name.strip():
        return ()
    return tuple(tuple(sorted(_pair(pair) for pair in _split(part, "+"))) for part in _split(name, ",;"))


def normal(name: str) -> str:
    """A form that is the same for names that say the same: case and spaces around don't count. What can't be read is
    compared as it stands, without case."""
    try:
        parts = parse(name)
    except LdapFormatError:
        return name.strip().casefold()
    return ",".join(
        "+".join(f"{attribute}={escape(' '.join(value.casefold().split()))}" for attribute, value in part)
        for part in parts
    )


def is_below(name: str, base: str) -> bool:
    """Whether an entry is the base or below it; everything is below the empty name."""
    inner, outer = normal(name), normal(base)
    return not outer or inner == outer or inner.endswith(f",{outer}")


def _split(text: str, separators: str) -> list[str]:
    """Split where a separator is not escaped. A quoted value (RFC 2253's older form) is kept whole."""
    parts, start, index, quoted = [], 0, 0, False
    while index < len(text):
        sign = text[index]
        if sign == "\\":
            index += 1
        elif sign == '"':
            quoted = not quoted
        elif sign in separators and not quoted:
            parts.append(text[start:index])
            start = index + 1
        index += 1
    return [*parts, text[start:]]


def _pair(text: str) -> tuple[str, str]:
    attribute, equals, value = text.partition("=")
    attribute = attribute.strip().lower()
    if not equals or not attribute:
        raise LdapFormatError("A part of the name has no attribute")
    return attribute, _unescaped(value.strip())


def _unescaped(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] == '"':
        value = value[1:-1]
    octets, index = bytearray(), 0
    while index < len(value):
        sign = value[index]
        if sign != "\\":
            octets += sign.encode("utf-8", "surrogatepass")
            index += 1
        elif len(pair := value[index + 1 : index + 3]) == 2 and all(one in "0123456789abcdefABCDEF" for one in pair):
            octets.append(int(pair, 16))
            index += 3
        else:
            octets += value[index + 1 : index + 2].encode("utf-8", "surrogatepass")
            index += 2
    return octets.decode("utf-8", "replace")
