"""What the company allows: no telephony, no video, a person with a phone and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from ringback.client import sign_in
from ringback.client.calling.errors import CallError
from tests.softphone.conftest import PASSWORD, SECONDS, calls, heard, person, tone, until
from tests.support.lab import RunningLab, built_in, loopback_range, running_lab


def deployment(folder: Path, *changes: tuple[str, str]) -> Path:
    """The built-in deployment with some texts replaced, each of which must be there."""
    text = built_in()
    for before, after in changes:
        assert before in text
        text = text.replace(before, after, 1)
    file = folder / "deployment.toml"
    file.write_text(text)
    return file


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    """A company without video, whose Bruno has a phone only, and whose sales group has no telephony."""
    folder = tmp_path_factory.mktemp("lab")
    file = deployment(
        folder,
        ("EnableVideo = true", "EnableVideo = false"),
        ("File_Transfer_Enabled = false", "File_Transfer_Enabled = false\nTelephony_Enabled = false"),
        ('user = "bruno"', 'user = "bruno"\npresence = false'),
    )
    with loopback_range() as loopback:
        file.write_text(file.read_text().replace("127.0.", f"{loopback}."))
        with running_lab(folder / "data", str(file), loopback=loopback) as running:
            yield running


async def test_without_telephony_there_is_no_phone(lab: RunningLab) -> None:
    """Messages work; the phone is off and says why, and so does whoever tries to call."""
    address = "hana@example.com"
    async with sign_in(address, password=PASSWORD, nameserver=lab.inside, ca_file=lab.ca_file) as hana:
        features = hana.engine.features()
        assert (features.calls, features.video, features.chats) == (False, False, True)
        calling = hana.engine.signed_in().calling
        await until(hana, lambda: calling.phone.text is not None)
        assert calling.phone.state == "off"
        with pytest.raises(CallError) as told:
            await hana.call("2001")
        assert told.value.reason == calling.phone.text


async def test_a_person_with_a_phone_only_calls(lab: RunningLab, tmp_path: Path) -> None:
    """No messages and no presence, but calls both ways; video is refused with the policy's reason."""
    file = tmp_path / "anita.wav"
    async with person(lab, "anita") as anita, person(lab, "bruno") as bruno:
        features = bruno.engine.features()
        assert (features.calls, features.video, features.chats) == (True, False, False)
        rings = asyncio.create_task(anita.next_call(record=file, seconds=SECONDS))
        out = await bruno.call("2001", play=tone(600), video=True)
        into = await rings
        assert not into.call.asks_video
        await into.answer()
        await out.answered()
        await until(anita, lambda: len(into.call.quality.receiving.minute) >= 3)
        assert calls(bruno)[0].video == "none"
        with pytest.raises(CallError) as told:
            await bruno.engine.signed_in().calling.desk.set_video(out.call.id, on=True)
        assert told.value.reason.id == "calls.barred.no_video_policy"
        await out.end()
        await into.over(SECONDS)
    loudest, _ = heard(file)
    assert abs(loudest - 600) < 5
