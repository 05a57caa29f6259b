"""Write ``web/src/wire.ts``, the page's types of the host's interface, from ``ringback/client/host/wire.py``.

``python scripts/generate_types.py`` writes the file; with ``--check`` it only tells, by its exit status, whether the
file is up to date. Optional fields of a command may be left out by the page; what the host sends is always complete.
"""

from __future__ import annotations

import dataclasses
import enum
import sys
import types
from pathlib import Path
from typing import Any, ClassVar, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from ringback.client.host import wire

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "web" / "src" / "wire.ts"
HEADER = "// Made from ringback/client/host/wire.py by scripts/generate_types.py: change that file, not this one.\n"
PLAIN: dict[Any, str] = {bool: "boolean", int: "number", float: "number", str: "string", type(None): "null"}


class UnknownTypeError(Exception):
    """A type in wire.py that has no TypeScript form here."""


class Generator:
    """Collects the named types that the interface reaches, each once, in the order in which they are met."""

    def __init__(self) -> None:
        self.declarations: dict[str, str] = {}

    def type_of(self, kind: Any) -> str:
        """The TypeScript expression of a type; named types are declared on the way. Raises UnknownTypeError."""
        if kind in PLAIN:
            return PLAIN[kind]
        origin, parts = get_origin(kind), get_args(kind)
        if origin is Literal:
            return " | ".join(f'"{value}"' for value in parts)
        if origin in {Union, types.UnionType}:
            return " | ".join(self.type_of(member) for member in parts)
        if origin is dict:
            return f"Record<string, {self.type_of(parts[1])}>"
        if origin in {list, tuple}:
            item = self.type_of(parts[0])
            return f"({item})[]" if " " in item else f"{item}[]"
        if isinstance(kind, type) and issubclass(kind, enum.Enum):
            members = " | ".join(f'"{member.value}"' for member in kind)
            self.declarations[kind.__name__] = f"export type {kind.__name__} = {members};\n"
            return kind.__name__
        if isinstance(kind, type) and (issubclass(kind, msgspec.Struct) or dataclasses.is_dataclass(kind)):
            return self._record(kind)
        raise UnknownTypeError(f"{kind!r} has no TypeScript form")

    def _record(self, kind: type) -> str:
        name = kind.__name__
        if name in self.declarations:
            return name
        self.declarations[name] = ""  # its place in the order, and an end for types that hold themselves
        tag_field, required, lines = None, set[str](), list[str]()
        if issubclass(kind, msgspec.Struct):
            tag_field = kind.__struct_config__.tag_field
            required = {field.name for field in msgspec.structs.fields(kind) if field.required}
            if tag_field:
                lines.append(f'  {tag_field}: "{kind.__struct_config__.tag}";')
        for field, hint in get_type_hints(kind).items():
            if get_origin(hint) is ClassVar:
                continue
            optional = "?" if tag_field == "do" and field not in required else ""
            lines.append(f"  {field}{optional}: {self.type_of(hint)};")
        summary = (kind.__doc__ or "").strip().split("\n")[0]
        self.declarations[name] = f"/** {summary} */\nexport interface {name} {{\n" + "\n".join(lines) + "\n}\n"
        return name


def generate() -> str:
    """The text of ``wire.ts``."""
    generator = Generator()
    unions = {"AnyEvent": generator.type_of(wire.AnyEvent), "AnyCommand": generator.type_of(wire.AnyCommand)}
    declared = "\n".join(generator.declarations.values())
    ends = "\n".join(
        f"export type {name} =\n  | {text.replace(' | ', chr(10) + '  | ')};\n" for name, text in unions.items()
    )
    return f"{HEADER}\n{declared}\n{ends}"


def main() -> int:
    """Write the file, or check it. Returns the exit status."""
    text = generate()
    if "--check" not in sys.argv[1:]:
        TARGET.write_text(text)
        return 0
    if TARGET.exists() and TARGET.read_text() == text:
        return 0
    print(f"{TARGET.relative_to(ROOT)} is not up to date: run python scripts/generate_types.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
