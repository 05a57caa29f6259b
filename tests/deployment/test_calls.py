"""The tables about calls: who has which number, what each cluster is told, and what is said of mistakes."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

import ringback.lab
from ringback.deployment import DeploymentError, load, read
from ringback.deployment.numbers import Numbering, RangeError, park_slots
from ringback.lab import calls
from ringback.rules.dial_plan import Caller, Origin, route

EXAMPLE = load(Path(ringback.lab.__file__).parent / "example.toml")

GOOD = """\
domain = "example.com"

[[cluster]]
name = "hq"

[[node]]
name = "cm1.example.com"
address = "127.0.10.10"
roles = ["call-manager"]
cluster = "hq"

[[person]]
user = "anita"
first = "Anita"
last = "Berg"
number = "+41 44 555 20 01"

[[person]]
user = "bruno"
first = "Bruno"
last = "Keller"
number = "+41 44 555 20 02"

[dial-plan]
emergency-to = "2001"
park = "7101-7104"
voicemail = "2999"

[[dial-plan.route]]
pattern = "9.!"
trunk = "city"

[[trunk]]
name = "city"
hosts = ["gw.example.com:5060"]
transport = "tcp"

[[device]]
name = "SEP0011"
owner = "bruno"
password = "a word"

[[pickup-group]]
name = "All"
members = ["anita", "2002"]

[calls]
media-ports = [20000, 20100]
"""


def test_a_file_about_calls_is_read() -> None:
    deployment = read(GOOD.encode())
    assert deployment.calls.media_ports == (20000, 20100)
    plan = Numbering(deployment).plan("hq")
    assert plan.lines == {"2001", "2002"}
    assert plan.country == "CH"
    assert plan.park_slots == ("7101", "7102", "7103", "7104")
    (phone,) = [device for device in calls.devices(deployment, "hq") if device.name == "SEP0011"]
    assert [line.number for line in phone.lines] == ["2002"]
    assert phone.lines[0].display_name == "Bruno Keller"
    assert phone.lines[0].pickup_group == "All"
    assert "a word" not in repr(phone)


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ('number = "+41 44 555 20 02"', 'number = "+41 44 555 20 01"', 22, "would both have the extension 2001"),
        ('number = "+41 44 555 20 02"', 'extension = "2O02"', 22, "'2O02' is not a number"),
        ('park = "7101-7104"', 'park = "7104-7101"', 26, "is not a range of numbers"),
        ('park = "7101-7104"', 'park = "7101-71044"', 26, "is not a range of numbers"),
        ('park = "7101-7104"', 'park = "2000-2010"', 24, "2001 is a line of hq and a park number"),
        ('voicemail = "2999"', 'voicemail = "2002"', 24, "2002 is a line of hq and the number of the voicemail"),
        ('emergency-to = "2001"', 'emergency-to = "2003"', 25, "'2003' is neither a trunk of the file nor"),
        ('pattern = "9.!"', 'pattern = "9..!"', 30, "more than one dot"),
        ('trunk = "city"', 'trunk = "town"', 31, "The trunk 'town' is not in the file"),
        ('trunk = "city"', "", 29, "exactly one of"),
        ('hosts = ["gw.example.com:5060"]', 'hosts = ["gw:x"]', 35, "is not a port"),
        ('hosts = ["gw.example.com:5060"]', "hosts = []", 35, "leads nowhere"),
        ('name = "SEP0011"', 'name = "SEP 0011"', 39, "is not a device name"),
        ('name = "SEP0011"', 'name = "CSFANITA"', 39, "two devices named CSFANITA"),
        ('owner = "bruno"', 'owner = "brune"', 40, "is nobody in the file"),
        ('owner = "bruno"', 'owner = "bruno"\nuser = "CSFANITA"', 41, "two devices that sign in as CSFANITA"),
        ('owner = "bruno"\n', "", 38, "SEP0011 has no number"),
        ('members = ["anita", "2002"]', 'members = ["anna"]', 45, "nobody in the file and no number"),
        ("media-ports = [20000, 20100]", "media-ports = [80, 90]", 48, "The media ports are"),
        ("media-ports = [20000, 20100]", "keep-alive-seconds = 0", 48, "at least 1"),
        ("media-ports = [20000, 20100]", 'authentication = "some"', 48, "authentication"),
    ],
)
def test_mistakes_are_told_with_their_line(old: str, new: str, line: int, words: str) -> None:
    assert old in GOOD
    with pytest.raises(DeploymentError) as told:
        read(GOOD.replace(old, new).encode())
    problem = told.value.problems[0]
    assert words in problem.text
    assert problem.line == line


def test_everybody_of_the_example_has_an_extension_and_is_reached_from_everywhere() -> None:
    numbering = Numbering(EXAMPLE)
    plans = {cluster.name: numbering.plan(cluster.name) for cluster in EXAMPLE.cluster}
    assert plans["head-office"].country == "CH"
    assert plans["branch"].country == "DE"
    for person in EXAMPLE.person:
        number, home = numbering.extension(person), EXAMPLE.home_of(person)
        assert len(number) == 4
        assert person.number.replace(" ", "").endswith(number)
        for name, plan in plans.items():
            for dialled in (number, person.number, f"{person.user}@example.com", f"sip:{number}@cm1.example.com"):
                found = route(dialled, Caller("2000"), plan)
                if name == home:
                    assert (found.kind.value, found.number) == ("line", number), dialled
                else:
                    assert (found.kind.value, found.target) == ("cluster", home), dialled
                    arriving = route(found.number or found.uri, Caller("", Origin.CLUSTER), plans[home])
                    assert (arriving.kind.value, arriving.number) == ("line", number), dialled


@pytest.mark.parametrize("cluster", ["head-office", "branch"])
def test_emergency_calls_of_the_example_reach_the_help_desk(cluster: str) -> None:
    plan = Numbering(EXAMPLE).plan(cluster)
    found = route("112", Caller("2000"), plan)
    assert found.emergency
    assert found.number == "2010"


def test_devices_of_a_person_share_the_line() -> None:
    devices = {device.name: device for device in calls.devices(EXAMPLE, "head-office")}
    assert [line.number for line in devices["CSFANITA"].lines] == ["2001"]
    assert devices["TABANITA"].lines == devices["CSFANITA"].lines
    assert devices["SEP02000000A2007"].lines[0].number == devices["CSFGEORGE"].lines[0].number
    assert devices["SEP02000000A2000"].lines[0].display_name == "Reception"
    assert devices["CSFANITA"].encrypted
    assert "CSFLEILA" not in devices
    assert {device.name for device in calls.devices(EXAMPLE, "branch")} >= {"CSFLEILA", "SEP02000000A3000"}


def test_whole_numbers_can_be_extensions() -> None:
    plan = msgspec.structs.replace(EXAMPLE.dial_plan, extension_digits=0)
    numbering = Numbering(msgspec.structs.replace(EXAMPLE, dial_plan=plan))
    assert numbering.extension(EXAMPLE.person[0]) == "+41445552001"
    assert route("044 555 20 01", Caller(), numbering.plan("head-office")).number == "+41445552001"


def test_park_ranges() -> None:
    assert park_slots("") == ()
    assert park_slots("7100") == ("7100",)
    assert park_slots("098-101") == ("098", "099", "100", "101")
    with pytest.raises(RangeError):
        park_slots("1-10000")
