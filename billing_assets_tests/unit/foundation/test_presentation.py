"""Texts from outside in the web UI: read as they are, whatever is in them."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from billing_assets.foundation.dagster_helpers.presentation import plain, table
from billing_assets.foundation.outside_text import is_control, visible

MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])
MARKS = st.text(st.characters() | st.sampled_from("|`*_<>[]()!#&~\\-+.:\n\r\t \u202e\u2066\u200f"), max_size=40)


def flat(tokens: list[Token]) -> list[Token]:
    return [one for token in tokens for one in ([token, *flat(token.children)] if token.children else [token])]


@given(MARKS, MARKS)
@example("<b>bold</b> | `code` | [a](javascript:x)", "# 1.\n- two\n---\n&lt; http://example.com")
@example("\u202eabc", "a\u2028b")
def test_a_text_within_markdown_is_read_as_it_is(name: str, what: str) -> None:
    tokens = flat(MARKDOWN.parse(f"- [{plain(name)}](https://netsuite.example.com): {plain(what)}"))
    read = "".join(one.content for one in tokens if one.type in {"text", "text_special"})
    shown = f"{visible(' '.join(name.split()))}: {visible(' '.join(what.split()))}"
    assert read.split() == shown.split()
    assert not any(is_control(char) for char in read)
    allowed = {"bullet_list", "list_item", "paragraph", "link"}
    assert {one.type.removesuffix("_open") for one in tokens if one.type.endswith("_open")} <= allowed
    assert sum(one.type == "link_open" for one in tokens) == 1
    assert not any(one.type.startswith(("html", "code", "image", "softbreak", "hardbreak")) for one in tokens)


@pytest.mark.parametrize(
    ("text", "shown"), [("a\u202eb", "a[U+202E]b"), ("a|b<b>`", "a|b<b>`"), ("a\x00", "a[U+0000]")]
)
def test_a_cell_of_a_table_turns_nothing_round(text: str, shown: str) -> None:
    rows: list[dict[str, Any]] = [{"number": text}]
    (record,) = table(rows, ["number"]).records
    assert record.data == {"number": shown}
