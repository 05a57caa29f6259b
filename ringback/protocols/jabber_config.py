"""The client configuration file ``jabber-config.xml`` and group files of the same shape.

A file holds sections with parameters: ``<config version="1.0"><Policies><Voicemail_Enabled>true</...>``. A parameter
that holds elements (``InstantMessageLabels``) keeps them in ``nested``. What the parameters mean stands in
``rules.configuration_parameters``; here everything is kept, known or not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ringback.protocols import markup
from ringback.protocols.markup import Element

GLOBAL_FILE = "jabber-config.xml"
REQUIRED_SECTIONS = ("Client", "Options", "Policies", "Directory")
"""Sections that a reader in use insists on; they are written even where empty."""


class JabberConfigError(ValueError):
    """The bytes are not a configuration file; the message says why and, where known, in which line."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter as it stands in the file. ``nested`` holds its elements, ``value`` its text."""

    section: str
    name: str
    value: str
    nested: tuple[Element, ...] = ()


@dataclass(frozen=True, slots=True)
class JabberConfig:
    """The parameters of a file in its order."""

    parameters: tuple[Parameter, ...] = ()

    @classmethod
    def parse(cls, data: bytes) -> JabberConfig:
        """Read a file. Raises JabberConfigError."""
        try:
            root = markup.parse(data)
        except markup.MarkupError as error:
            raise JabberConfigError(str(error)) from error
        if root.name != "config":
            raise JabberConfigError(f"The file starts with <{root.name}> where <config> was expected")
        return cls(
            tuple(
                Parameter(section.name, element.name, element.text, element.children)
                for section in root.children
                for element in section.children
            )
        )

    @classmethod
    def of(cls, sections: Mapping[str, Mapping[str, str]]) -> JabberConfig:
        """From section → name → value."""
        return cls(
            tuple(
                Parameter(section, name, value)
                for section, values in sections.items()
                for name, value in values.items()
            )
        )

    def build(self) -> bytes:
        """The file. Raises JabberConfigError where a name can't be the name of an element."""
        sections: dict[str, list[Element]] = {name: [] for name in REQUIRED_SECTIONS}
        for parameter in self.parameters:
            element = Element(parameter.name, {}, parameter.value, parameter.nested)
            sections.setdefault(parameter.section, []).append(element)
        children = tuple(Element(name, children=tuple(elements)) for name, elements in sections.items())
        try:
            return markup.build(Element("config", {"version": "1.0"}, children=children))
        except markup.MarkupError as error:
            raise JabberConfigError(str(error)) from error

    def get(self, name: str) -> str | None:
        """The value of a parameter in any section; None where it is absent. Of several the last counts."""
        return next((parameter.value for parameter in reversed(self.parameters) if parameter.name == name), None)

    def overridden_by(self, group: JabberConfig) -> JabberConfig:
        """This global configuration with the values of a group's in place of its own."""
        names = {parameter.name for parameter in group.parameters}
        kept = tuple(parameter for parameter in self.parameters if parameter.name not in names)
        return JabberConfig(kept + group.parameters)


def group_file(support_field: str) -> str:
    """The path that a device's support field names, as in ``configurationfile=sales/jabber.xml``; empty where none.

    Only the first entry counts. A path that would leave the server's folder counts as none.
    """
    first = support_field.strip().split(";")[0].split()
    name, equals, path = first[0].partition("=") if first else ("", "", "")
    if not equals or name.lower() != "configurationfile":
        return ""
    parts = path.split("/")
    return path if all(part not in ("", ".", "..") for part in parts) else ""
