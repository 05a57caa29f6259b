"""``python -m tests.support.voicemail_alone FOLDER``: a voicemail node in a process of its own, without call managers.

Calls are taken from 127.0.0.1 in clear, as from a call manager. Mailboxes have extensions from 3000 on and, the first
ones, the same password. Its ports are written into ``ready.json``; state stays in the folder, so that it can be killed
and started again. What the command line names after the folder are settings: ``name=value`` in JSON.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import insert, update

from ringback.deployment.authority import Authority
from ringback.protocols.vmrest.messages import Sender
from ringback.services.voicemail.service import VoicemailService
from ringback.services.voicemail.settings import CallManagerPeer, MailboxSettings, VoicemailSettings
from ringback.storage.engine import exclusive
from ringback.storage.voicemail import rows
from ringback.storage.voicemail.migrate import LOCK
from ringback.storage.voicemail.records import NewVoiceMessage
from ringback.storage.voicemail.store import VoicemailStore
from ringback.storage.voicemail.tables import mailboxes, messages, sounds

NODE = "vm.alone.example"
PASSWORD = "the password of every mailbox"
PIN = "82640"
FIRST = 3000


def settings(folder: Path, mailboxes: int = 10, passwords: int = 2, **more: Any) -> VoicemailSettings:
    """Of a node with so many mailboxes, the first ones with the password (hashing takes its time)."""
    authority = Authority(folder / "ca")
    opened = [
        MailboxSettings(
            f"u{number}",
            f"Person {number}",
            f"u{number}@alone.example",
            str(FIRST + number),
            "main",
            pin=PIN if not number else "",
            password=PASSWORD if number < passwords else "",
        )
        for number in range(mailboxes)
    ]
    usual: dict[str, Any] = {"size_limit": 10**9, "rest_port": 0, "notify_port": 0, "notify_tls_port": 0}
    usual |= {"sip_port": 0, "sip_tls_port": 0, "media_ports": (0, 0), "most_calls": 2000}
    return VoicemailSettings(
        node=NODE,
        address="127.0.0.1",
        identity=authority.issue(NODE, [NODE], ["127.0.0.1"]),
        ca_file=authority.ca_file,
        database_url=f"sqlite+aiosqlite:///{folder}/voicemail.db",
        mailboxes=tuple(opened),
        sip_peers=(CallManagerPeer("cm.alone.example", "127.0.0.1", 9, "main"),),
        **(usual | more),
    )


async def fill(store: VoicemailStore, user: str, count: int) -> None:
    """So many messages in a mailbox, in one transaction: what a year leaves behind."""
    sender = Sender("Somebody", "somebody@alone.example", "2001", "somebody", "2001")
    new = NewVoiceMessage(b"RIFF" + bytes(40), 5000, 0, sender)
    made = [rows.new_message(replace(new, arrived=n), user, "inbox", n + 1, n + 2, ()) for n in range(count)]
    async with exclusive(store.engine, LOCK) as connection:
        await connection.execute(insert(sounds), [{"id": f"sound {n}", "content": new.sound} for n in range(count)])
        values = [rows.values(one) | {"sound": f"sound {n}"} for n, one in enumerate(made)]
        await connection.execute(insert(messages), values)
        change = update(mailboxes).where(mailboxes.c.user == user)
        await connection.execute(change.values(next_number=count + 1, inbox_changes=count + 1))


async def _run(folder: Path, given: dict[str, Any]) -> None:
    service = VoicemailService(settings(folder, **given))
    await service.start()
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    ports = {endpoint.service: endpoint.port for endpoint in service.endpoints}
    part = folder / "ready.part"
    part.write_text(json.dumps(ports))
    part.replace(folder / "ready.json")
    await ended.wait()
    await service.stop()


def main() -> None:
    """Be that process."""
    words = dict(word.split("=", 1) for word in sys.argv[2:])
    asyncio.run(_run(Path(sys.argv[1]), {name: json.loads(value) for name, value in words.items()}))


if __name__ == "__main__":
    main()
