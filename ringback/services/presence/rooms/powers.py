"""Who may change what in a room: pure decisions (XEP-0045 sections 8 to 10)."""

from __future__ import annotations

from ringback.services.presence.rooms.model import Affiliation, Role, RoomConfiguration


def default_role(affiliation: Affiliation, configuration: RoomConfiguration) -> Role:
    """The role with which somebody enters, NONE for who may not (XEP-0045 section 5.1.2)."""
    match affiliation:
        case Affiliation.OWNER | Affiliation.ADMIN:
            return Role.MODERATOR
        case Affiliation.MEMBER:
            return Role.PARTICIPANT
        case Affiliation.NONE if not configuration.members_only:
            return Role.VISITOR if configuration.moderated else Role.PARTICIPANT
        case _:
            return Role.NONE


def role_change_refusal(
    actor: Affiliation, actor_role: Role, target: Affiliation, target_role: Role, wanted: Role
) -> str:
    """The error condition that stops an occupant from giving another one a role; empty where allowed.

    A kick is the role NONE. Sections: kick 8.2, grant voice 8.3, revoke voice 8.4, moderators 9.6 and 9.7.
    """
    if actor_role is not Role.MODERATOR:
        return "forbidden"
    if wanted is Role.NONE:
        return "not-allowed" if target > actor else ""
    if Role.MODERATOR in (wanted, target_role):
        if actor < Affiliation.ADMIN:
            return "forbidden"
        return "not-allowed" if target >= Affiliation.ADMIN and wanted is not Role.MODERATOR else ""
    if wanted is Role.VISITOR and (target >= Affiliation.ADMIN or (target >= actor and target is not Affiliation.NONE)):
        return "not-allowed"
    return ""


def affiliation_change_refusal(
    actor: Affiliation, target: Affiliation, wanted: Affiliation, *, on_self: bool, last_owner: bool
) -> str:
    """The error condition that stops somebody from changing an affiliation; empty where allowed.

    ``last_owner``: the target is the only owner. Sections: ban 9.1, members 9.3 and 9.4, admins 10.6 and 10.7,
    owners 10.3 and 10.4.
    """
    if actor < Affiliation.ADMIN:
        return "forbidden"
    if on_self and wanted is Affiliation.OUTCAST:
        return "conflict"
    if actor is Affiliation.ADMIN:
        if wanted >= Affiliation.ADMIN and wanted is not target:
            return "forbidden"
        if target > actor or (target is actor and not on_self and wanted is not target):
            return "not-allowed"
    if last_owner and wanted is not Affiliation.OWNER:
        return "conflict"
    return ""


def list_refusal(actor: Affiliation, wanted: Affiliation, configuration: RoomConfiguration) -> str:
    """The error condition that stops somebody from reading an affiliation list; empty where allowed.

    Members of a non-anonymous members-only room know each other, so they may read who belongs to it (section 9.5).
    """
    if actor >= Affiliation.ADMIN:
        return ""
    known = configuration.real_addresses and configuration.members_only and actor is Affiliation.MEMBER
    return "" if known and wanted >= Affiliation.MEMBER else "forbidden"
