"""``ringback messages`` as somebody of the lab types it."""

from __future__ import annotations

import json
from pathlib import Path

from ringback.media.players.sound import read_sound
from tests.cli.conftest import Run
from tests.voicemail.conftest import recorded

ANITA, BRUNO = ("--as", "anita@example.com"), ("--as", "bruno@example.com")


def test_a_message_is_sent_listed_saved_and_deleted(run: Run, tmp_path: Path) -> None:
    file, saved = tmp_path / "said.wav", tmp_path / "heard.wav"
    file.write_bytes(recorded(0.5))
    sent = run("messages", "send", str(file), "anita@example.com", *BRUNO, "--subject", "From the terminal", "--urgent")
    assert sent.returncode == 0, sent.stderr
    kept = run("messages", "save", "1", str(saved), *ANITA)
    assert kept.returncode == 0, kept.stderr
    assert abs(read_sound(saved).seconds - 0.5) < 0.05
    listed = run("messages", "list", *ANITA, "--json")
    assert listed.returncode == 0, listed.stderr
    told = json.loads(listed.stdout)[0]
    assert (told["subject"], told["new"], told["urgent"], told["party"]["name"]) == (
        "From the terminal", False, True, "Bruno Keller",
    )  # fmt: skip
    gone = run("messages", "delete", told["id"][:8], *ANITA)
    assert gone.returncode == 0, gone.stderr
    missing = run("messages", "delete", told["id"][:8], *ANITA)
    assert missing.returncode == 1
    assert missing.stderr.strip() == "This message is not in the mailbox any more."
