"""What may be chosen (``options`` and the lists under it) and what users may do (``options/userPolicy``)."""

from __future__ import annotations

from dataclasses import dataclass

from ringback.protocols import markup
from ringback.protocols.markup import Element
from ringback.protocols.uds.documents import head, number, read


@dataclass(frozen=True, slots=True)
class Choice:
    """A value and the name that a person reads."""

    value: str
    name: str


@dataclass(frozen=True, slots=True)
class OptionList:
    """A named list of choices; alone it is the document ``options/<name>``."""

    name: str
    choices: tuple[Choice, ...]
    uri: str = ""

    @classmethod
    def parse(cls, data: bytes, name: str) -> OptionList:
        """Read the list of this name. Raises UdsError."""
        return _read_list(read(data, name))

    def build(self) -> bytes:
        """The list as a document of its own."""
        return markup.build(_list(self))


@dataclass(frozen=True, slots=True)
class Options:
    """``options``: all lists at once."""

    lists: tuple[OptionList, ...]
    uri: str = ""
    version: str = ""

    @classmethod
    def parse(cls, data: bytes) -> Options:
        """Read the answer. Raises UdsError."""
        root = read(data, "options")
        lists = tuple(_read_list(child) for child in root.children)
        return cls(lists, root.attributes.get("uri", ""), root.attributes.get("version", ""))

    def build(self) -> bytes:
        """The answer to send."""
        children = tuple(_list(entry) for entry in self.lists)
        return markup.build(Element("options", head(self.uri, self.version), children=children))


@dataclass(frozen=True, slots=True)
class Policy:
    """One setting of the cluster. ``bounds`` are default, least and greatest where it is a number."""

    name: str
    value: str
    choices: tuple[Choice, ...] = ()
    bounds: tuple[int, int, int] | None = None
    uri: str = ""


@dataclass(frozen=True, slots=True)
class UserPolicy:
    """``options/userPolicy``: which features to show, and the limits of user search."""

    policies: tuple[Policy, ...]
    uri: str = ""
    version: str = ""

    def value(self, name: str) -> str | None:
        """The value of a policy; None where it is not listed."""
        return next((policy.value for policy in self.policies if policy.name == name), None)

    @classmethod
    def parse(cls, data: bytes) -> UserPolicy:
        """Read the answer. Raises UdsError."""
        root = read(data, "userPolicy")
        policies = tuple(_read_policy(element) for element in root.all("policy"))
        return cls(policies, root.attributes.get("uri", ""), root.attributes.get("version", ""))

    def build(self) -> bytes:
        """The answer to send."""
        children = tuple(_policy(policy) for policy in self.policies)
        return markup.build(Element("userPolicy", head(self.uri, self.version), children=children))


def _list(entry: OptionList) -> Element:
    options = tuple(
        Element("option", children=(Element("value", text=choice.value), Element("name", text=choice.name)))
        for choice in entry.choices
    )
    return Element(entry.name, {"uri": entry.uri} if entry.uri else {}, children=options)


def _read_list(element: Element) -> OptionList:
    choices = tuple(Choice(option.text_of("value"), option.text_of("name")) for option in element.all("option"))
    return OptionList(element.name, choices, element.attributes.get("uri", ""))


def _policy(policy: Policy) -> Element:
    children = [Element("name", text=policy.name), Element("value", text=policy.value)]
    if policy.choices:
        options = tuple(Element("option", {"value": choice.value}, choice.name) for choice in policy.choices)
        children.append(Element("options", children=options))
    if policy.bounds is not None:
        bounds = zip(("default", "min", "max"), policy.bounds, strict=True)
        children.append(Element("range", children=tuple(Element(name, text=str(value)) for name, value in bounds)))
    return Element("policy", {"uri": policy.uri}, children=tuple(children))


def _read_policy(element: Element) -> Policy:
    options, bounds = element.child("options"), element.child("range")
    return Policy(
        name=element.text_of("name"),
        value=element.text_of("value"),
        choices=tuple(Choice(option.attributes.get("value", ""), option.text) for option in options.all("option"))
        if options
        else (),
        bounds=(number(bounds.text_of("default")), number(bounds.text_of("min")), number(bounds.text_of("max")))
        if bounds
        else None,
        uri=element.attributes.get("uri", ""),
    )
