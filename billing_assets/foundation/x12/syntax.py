"""Segments of a file, as it streams by. What they mean, and whether they belong where they are, is the envelope's.

Text is Latin-1, so that every byte is one character and comes back unchanged. The delimiters are those of the ISA,
another interchange behind the first may have others. After a terminator CR and LF are passed over, and blank lines;
a blank between them and an id is no part of X12.
"""

import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from billing_assets.foundation.x12.delimiters import LONGEST_ISA, Delimiters, Isa, read_isa
from billing_assets.foundation.x12.findings import Findings, quoted
from billing_assets.foundation.x12.segments import Segment

_CHUNK = 1 << 13
"""Bytes read at once. The segments of more are too many young objects for Python's memory: twice the time."""

LONGEST_SEGMENT = 1 << 17
"""Characters. The longest that a standard allows has a tenth of it: beyond, a terminator is lost."""

_BOM = "\xef\xbb\xbf"
_BLANK = " \t\r\n"
_BETWEEN = _BLANK + "\x1a"
_LINE_ENDS = ("\r", "\n")
_ID = re.compile("[A-Z][A-Z0-9]{1,2}")
_BETWEEN_SETS = frozenset({"IEA", "GS", "GE"})
_ENVELOPE = _BETWEEN_SETS | {"ISA", "ST", "SE"}
_new = tuple.__new__


class Part(NamedTuple):
    """Some segments in a row, and the text of each as written, without its terminator and with what stood before."""

    segments: list[Segment]
    texts: list[str]


