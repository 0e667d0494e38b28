"""Everything that reads X12, as a target of the fuzzer: what must hold of any bytes, judged apart from the reader."""

import io

from billing_assets.foundation.x12 import acknowledgement, application_advice
from billing_assets.foundation.x12.envelope import read
from billing_assets.foundation.x12.findings import FINDINGS_KEPT
from billing_assets.foundation.x12.interchange import FileEnd, Group, Interchange, TransactionSet
from billing_assets.foundation.x12.rules import ElementKind, ElementRule, SegmentRule, SetRules
from billing_assets.foundation.x12.writer import write_set
from proving.bad_input.answers import storable

_USAGE = SetRules(
    "867",
    "PT",
    (
        SegmentRule("BPT", (ElementRule(1, ElementKind.ID, frozenset({"00", "01", "05"})),), mandatory=True, at_most=1),
        SegmentRule("QTY", (ElementRule(2, ElementKind.R),)),
        SegmentRule("DTM", (ElementRule(2, ElementKind.DT), ElementRule(3, ElementKind.TM, warn=True))),
        SegmentRule("SAC", (ElementRule(5, ElementKind.N2, mandatory=True),)),
    ),
)
_RULES = {one.type: one for one in (_USAGE, acknowledgement.RULES, application_advice.RULES)}
_ISA = "ISA*00*          *00*          *01*900000026      *01*829000001      *260706*0732*U*00401*000004711*0*P*>~"
_SETS = (
    ("PT", "ST*867*0001~BPT*00*U1*20260704*DD~DTM*151*20260702*2400~QTY*QD*1150.5~SAC*C****450~SE*6*0001~"),
    ("FA", "ST*997*0001~AK1*PT*4711~AK2*867*0001~AK3*QTY*4**8~AK4*2**6*1~AK5*R*5~AK9*R*1*1*0~SE*8*0001~"),
    ("AG", "ST*824*0001~BGN*11*R1*20260707***U1**82~OTI*TR*TN*U1*****47*0001*867~REF*7G*A13*No.~SE*5*0001~"),
)
_TRICKLE = 3_000
"""Inputs up to this size are read a second time in small pieces."""


def seeds() -> list[bytes]:
    """Interchanges of each sort of set, with other delimiters, line ends, blanks, a mark, two in a file, and cut."""
    groups = [f"GS*{kind}*9*8*20260706*0732*4711*X*004010~{text}GE*1*4711~" for kind, text in _SETS]
    plain = [f"{_ISA}{group}IEA*1*000004711~" for group in groups]
    plain.append(f"{_ISA}TA1*000000001*260706*0732*A*000~{''.join(groups)}IEA*3*000004711~")
    odd = [
        plain[0].replace("~", "~\r\n"),
        plain[1].replace("~", "\n"),
        plain[0].translate(str.maketrans("*>~", "|^\x85")),
        plain[0].translate(str.maketrans("*>~", "\x1d\x1e\x1c")),
        "\xef\xbb\xbf" + plain[2].replace("~", "~\n\n  \t"),
        plain[0] + "\r\n\x1a" + plain[1].replace("000004711", "000004712"),
        plain[0].replace("          ", " "),
        plain[2][:-9],
        "UNB+UNOC:3'",
    ]
    return [text.encode("latin-1") for text in (*plain, *odd)]


def one_input(data: bytes) -> None:
    """Reads one input. Raises where it goes wrong."""
    found = list(read(io.BytesIO(data), _RULES))
    end = found[-1]
    assert isinstance(end, FileEnd), end
    for one in end.findings:
        assert storable(one.sentence), repr(one.sentence)
    for event in found[:-1]:
        match event:
            case TransactionSet():
                _judge_set(event, data)
            case Group():
                _judge_group(event)
            case Interchange():
                _judge_interchange(event, end, data)
            case _:
                raise AssertionError(event)
    if len(data) <= _TRICKLE:
        assert _outline(found) == _outline(list(read(_Trickle(data), _RULES)))


class _Trickle(io.BytesIO):
    """Gives some bytes at a time."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(67)


def _outline(found: list[TransactionSet | Group | Interchange | FileEnd]) -> list[object]:
    """What must not depend on the pieces that a file arrives in: of more findings than are kept, only the
    verdicts."""
    crowded = sum(len(one.findings) for one in found) >= FINDINGS_KEPT
    return [
        (one.text, one.result)
        if isinstance(one, TransactionSet)
        else (one.findings.refused, crowded or list(one.findings))
        for one in found
    ]


def _judge_set(one: TransactionSet, data: bytes) -> None:
    said = one.result.acknowledgement
    assert (said == "R") == one.findings.refused
    assert (said == "A") == (not one.findings)
    terminator = one.group.interchange.isa.delimiters.segment
    written = one.text.encode("latin-1")
    assert written in data or terminator in "\r\n", "the text is what was written"
    if said != "R":  # counted apart from the reader
        pieces = [
            piece for piece in one.text.split(terminator)[:-1] if piece.strip(" \t\r\n") or terminator not in "\r\n"
        ]
        separator = one.group.interchange.isa.delimiters.element
        last = pieces[-1].strip("\r\n\t ").split(separator)
        assert last[:1] == ["SE"], last
        assert int(last[1]) == len(pieces), (last, len(pieces))
        assert last[2] == one.control
    for finding in one.findings:
        assert storable(finding.sentence), repr(finding.sentence)
    answer = acknowledgement.read_answer(one.segments)
    if isinstance(answer, acknowledgement.Answer):
        acknowledgement.match(answer, acknowledgement.SentGroup("PT", "4711", (("867", "0001"),)))
    for sentence in application_advice.read_advice(one.segments).odd:
        assert storable(sentence)


def _judge_group(group: Group) -> None:
    if not group.findings.refused:
        assert group.declared == len(group.results)
    answer = acknowledgement.acknowledge(group, "0001")
    text = f"GS*FA*9*8*20260706*0732*1*X*004010~{write_set(answer)}GE*1*1~"
    back = list(read(io.BytesIO(f"{_ISA}{text}IEA*1*000004711~".encode("latin-1")), {}))
    assert isinstance(back[0], TransactionSet)
    assert back[0].result.acknowledgement == "A", back[0].findings
    said = acknowledgement.read_answer(back[0].segments)
    assert isinstance(said, acknowledgement.Answer), said
    assert (said.acknowledgement, said.received, said.accepted) == (
        group.acknowledgement,
        len(group.results),
        group.accepted,
    )


def _judge_interchange(one: Interchange, end: FileEnd, data: bytes) -> None:
    for finding in one.findings:
        assert storable(finding.sentence), repr(finding.sentence)
    assert acknowledgement.acknowledge_interchange(one)[0] == "TA1"
    if one.refused:
        assert not list(acknowledgement.answers(one))
        return
    control = one.isa.control.encode()
    assert data.count(control) >= 2, "ISA13 is in the IEA"
    assert len(one.isa.text) == 106
    if not end.refused:
        separator = one.isa.delimiters.element.encode("latin-1")  # empty elements may follow
        assert data.rstrip(b" \t\r\n\x1a").rstrip(separator).endswith(
            (control, control + one.isa.delimiters.segment.encode("latin-1"))
        ) or (end.interchanges > 1)
