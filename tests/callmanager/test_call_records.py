"""Call records as files: the format, byte for byte, and what a file that was cut or is none gives."""

from __future__ import annotations

import contextlib
import csv
import io
import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.protocols.call_records import (
    CDR_COLUMNS,
    CMR_COLUMNS,
    Column,
    RecordError,
    Value,
    cdr_line,
    cmr_line,
    head,
    ip_address,
    ip_number,
    parse,
)

KINDS = {"cdr": (CDR_COLUMNS, cdr_line, 1), "cmr": (CMR_COLUMNS, cmr_line, 2)}


def test_the_heads_have_the_columns_of_a_real_server() -> None:
    cdr, cmr = head(CDR_COLUMNS).splitlines(), head(CMR_COLUMNS).splitlines()
    assert [len(line.split(",")) for line in (*cdr, *cmr)] == [133, 133, 48, 48]
    assert cdr[0].startswith('"cdrRecordType","globalCallID_callManagerId","globalCallID_callId"')
    assert cdr[0].endswith('"origDeviceSessionID","destDeviceSessionID"')
    assert cdr[1].startswith("INTEGER,INTEGER,INTEGER,INTEGER,INTEGER,INTEGER,INTEGER,INTEGER,VARCHAR(50),VARCHAR(128)")
    assert cmr[1].endswith("VARCHAR(600),VARCHAR(600),VARCHAR(128),VARCHAR(128),VARCHAR(129),VARCHAR(1024)")
    types = dict(zip(cdr[0].split(","), cdr[1].split(","), strict=True))
    assert types['"pkid"'] == "UNIQUEIDENTIFIER"
    assert types['"callingPartyNumber_uri"'] == "VARCHAR(255)"
    assert types['"comment"'] == "VARCHAR(2048)"


def test_addresses_are_little_endian() -> None:
    assert ip_number("10.248.64.14") == 239138826
    assert ip_number("10.248.64.17") == 289470474
    assert ip_address(239138826) == "10.248.64.14"
    assert ip_number("::1") == ip_number("nowhere") == 0


@given(st.ip_addresses(v=4))
def test_every_address_comes_back(address: ipaddress.IPv4Address) -> None:
    number = ip_number(str(address))
    assert -(2**31) <= number < 2**31
    assert ip_address(number) == ("" if int(address) == 0 else str(address))


def test_texts_are_quoted_and_numbers_are_not() -> None:
    cmr = cmr_line({"globalCallID_callId": 7, "directoryNum": "2001", "jitter": 3})
    assert cmr == (
        '2,0,7,0,"2001",0,0,0,0,0,0,0,3,0,"","","","","",0,"",,,,,,,,,,"","","",,,,,,,,,,"","","","","",""\n'
    )
    cdr = cdr_line({"globalCallID_callId": 7, "comment": 'a "b"'})
    assert cdr.startswith('1,0,7,0,0,0,0,0,"","",0,0')
    assert ',"a ""b""",' in cdr


def test_a_text_of_a_phone_cannot_break_the_file() -> None:
    evil = 'x",1\r\n1,2,"\x00\u2028'
    text = head(CDR_COLUMNS) + cdr_line({"callingPartyNumber": evil, "comment": "y" * 5000})
    _, records = parse(text)
    assert len(records) == 1
    assert records[0]["comment"] == "y" * 2048
    assert len(list(csv.reader(io.StringIO(text)))) == 3


def value_of(column: Column) -> st.SearchStrategy[Value]:
    if column.length is None:
        return st.integers(-(2**31), 2**31 - 1)
    letters = st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs"))
    return st.text(alphabet=letters, max_size=min(column.length, 20))


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_what_is_written_is_read_again(kind: str, data: st.DataObject) -> None:
    columns, write, number = KINDS[kind]
    some = data.draw(st.lists(st.sampled_from(columns[1:]), unique_by=lambda column: column.name, max_size=12))
    given_values = {column.name: data.draw(value_of(column)) for column in some}
    names, records = parse(head(columns) + write(given_values))
    assert names == tuple(column.name for column in columns)
    for column in columns[1:]:
        usual: Value = "" if column.length is not None else 0
        read = records[0][column.name]
        assert (read or usual) == (given_values.get(column.name) or usual)
    assert records[0]["cdrRecordType"] == number


def test_files_of_older_releases_have_one_head_line() -> None:
    names, records = parse('"cdrRecordType","globalCallID_callId","deviceName"\n2,5,"SEP01"\n')
    assert names == ("cdrRecordType", "globalCallID_callId", "deviceName")
    assert records == [{"cdrRecordType": 2, "globalCallID_callId": 5, "deviceName": "SEP01"}]


@pytest.mark.parametrize(
    "text",
    ["", "hello", '"cdrRecordType","duration"\n1\n', '"cdrRecordType","duration"\n1,x\n', '"cdrRecordType\n1'],
)
def test_what_is_no_file_of_records_is_refused(text: str) -> None:
    with pytest.raises(RecordError):
        parse(text)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(RecordError):
        names, records = parse(head(CMR_COLUMNS) + text)
        assert all(tuple(record) == names for record in records)
