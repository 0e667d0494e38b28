"""What X12 sets mean, as a target of the fuzzer: what must hold of any body, judged apart from the reader."""

import io
from decimal import Decimal

from billing_assets.foundation.outside_text import is_control
from billing_assets.metering.import_engine.formats import read_file
from billing_assets.metering.import_engine.messages import FileReport, SetMessage, Severity, Verdict
from billing_assets.metering.import_engine.options import ReadOptions
from billing_assets.metering.import_engine.x12_sets.charges import Charges
from billing_assets.metering.import_engine.x12_sets.options import SetOptions
from billing_assets.metering.import_engine.x12_sets.remittance import Remittance
from billing_assets.metering.import_engine.x12_sets.usage_content import Usage
from proving.bad_input.answers import storable

_SETS = (("867", "PT"), ("810", "IN"), ("814", "GE"), ("820", "RA"), ("824", "AG"), ("997", "FA"))
_OPTIONS = (
    SetOptions(),
    SetOptions(
        zone="America/New_York",
        end_day_is_used=True,
        no_time_of_use_when_unmetered=True,
        cross_reference="BIG06",
        charge_codes=frozenset({"BAS001"}),
        signed_total=False,
        investor_owned=frozenset({"9"}),
    ),
)
_ISA = "ISA*00*          *00*          *01*900000026      *01*829000001      *260706*0732*U*00401*000004711*0*P*>~"
_HEAD = "REF*Q5**10032780000000042~N1*8S*W*1*9~N1*SJ*R*9*8~"
_DATES = "DTM*150*20260308~DTM*151*20260309~"


def seeds() -> list[bytes]:
    """A body of each sort: what an input's first byte means is said in `one_input`."""
    meter = "QTY*QD*1150~MEA*AA*PRQ*1150*KH*99950*00065*51~MEA**MU*10~"
    times = "MEA*AA*PRQ*500*KH***41~MEA*AA*PRQ*650*KH***42~QTY*KA*3.2~MEA*AA*PRQ*3.2*K1~"
    rows = "".join(
        f"QTY*{'QD' if hour % 5 else 'KA'}*0.25~DTM*582*202603{8 + hour // 24:02}*{hour % 24:02}00*C{code}~"
        for hour, code in [(1, "S"), (2, "S"), *((hour, "D") for hour in range(4, 25))]
    )
    day = f"PTD*PM***MG*A~{_DATES}REF*MT*KH060~REF*JH*A~{rows}"
    bodies = [
        (0, f"BPT*00*U1*20260704*DD~{_HEAD}PTD*SU~{_DATES}QTY*QD*1150~{times}PTD*PL***MG*A~{_DATES}REF*JH*A~{meter}"),
        (0, f"BPT*05*U2*20260704*DD***F**U1~{_HEAD}PTD*BC~{_DATES}REF*5I*12~QTY*KA*88~MEA*EE*PRQ*88*KH***51~"),
        (0, f"BPT*00*U3*20260704*C1~{_HEAD}PTD*IA~{_DATES}QTY*QD*5.75~MEA**PRQ*5.75*KH***51~{day}"),
        (0, f"BPT*00*U4*20260704*C1~{_HEAD}PTD*BO***MG*A~{_DATES}QTY*QD*5.75~{day}{day.replace('PM', 'BQ')}"),
        (0, f"BPT*SU*R1*20161028~{_HEAD}PTD*BJ***MG*1~DTM*140*20161027~QTY*QD***NV~MEA****KH**0*51~"),
        (1, f"BIG*20260705*I1***U1**ME*00~{_HEAD}ITD*01*3****20260725~BAL*M*YB*1.5~IT1*1*****SV*E*C3*METER~{_DATES}"
            "SLN*1**A~SAC*C**EU*BAS001*450~SAC*A**EU*DIS001*50***0.1*KH*5~SAC*N**EU*X~TXI*ST*.5~TDS*450~CTT*1~"),
        (1, f"BIG*20260705*I2***U1**FB*01~REF*OI*I1~{_HEAD}SAC*A**EU*BAS001*450~TDS*-450~"),
        (2, f"BGN*13*E1*20160916~{_HEAD}LIN*2*SH*EL*SH*CE~ASI*7*021~REF*11*9~DTM*150*20260601~"),
        (3, "BPR*I*43.21*C~TRN*3*1~ENT*1~RMR*IV*I1*PO*43.21*50~ADX*-6.79*59*CM*I1~"),
        (4, "BGN*11*A1*20260707***U1**82~OTI*TR*TN*U1*****47*0001*867~REF*7G*A13*No.~"),
        (5, "AK1*PT*4711~AK2*867*0001~AK5*A~AK9*A*1*1*1~"),
    ]  # fmt: skip
    return [bytes([kind]) + text.encode("latin-1") for kind, text in bodies]


