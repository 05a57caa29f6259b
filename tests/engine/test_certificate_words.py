"""A certificate that nobody stands behind: asked about during the sign-in and while signed in, accepted once, kept."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from ringback.client.engine.engine import Engine
from ringback.client.engine.errors import EngineError, SignInError
from ringback.client.engine.settings import EngineSettings
from ringback.client.host.wire import AnyEvent
from ringback.client.host.wire_sign_in import ManualSettings, QuestionsChanged
from ringback.rules.addresses import HostPort
from tests.engine.conftest import PEOPLE, SECONDS, Person
from tests.engine.relay import relay_to
from tests.support.foreign import ForeignServer
from tests.support.prosody import running_prosody


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForeignServer]:
    """The same domain with a certificate of another authority."""
    with running_prosody(tmp_path_factory.mktemp("other"), PEOPLE) as server:
        yield server


def settings_of(data: Path) -> EngineSettings:
    """An engine that trusts no authority of these tests."""
    return EngineSettings(data=data, cloud_url="", use_keyring=False)


async def test_accepted_once_and_remembered(prosody: ForeignServer, other: ForeignServer, tmp_path: Path) -> None:
    address = f"anita@{prosody.domain}"
    async with relay_to(HostPort(prosody.address, prosody.port)) as relay:
        manual = ManualSettings(mode="manual", account="xmpp", presence=str(relay.place))
        async with Engine(settings_of(tmp_path)) as engine:
            await engine.set_manual(manual)
            with pytest.raises(SignInError):
                await engine.sign_in(address, PEOPLE["anita"], remember=True)
            shown = engine.snapshot().sign_in.certificate
            assert shown is not None
            assert shown.may_accept
            assert [reason.id for reason in shown.why] == ["certificates.untrusted"]
            assert prosody.domain in shown.expected
            with pytest.raises(EngineError):
                await engine.answer_certificate("00" * 32, accept=True)
            await engine.answer_certificate(shown.fingerprint, accept=True)
            await engine.until_ready()  # with the password that was typed already
            assert engine.snapshot().sign_in.certificate is None
        # It is remembered: the next start asks nothing.
        async with Engine(settings_of(tmp_path)) as engine:
            await engine.use_known(address)
            await engine.until_ready()
            async with asyncio.timeout(SECONDS):
                await engine.signed_in().up.wait()
            # The server shows another certificate now: that is asked about, with what was accepted before.
            anita = Person(engine)
            relay.lead_to(HostPort(other.address, other.port))
            await relay.cut()

            def asked(event: AnyEvent) -> bool:
                return isinstance(event, QuestionsChanged) and event.questions.certificate is not None

            event = await anita.event(asked)
            assert isinstance(event, QuestionsChanged)
            question = event.questions.certificate
            assert question is not None
            assert question.service == "messages"
            assert question.before is not None
            assert question.before.fingerprint == shown.fingerprint
            assert engine.session is not None, "chats stay in view"
            await engine.answer_certificate(question.fingerprint, accept=True)
            await anita.until(lambda: engine.signed_in().board.state("messages") == "up")
            assert engine.questions.now.certificate is None


async def test_refused_is_refused(prosody: ForeignServer, tmp_path: Path) -> None:
    async with Engine(settings_of(tmp_path)) as engine:
        where = f"{prosody.address}:{prosody.port}"
        await engine.set_manual(ManualSettings(mode="manual", account="xmpp", presence=where))
        with pytest.raises(SignInError):
            await engine.sign_in(f"anita@{prosody.domain}", PEOPLE["anita"])
        shown = engine.snapshot().sign_in.certificate
        assert shown is not None
        await engine.answer_certificate(shown.fingerprint, accept=False)
        assert engine.snapshot().sign_in.phase == "address"
        assert engine.snapshot().sign_in.certificate is None
        with pytest.raises(SignInError):
            await engine.sign_in(f"anita@{prosody.domain}", PEOPLE["anita"])
        assert engine.snapshot().sign_in.certificate is not None
