"""``python -m bench.people_cache PEOPLE SEARCHES``: fill the client's cache, search it, say in JSON what it took."""

from __future__ import annotations

import gc
import json
import os
import sys
import time

from bench.people import made_up, typed
from bench.processes import resident_bytes
from ringback.client.contacts.cache import PeopleCache
from ringback.client.contacts.sources.base import Kind, Phone, Query, Record


def main() -> None:
    """Run as the arguments say."""
    size, searches = int(sys.argv[1]), int(sys.argv[2])
    people = made_up(size)
    texts = typed(people, searches)
    gc.collect()
    before = resident_bytes(os.getpid())
    cache = PeopleCache(region="CH", most=max(size, 1))
    cache.load(
        Record(
            source="uds", key=one.user, at=1.0, jid=f"{one.user}@example.com", user=one.user,
            name=f"{one.first} {one.last}", first=one.first, last=one.last, mails=(f"{one.user}@example.com",),
            phones=(Phone(Kind.WORK, one.phone),),
        )
        for one in people
    )  # fmt: skip
    gc.collect()
    octets = resident_bytes(os.getpid()) - before
    milliseconds = []
    for text in texts:
        began = time.perf_counter()
        cache.search(Query.of(text, 50))
        milliseconds.append((time.perf_counter() - began) * 1000)
    json.dump({"octets": octets, "milliseconds": milliseconds, "people": len(cache)}, sys.stdout)


if __name__ == "__main__":
    main()