def one_input(data: bytes) -> None:
    """Reads one body as a set of a good interchange; its first byte says type and options. Raises where wrong."""
    if not data:
        return
    (kind, group), options = _SETS[data[0] % len(_SETS)], _OPTIONS[data[0] // len(_SETS) % len(_OPTIONS)]
    body = "".join(f"{one}~" for one in data[1:].decode("latin-1").split("~") if one.strip("\r\n\t "))
    count = body.count("~") + 2
    head = f"{_ISA}GS*{group}*9*8*20260706*0732*1*X*004010~"
    file = f"{head}ST*{kind}*0001~{body}SE*{count}*0001~GE*1*1~IEA*1*000004711~".encode("latin-1")
    report = FileReport()
    sets = [
        one for one in read_file(io.BytesIO(file), report, ReadOptions(sets=options)) if isinstance(one, SetMessage)
    ]
    for finding in report.findings:
        assert storable(finding.sentence), repr(finding.sentence)
    for one in sets:
        _judge(one, body, options)
    if report.worst is Verdict.ACCEPT and len(sets) == 1:
        holds = [one.code for one in report.findings if one.severity is not Severity.WARN]
        assert not holds, holds


def _judge(one: SetMessage, body: str, options: SetOptions) -> None:
    for text in (*one.keys.values(), *one.quantities.values()):
        assert not any(map(is_control, text)), repr(text)
    assert (one.content is None) >= (one.verdict is Verdict.REFUSE)
    if one.verdict is not Verdict.ACCEPT or one.keys.get("purpose") == "01":
        return
    segments = [text.strip("\r\n\t ").split("*") for text in body.split("~")[:-1]]
    if isinstance(one.content, Charges):
        _judge_charges(segments, options)
    elif isinstance(one.content, Remittance):
        assert one.content.sum() == Decimal(next(text[2] for text in segments if text[0] == "BPR"))
    elif isinstance(one.content, Usage) and one.content.kind == "usage":
        _judge_usage(one, one.content, segments, options)


def _judge_charges(segments: list[list[str]], options: SetOptions) -> None:
    """The total, added up apart from the reader."""
    sign = {"C": 1, "A": -1, "N": 0}
    total = sum(
        (Decimal(text[5]) * sign[text[1]] for text in segments if text[0] == "SAC" and sign[text[1]]), Decimal()
    )
    for text in segments:
        if text[0] == "TXI":
            relation = text[7] if len(text) > 7 else ""
            sign_of = 1 if relation in options.taxes_added else -1 if relation in options.taxes_deducted else 0
            total += Decimal(text[2]) * 100 * sign_of if sign_of else 0
    assert total == Decimal(next(text[1] for text in segments if text[0] == "TDS")), total


def _judge_usage(one: SetMessage, usage: Usage, segments: list[list[str]], options: SetOptions) -> None:
    assert usage.start
    assert usage.end
    assert usage.start < usage.end
    assert one.quantities, "a usage without quantity is not accepted"
    written = {text[2] for text in segments if text[0] == "QTY" and len(text) > 2}
    written |= {text[3] for text in segments if text[0] == "MEA" and len(text) > 3}
    summaries = [loop for loop in usage.loops if loop.type in {"SU", "IA", "BC", "BB", "BO"}]
    if len(summaries) == 1 and all(
        len([row for row in summaries[0].rows if row.unit == unit]) == 1 for unit in one.quantities
    ):
        numbers = {Decimal(text) for text in written if text.strip("-.0123456789") == "" and text.strip("-.")}
        loop = summaries[0]
        if not any(row.begin_read for row in loop.rows) and loop.role not in {options.subtractive, options.ignored}:
            assert {Decimal(text) for text in one.quantities.values()} <= numbers, (
                "the usage is a number of the summary"
            )
    days: dict[tuple[object, object], int] = {}
    for block in usage.intervals:
        assert len(block.values) > 0
        key = (block.stream, block.day)
        days[key] = days.get(key, 0) + len(block.values) * block.stream.length_seconds
        assert usage.start <= block.day
    for (_, on), seconds in days.items():
        assert seconds in {82_800, 86_400, 90_000}, (on, seconds)