class Tokenizer:
    """Reads a binary stream: `header`, then `parts` until they end, then the next `header`, which is None at the end.

    `findings` has what is wrong with the syntax: of the interchange that is being read, and of the file.
    """

    def __init__(self, source: BinaryIO) -> None:
        self.findings = Findings()
        self.position = 0
        """Of the last segment."""
        self.stopped = False
        """The rest of the file cannot be read."""
        self._source = source
        self._text = ""
        self._at_end = False
        self._number = 0
        self._plain: set[str] = set()  # ids that were seen, but those of the envelope
        self._blanks = False  # there were some before an id
        self._warned = False
        self._nul = False

    def header(self) -> Isa | None:
        """The next ISA, after blanks; None when nothing follows, or nothing that can be read (`stopped`)."""
        self._number = 0
        if self.stopped:
            return None
        self._fill(len(_BOM))
        if self.position == 0 and self._text.startswith(_BOM):
            self.findings.note("W-BOM", 1, "A byte order mark precedes the ISA; it was passed over.")
            self._text = self._text[len(_BOM) :]
        blanks, indented = self._pass_blanks(_BETWEEN if self.position else _BLANK)
        if not self._text:
            if self.position == 0:
                self._stop("R-EMPTY", None, "The file is empty.")
            return None
        if indented and self.position == 0:
            self._stop(
                "R-NO-ISA", None, "The file starts with blanks, not with an ISA: blank lines alone may precede it."
            )
            return None
        if blanks and self.position == 0:
            self.findings.note("W-BLANKS", 1, "Blank lines precede the ISA; they were passed over.")
        self._fill(LONGEST_ISA + 2)  # the last separator may be its last character, and two delimiters follow
        if not self._text.startswith("ISA"):
            start = quoted(self._text[:20])
            if self.position:
                self._stop("R-AFTER-IEA", self.position, f"After segment {self.position}, an IEA: {start} follows.")
            else:
                self._stop("R-NO-ISA", None, f"The file starts with {start}, not with an ISA.")
            return None
        self.position += 1
        found = read_isa(self._text)
        if found is None:
            self._stop("R-ISA", self.position, f"Segment {self.position}: the ISA has no sixteen elements.")
        elif not found.delimiters.usable:
            three = ", ".join(quoted(one) for one in found.delimiters)
            self._stop("R-DELIMITERS", self.position, f"Segment {self.position}: {three} cannot be the delimiters.")
        else:
            self._text = self._text[len(found.text) :]
            return found
        return None

    def parts(self, delimiters: Delimiters) -> Iterator[Part]:
        """The segments after the header, up to the IEA; also up to where the file ends, or another ISA begins."""
        terminator = delimiters.segment
        by_lines = terminator in _LINE_ENDS
        while not self.stopped:
            pieces = self._text.split(terminator)
            self._text = pieces.pop()
            if by_lines:
                pieces = self._join_blank_lines(pieces, terminator)
            if len(pieces[0] if pieces else self._text) > LONGEST_SEGMENT:  # the others are shorter than a chunk
                at = self.position + 1
                self._stop("R-TOO-LONG", at, f"Segment {at} has more than {LONGEST_SEGMENT:,} characters.")
                return
            if pieces:
                part, left = self._part(pieces, delimiters)
                if left:
                    self._text = terminator.join([*left, self._text])
                if self._nul:
                    self._find_nul(part)
                yield part
                if self.stopped:
                    return
                if part.segments and part.segments[-1].id == "IEA":
                    return
                if left:
                    self._no_iea()
                    return
            elif self._at_end:
                if by_lines and self._text.strip(_BLANK):
                    self._text += terminator  # a line's end may be missing at the end of a file
                    continue
                self._end()
                return
            self._read()

    def give_up(self, position: int, what: str) -> None:
        """Reads no further than a segment, because there is more than any real file has."""
        self.position = position
        self._stop("R-TOO-LONG", self.position, f"After segment {self.position} the file was not read further: {what}")

    def _join_blank_lines(self, pieces: list[str], terminator: str) -> list[str]:
        """Where a line's end is the terminator: a blank line belongs to what follows it, or waits for it."""
        if all(piece.strip(_BLANK) for piece in pieces):
            return pieces
        joined: list[str] = []
        blanks = ""
        for piece in pieces:
            if piece.strip(_BLANK):
                joined.append(blanks + piece)
                blanks = ""
            else:
                blanks += piece + terminator
        self._text = blanks + self._text
        return joined

    def _part(self, pieces: list[str], delimiters: Delimiters) -> tuple[Part, list[str]]:
        """The pieces as segments, and what is left of them: after an IEA, and from an ISA on."""
        separator, together = delimiters.element, "".join(pieces)
        has_lines = "\n" in together or "\r" in together
        found: list[Segment] = []
        add, plain, position, number = found.append, self._plain, self.position, self._number
        for text in [piece.lstrip("\r\n") for piece in pieces] if has_lines else pieces:
            name, _, rest = text.partition(separator)
            if rest and rest[-1] == separator:
                rest = rest.rstrip(separator)
            elements = tuple(rest.split(separator)) if rest else ()
            if name not in plain:
                name = self._name(name, position + 1)
                if name == "ISA":
                    break
                number = 1 if name == "ST" else 0 if name in _BETWEEN_SETS else number and number + 1
            elif number:
                number += 1
            position += 1
            add(_new(Segment, (name, elements, number, position)))
            if name not in plain:
                if name == "IEA":
                    break
                if name == "SE":
                    number = 0
        texts = pieces[: len(found)]
        if not self._warned and (has_lines or self._blanks):
            self._find_blanks(texts, delimiters.segment)
        self.position, self._number = position, number
        return Part(found, texts), pieces[len(found) :]

    def _name(self, name: str, position: int) -> str:
        """The id of a segment that is not known to be plain; what is no id is a finding, and returned as it is."""
        found = name.lstrip(_BLANK)
        self._blanks = self._blanks or found != name
        if _indented(name[: len(name) - len(found)]):
            sentence = f"Segment {position}: blanks precede its id {quoted(found)}."
            self.findings.note("R-SEGMENT-ID", position, sentence)
            return found
        if found not in _ENVELOPE and found not in self._plain:
            if _ID.fullmatch(found):
                self._plain.add(found)
            else:
                self.findings.note(
                    "R-SEGMENT-ID", position, f"Segment {position}: {quoted(found)} is not the id of a segment."
                )
        return found

    def _find_blanks(self, texts: list[str], terminator: str) -> None:
        """Reports the first text with blank lines before it."""
        for position, text in enumerate(texts, self.position + 1):
            lines = text[: len(text) - len(text.lstrip(_BLANK))].rstrip(" \t")
            if len(lines) > 2 or terminator in lines or " " in lines or "\t" in lines:
                self._warned = True
                sentence = f"Segment {position}: blank lines precede it; they were passed over."
                self.findings.note("W-BLANKS", position, sentence)
                return

    def _find_nul(self, part: Part) -> None:
        for segment, text in zip(part.segments, part.texts, strict=True):
            if "\0" in text:
                sentence = f"Segment {segment.position}: it has a NUL character."
                self.findings.note("R-CHARACTER", segment.position, sentence)

    def _end(self) -> None:
        """The file is at its end and the interchange is not."""
        if self._text.strip(_BETWEEN):
            at = self.position + 1
            self.findings.note("R-CUT", at, f"The file ends in the middle of segment {at}; it may be cut off.")
        self._no_iea()
        self.stopped = True

    def _no_iea(self) -> None:
        sentence = f"The interchange stops at segment {self.position} without an IEA; it may be cut off."
        self.findings.note("R-NO-IEA", self.position, sentence)

    def _stop(self, code: str, position: int | None, sentence: str) -> None:
        self.findings.note(code, position, sentence)
        self.stopped = True

    def _pass_blanks(self, blanks: str) -> tuple[bool, bool]:
        """Passes over blanks; whether there were any, and whether some are on the line of what follows."""
        found = indented = False
        while True:
            text = self._text.lstrip(blanks)
            passed = self._text[: len(self._text) - len(text)]
            found = found or bool(passed)
            indented = _indented(passed) or (indented and not passed.strip(" \t"))
            self._text = text
            if text or self._at_end:
                return found, indented
            self._read()

    def _fill(self, characters: int) -> None:
        while len(self._text) < characters and not self._at_end:
            self._read()

    def _read(self) -> None:
        data = self._source.read(_CHUNK)
        self._text += data.decode("latin-1")
        self._at_end = not data
        self._nul = self._nul or b"\0" in data


def _indented(blanks: str) -> bool:
    """Whether blanks end with some that are on the line of what follows them."""
    return blanks.endswith((" ", "\t"))


def segments_of(text: str, delimiters: Delimiters, position: int) -> list[Segment]:
    """The segments of a set again, from its text as written. `position`: of its ST in the file."""
    separator, found = delimiters.element, list[Segment]()
    add, number = found.append, 0
    for piece in text.split(delimiters.segment):
        name, _, rest = piece.lstrip(_BLANK).partition(separator)
        if not name:
            continue
        number += 1
        if rest and rest[-1] == separator:
            rest = rest.rstrip(separator)
        add(_new(Segment, (name, tuple(rest.split(separator)) if rest else (), number, position + number - 1)))
    return found


def segments(source: BinaryIO) -> Iterator[Segment]:
    """All segments of a file, ISA and IEA included, without a word on what is wrong: for that, see the envelope."""
    tokenizer = Tokenizer(source)
    while (isa := tokenizer.header()) is not None:
        yield Segment("ISA", isa.elements, 0, tokenizer.position)
        for part in tokenizer.parts(isa.delimiters):
            yield from part.segments
