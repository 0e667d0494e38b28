"""Names and sentences as the statement can set them, so that each can be read and be told from every other.

Typst sets a box where no font has a letter, and obeys what turns the direction round. What its fonts can draw is asked
of Typst itself: it draws the texts, and the outlines are compared.
"""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import accumulate, groupby
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import typst

from billing_assets.foundation.outside_text import JOINERS, code, is_control

FONTS = typst.Fonts(include_system_fonts=False)
"""Those that Typst brings, and none of the machine: another has others."""

LONGEST_CURRENCY = 16
"""Letters; a code has three, and what is held may have any."""

_PROBE = b"""
#set page(width: auto, height: auto, margin: 0pt)
#set text(font: "Libertinus Serif", lang: "en", number-type: "lining")
#for one in json(bytes(sys.inputs.content)) { page[#one #strong(one)] }
"""  # both weights: they are fonts of their own
_USED = re.compile(rb'<use xlink:href="#(\w+)"')
_OUTLINE = re.compile(rb'<symbol id="(\w+)"[^>]*><path d="([^"]*)"')
_BOX = "\U0010fffe"  # in no font, ever

_RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})
_ISOLATE, _END = "\u2068", "\u2069"
_NO_ISOLATES = dict.fromkeys(map(ord, (_ISOLATE, _END)))
_MARKS = 3  # on one letter; more of them grow into the line above
_LONGEST_READ = 2_000
_TAIL = 12


class _Letter(NamedTuple):
    char: str
    coded: bool

    @property
    def width(self) -> int:
        return 5 if self.coded else 1


_BLANK = _Letter(" ", coded=False)


def fonts_with(folder: Path | None) -> typst.Fonts:
    """Typst's fonts, and for what they lack those of a folder."""
    return FONTS if folder is None else typst.Fonts(include_system_fonts=False, font_paths=[folder])


def names(
    texts: Iterable[str], longest: int, fonts: typst.Fonts, *, empty: str = "", beside: Collection[str] = ()
) -> dict[str, str]:
    """Each name as the statement shows it: no two of them alike, and none like what is set `beside` them.

    Letters without a glyph are shown by their code points, a long name by its beginning and end. What was cut or looks
    like another gets a mark of its own: `#` and the beginning of the name's SHA-256.
    """
    letters = _readable({text: text or empty for text in texts}, fonts)
    looks = _looks([*map(_text, letters.values()), *beside], fonts)
    seen = Counter([*(looks[_text(one)] for one in letters.values()), *(looks[one] for one in beside)])
    shown = {}
    for text, whole in letters.items():
        cut = _cut(whole, longest)
        alike = text and seen[looks[_text(whole)]] > 1
        mark = f" #{hashlib.sha256(text.encode()).hexdigest()[:8]}" if alike or cut != whole else ""
        shown[text] = _isolated(_text(cut)) + mark
    return shown


def sentences(texts: Iterable[str], longest: int, fonts: typst.Fonts) -> dict[str, str]:
    """Each sentence as the statement shows it. Words that run from right to left keep to themselves: a number behind
    them stays behind them."""
    letters = _readable({text: text for text in texts}, fonts)
    return {text: _words_isolated(_text(_cut(whole, longest))) for text, whole in letters.items()}


def is_whole(text: str, shown: str) -> bool:
    """Whether a name or sentence is shown as it is."""
    return text == shown.translate(_NO_ISOLATES)


def _readable(texts: dict[str, str], fonts: typst.Fonts) -> dict[str, list[_Letter]]:
    """The letters of each text, with single blanks between its words; those that cannot be drawn are to be coded."""
    words = {text: one[:_LONGEST_READ].split() for text, one in texts.items()}
    known = _words({word for found in words.values() for word in found}, fonts)
    readable = {}
    for text, found in words.items():
        letters = [letter for word in found for letter in (_BLANK, *known[word])][1:]
        readable[text] = letters or [_Letter(char, coded=True) for char in text[:_LONGEST_READ]]  # nothing but blanks
    return readable


