"""NEM12, NEM13 and the zips they come in, as a target of the fuzzer: what must hold of any bytes, judged apart from how
they are read."""

import io
import zipfile
from collections.abc import Iterator
from decimal import Decimal

from billing_assets.metering.import_engine.formats import read_file
from billing_assets.metering.import_engine.messages import (
    FINDINGS_KEPT,
    FileReport,
    IntervalBlock,
    Message,
    RegisterRead,
    Verdict,
)
from proving.bad_input.answers import storable

_VALUES = ",".join(f"{n % 4}.{n:03}" for n in range(48))
_WHOLE = ",".join(str(n) for n in range(48))
_DAY = f"300,20240315,{_VALUES},A,,,20240316014209,20240316014210"
_VARIES = f"300,20240316,{_WHOLE},V,,,20240317014209,"
_STREAM = "200,VABD000163,E1B1,1,E1,N1,METSER123,kWh,30,20240601"
_READ = (
    "250,VABD000163,1141,1,11,11,METER1,E,099900,20240101080000,A,,,000150,20240401080000,E64,77,Text,250.5,kWh,20240701,"
    "20240402010000,20240402020000"
)
_NEM12 = [
    [_STREAM, _DAY],
    [_STREAM, _DAY, _VARIES, "400,1,20,S14,76,Comms", "400,21,48,A,,", "500,N,S1,20240317000001,001234.5"],
    [_STREAM, _DAY, "400,3,4,A,79,Outage", _STREAM.replace("E1,N1", "B1,N2"), _DAY],
    [_STREAM.replace("kWh", "KWH"), _DAY.replace(",A,,,20240316014209,20240316014210", ",N,,,202403160142")],
]
_NEM13 = [[_READ], [_READ, "550,N,S1,A,S2", _READ.replace(",11,11,", ",41,41,")]]
_ZIP = b"PK\x03\x04"
_PADDING = b", \t\r\n\v\f"


def seeds() -> list[bytes]:
    """Files of each sort, whole, with other line ends, with one thing wrong, and zipped."""
    whole = [_file("NEM12", records) for records in _NEM12] + [_file("NEM13", records) for records in _NEM13]
    odd = [
        whole[0].replace(b"\r\n", b"\n"),
        whole[0].replace(b"\r\n", b"\r"),
        b"\xef\xbb\xbf" + whole[1],
        whole[1][:-5],
        whole[0] + whole[1],
        whole[1].replace(b"1.001", b"-1.0"),
        whole[1].replace(b"Comms", "Störung".encode("latin-1")),
        whole[4].replace(b",250.5,", b",-1,"),
        whole[2].replace(b"400,3", b"400,9"),
        b"900",
        b"STX=",
        b"\n \n",
    ]
    return [*whole, *odd, *(_zipped(one) for one in (*whole[:2], *odd[:2], _zipped(whole[0])))]


def one_input(data: bytes) -> None:
    """Reads one input. Raises where it goes wrong."""
    messages, report = _read(data)
    refused = any(code.startswith("R-") for code in report.counts)
    assert (report.worst is Verdict.REFUSE) == refused, report.counts
    assert len(report.findings) == min(report.counts.total(), FINDINGS_KEPT)
    for finding in report.findings:
        assert finding.sentence, finding
        assert storable(finding.sentence), repr(finding.sentence)
        assert finding.line is None or finding.line >= 1
    if refused or data.startswith(_ZIP) or report.format not in {"NEM12", "NEM13"}:
        return
    assert sum(one.readings for one in report.streams.values()) == report.quality.total()
    written = list(_written(data))
    assert sorted(_values(messages)) == sorted(written)
    assert sum(one.sum for one in report.streams.values()) == sum(written)
    assert _read(data.rstrip(_PADDING)[:-1])[1].worst is Verdict.REFUSE, "a file that is cut"
    small, second = _read(_zipped(data))
    assert (second.counts, list(_values(small))) == (report.counts, list(_values(messages)))


def _read(data: bytes) -> tuple[list[Message], FileReport]:
    report = FileReport()
    return list(read_file(io.BytesIO(data), report)), report


def _values(messages: list[Message]) -> Iterator[Decimal]:
    for one in messages:
        if isinstance(one, IntervalBlock):
            assert sum(run.last - run.first + 1 for run in one.runs) in {0, len(one.values)}
            yield from (Decimal(int(value)).scaleb(-one.decimals) for value in one.values)
        else:
            assert isinstance(one, RegisterRead)
            yield Decimal(one.facts["Quantity"])


def _written(data: bytes) -> Iterator[Decimal]:
    """The quantities of a file that is accepted, read by its commas alone."""
    minutes = 0
    for line in data.decode("utf-8-sig").split("\n"):
        fields = [field.strip() for field in line.split(",")]
        if fields[0] == "200":
            minutes = int(fields[8])
        elif fields[0] == "300":
            yield from map(Decimal, fields[2 : 2 + 1440 // minutes])
        elif fields[0] == "250":
            yield Decimal(fields[18])


def _file(version: str, records: list[str]) -> bytes:
    return "".join(f"{one}\r\n" for one in (f"100,{version},202404011135,MDA1,Ret1", *records, "900")).encode()


def _zipped(content: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("member.csv", content)
    return made.getvalue()
