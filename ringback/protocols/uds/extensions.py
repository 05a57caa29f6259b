"""Lines of a person: ``extensions`` and ``extension``, with where their calls are forwarded.

A destination is ``sendToVoiceMailPilotNumber`` and ``sendToCustomDestination``. In a change, an absent element leaves
things as they are and an empty one sets the default, which is nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ringback.protocols import markup
from ringback.protocols.markup import Element
from ringback.protocols.uds.documents import head, read, truth, word
from ringback.protocols.uds.people import CallForward

ForwardTo = CallForward
"""Where calls of one kind go."""

FORWARD_TAGS = {
    "all": "callForwardAllDestination",
    "busy_internal": "callForwardBusyInternalDestination",
    "busy_external": "callForwardBusyExternalDestination",
    "no_answer_internal": "callForwardNoAnswerInternalDestination",
    "no_answer_external": "callForwardNoAnswerExternalDestination",
    "unregistered_internal": "callForwardNotRegisteredInternalDestination",
    "unregistered_external": "callForwardNotRegisteredExternalDestination",
}
"""The element of each kind of forwarding. The last two are named by analogy; no source shows them."""

_NOWHERE = CallForward()


@dataclass(frozen=True, slots=True)
class Extension:
    """A line of the person. ``forwarding`` leads from kinds (the keys of ``FORWARD_TAGS``) to destinations; kinds that
    are not in it forward nowhere."""

    id: str
    directory_number: str
    is_primary: bool = False
    label: str = ""
    voicemail_pilot: str = ""
    forwarding: dict[str, CallForward] = field(default_factory=dict)
    message_waiting: bool = False
    log_missed_calls: bool = True
    uri: str = ""
    version: str = ""

    @property
    def forward_all(self) -> CallForward:
        """Where all calls go."""
        return self.forwarding.get("all", _NOWHERE)

    @classmethod
    def parse(cls, data: bytes) -> Extension:
        """Read the document of one line. Raises UdsError."""
        root = read(data, "extension")
        return replace(_read_extension(root), version=root.attributes.get("version", ""))

    def build(self) -> bytes:
        """The document of one line."""
        element = _extension(self)
        return markup.build(replace(element, attributes={**element.attributes, "version": self.version}))


@dataclass(frozen=True, slots=True)
class Extensions:
    """``extensions``: the lines of a person, the primary one first."""

    extensions: tuple[Extension, ...]
    uri: str = ""
    version: str = ""

    @classmethod
    def parse(cls, data: bytes) -> Extensions:
        """Read the answer. Raises UdsError."""
        root = read(data, "extensions")
        lines = tuple(_read_extension(element) for element in root.all("extension"))
        return cls(lines, root.attributes.get("uri", ""), root.attributes.get("version", ""))

    def build(self) -> bytes:
        """The answer to send."""
        children = tuple(_extension(line) for line in self.extensions)
        return markup.build(Element("extensions", head(self.uri, self.version), children=children))


@dataclass(frozen=True, slots=True)
class ExtensionChange:
    """What a PUT of a line changes: kinds of forwarding, and where they go now."""

    forwarding: dict[str, CallForward]

    @classmethod
    def parse(cls, data: bytes, before: dict[str, CallForward]) -> ExtensionChange:
        """Read the body of a PUT on a line that forwards as in ``before``. Raises UdsError."""
        root = read(data, "extension")
        changed: dict[str, CallForward] = {}
        for kind, tag in FORWARD_TAGS.items():
            given = root.child(tag)
            if given is not None:
                changed[kind] = _changed(given, before.get(kind, _NOWHERE))
        return cls(changed)

    def build(self) -> bytes:
        """The body of a PUT."""
        children = tuple(_destination(FORWARD_TAGS[kind], to) for kind, to in self.forwarding.items())
        return markup.build(Element("extension", children=children))


def _changed(given: Element, before: CallForward) -> CallForward:
    pilot, custom = given.child("sendToVoiceMailPilotNumber"), given.child("sendToCustomDestination")
    if pilot is None and custom is None:
        return _NOWHERE
    to_voicemail = before.to_voicemail if pilot is None else truth(pilot.text)
    destination = before.destination if custom is None else custom.text
    if pilot is None and destination:
        to_voicemail = False  # a number of one's own takes the place of the voicemail
    return CallForward(to_voicemail, "" if to_voicemail else destination)


def _destination(tag: str, to: CallForward) -> Element:
    children = (
        Element("sendToVoiceMailPilotNumber", text=word(to.to_voicemail)),
        Element("sendToCustomDestination", text=to.destination),
    )
    return Element(tag, children=children)


def _extension(line: Extension) -> Element:
    everywhere = {"appliesToAllLineAppearances": "true"}
    return Element(
        "extension",
        {"isPrimary": word(line.is_primary), "uri": line.uri},
        children=(
            Element("id", text=line.id),
            Element("directoryNumber", text=line.directory_number),
            Element("voiceMailPilotNumber", text=line.voicemail_pilot),
            *(_destination(tag, line.forwarding.get(kind, _NOWHERE)) for kind, tag in FORWARD_TAGS.items()),
            Element("messageWaitingVisualAlert", text=word(line.message_waiting)),
            Element("label", everywhere, line.label),
            Element("logMissedCalls", everywhere, word(line.log_missed_calls)),
        ),
    )


def _read_extension(element: Element) -> Extension:
    return Extension(
        id=element.text_of("id"),
        directory_number=element.text_of("directoryNumber"),
        is_primary=truth(element.attributes.get("isPrimary", "")),
        label=element.text_of("label"),
        voicemail_pilot=element.text_of("voiceMailPilotNumber"),
        forwarding={
            kind: found
            for kind, tag in FORWARD_TAGS.items()
            if (given := element.child(tag)) is not None and (found := _read_destination(given)) != _NOWHERE
        },
        message_waiting=truth(element.text_of("messageWaitingVisualAlert")),
        log_missed_calls=truth(element.text_of("logMissedCalls")),
        uri=element.attributes.get("uri", ""),
    )


def _read_destination(element: Element) -> CallForward:
    return CallForward(truth(element.text_of("sendToVoiceMailPilotNumber")), element.text_of("sendToCustomDestination"))
