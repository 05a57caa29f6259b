"""Looking up where the directory is: the records that the rules ask for, in order, until one names servers."""

from __future__ import annotations

import random
from collections.abc import Callable

from ringback.net.names import NameClient
from ringback.rules.directory_discovery import DirectoryChoice, DirectoryEvidence, choose, questions
from ringback.rules.srv import NameAnswer


async def discover(
    evidence: DirectoryEvidence, names: NameClient, pick: Callable[[], float] = random.random
) -> DirectoryChoice:
    """The servers of the directory; none where nothing names any (the choice's reasons say what was asked)."""
    answers: dict[str, NameAnswer] = {}
    chance = pick()
    for question in questions(evidence):
        answers[question.name] = await names.srv(question.name)
        if any(record.target for record in answers[question.name].srv):
            break
    return choose(evidence, answers, chance)