def _words(words: Collection[str], fonts: typst.Fonts) -> dict[str, list[_Letter]]:
    odd = sorted({char for word in words for char in word if not _is_plain(char) and not is_control(char)})
    drawable = {
        char
        for char, look in zip(odd, _drawn(odd, fonts), strict=True)
        if look or (look is not None and (char in JOINERS or unicodedata.category(char) == "Mn"))
    }
    known = {word: [*_letters(word, drawable)] for word in words}
    # A letter alone may be drawn and beside others not; and a word may be of letters that draw nothing.
    doubtful = sorted(word for word in words if not _is_plain(word))
    for word, look in zip(doubtful, _drawn([_text(known[word]) for word in doubtful], fonts), strict=True):
        if not look:
            known[word] = [_Letter(char, coded=not _is_plain(char)) for char in word]
    return known


def _letters(word: str, drawable: Collection[str]) -> Iterator[_Letter]:
    """Beside a letter that cannot be drawn its neighbours are coded, too: half a name would mislead."""
    for plain, group in groupby(word, _is_plain):
        run = [*group]
        coded = not plain and not (set(run) <= set(drawable) and _marks(run) <= _MARKS)
        yield from (_Letter(char, coded) for char in run)


def _marks(run: Iterable[str]) -> int:
    """The most combining marks that follow each other."""
    stacks = groupby(run, lambda char: unicodedata.category(char) in {"Mn", "Me"})
    return max((len([*group]) for are_marks, group in stacks if are_marks), default=0)


def _cut(letters: list[_Letter], longest: int) -> list[_Letter]:
    """Letters that take no more room than `longest` plain ones: their beginning and end."""
    if sum(letter.width for letter in letters) <= longest:
        return letters
    head = _fitting(letters, longest - _TAIL)
    tail = _fitting(letters[::-1], _TAIL)
    return [*letters[:head], _Letter("\u2026", coded=False), *letters[len(letters) - tail :]]


def _fitting(letters: Iterable[_Letter], longest: int) -> int:
    return sum(1 for width in accumulate(letter.width for letter in letters) if width <= longest)


def _text(letters: Iterable[_Letter]) -> str:
    groups = groupby(letters, lambda letter: letter.coded)
    runs = ((coded, [letter.char for letter in group]) for coded, group in groups)
    return "".join(code(chars) if coded else "".join(chars) for coded, chars in runs)


def _isolated(text: str) -> str:
    """A name keeps its direction to itself."""
    turns = any(unicodedata.bidirectional(char) in _RIGHT_TO_LEFT for char in text)
    return f"{_ISOLATE}{text}{_END}" if turns else text


def _words_isolated(text: str) -> str:
    classes = map(unicodedata.bidirectional, text)
    kinds = "".join(
        "r" if one in _RIGHT_TO_LEFT else "m" if one == "NSM" else "l" if one in {"L", "EN"} else "-" for one in classes
    )
    parts, done = [], 0
    for found in re.finditer("r(?:[rm-]*[rm])?", kinds):
        parts += [text[done : found.start()], _ISOLATE, text[found.start() : found.end()], _END]
        done = found.end()
    return "".join([*parts, text[done:]])


def _looks(texts: Collection[str], fonts: typst.Fonts) -> dict[str, object]:
    """What each text looks like; equal for those that cannot be told apart."""
    if all(map(_is_plain, texts)):
        return {text: text for text in texts}
    words = sorted({word for text in texts for word in text.split()})
    drawn = dict(zip(words, _drawn(words, fonts), strict=True))
    return {text: tuple(drawn[word] for word in text.split()) for text in texts}


def _drawn(texts: Sequence[str], fonts: typst.Fonts) -> list[tuple[bytes, ...] | None]:
    """The outlines of each text's glyphs, regular and bold; None where a glyph is missing."""
    if not texts:
        return []
    content = orjson.dumps([_BOX, *texts]).decode()
    pages: Any = typst.compile(_PROBE, format="svg", sys_inputs={"content": content}, font_paths=fonts)
    drawn: list[tuple[bytes, ...]] = []
    for page in pages:  # bytes of each; the stubs know of one page only
        outlines: dict[bytes, bytes] = dict(_OUTLINE.findall(page))
        glyphs: list[bytes] = _USED.findall(page)
        drawn.append(tuple(outlines.get(glyph, glyph) for glyph in glyphs))
    boxes = {*drawn[0]}
    return [None if boxes.intersection(one) else one for one in drawn[1:]]


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable()
