"""Writes the picture of the SIP transaction tables: ``python scripts/draw_transactions.py`` (Markdown with Mermaid)."""

from __future__ import annotations

from pathlib import Path

from ringback.protocols.sip.tables import CLIENT, INVITE_CLIENT, INVITE_SERVER, SERVER, Table

PAGE = Path(__file__).parents[1] / "docs" / "interfaces" / "sip-transactions.md"
_TABLES = {
    "Our INVITE": INVITE_CLIENT,
    "Another request of ours": CLIENT,
    "An INVITE of the other side": INVITE_SERVER,
    "Another request of the other side": SERVER,
}
_HEAD = """# SIP transactions

The four machines of RFC 3261 section 17 with the accepted states of RFC 6026, drawn from the tables in
`ringback/protocols/sip/tables.py`. On each arrow stand the input and, after the slash, what is done.
"""


def diagram(table: Table) -> str:
    """One table as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", f"    [*] --> {next(iter(table))[0]}"]
    for (state, what), (to, actions) in table.items():
        done = f" / {', '.join(actions).replace('_', ' ')}" if actions else ""
        lines.append(f"    {state} --> {to}: {what}{done}")
    lines.append("    terminated --> [*]")
    return "\n".join(lines)


def page() -> str:
    """The whole page."""
    parts = [f"\n## {title}\n\n```mermaid\n{diagram(table)}\n```\n" for title, table in _TABLES.items()]
    return _HEAD + "".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
