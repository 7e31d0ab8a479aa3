# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Secrets in texts that others have chosen, in whatever form they are quoted there."""

from __future__ import annotations

import base64
import html
import re
import typing as t
import urllib.parse

from ._shown import HIDDEN, without_secrets

NOT_SHOWN = "(notice not shown: it contains a secret)"
SHORTEST = 6
"""Characters. A shorter secret is part of many words: it is hidden only where it is a word of its own."""
_SHORTEST_IN_ANY_CASE = 10
"""Characters. Hosts are written in lower case, and a shorter secret may be a word."""
_SHORTEST_IN_BASE64 = 7
"""Characters of a piece of base64 by which a secret is found in it."""
_LAYERS = 4
"""How often a text may be encoded."""
_IGNORED = re.compile(r"[\s+\x00-\x1f\x7f-\x9f\xad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
"""What a secret may be divided by, and still be read."""
_ENCODED = re.compile(
    r"(?P<percent>(?:%[0-9A-Fa-f]{2})+)|(?P<units>(?:\\u[0-9A-Fa-f]{4})+)|\\u\{(?P<point>[0-9A-Fa-f]{1,6})\}"
    r"|\\x(?P<byte>[0-9A-Fa-f]{2})|\\(?P<sign>[^A-Za-z0-9\s]|[bfnrt])|(?P<entity>&#?[0-9A-Za-z]{1,32};?)"
)
"""URL encoding, escapes of JSON, JavaScript and Python, entities of HTML and XML."""


class Needle(t.NamedTuple):
    """One form of a secret that is looked for."""

    text: str
    in_any_case: bool = False
    is_word: bool = False
    """Whether it must stand by itself."""


def needles_of(secret: str) -> list[Needle]:
    """The forms in which a secret is looked for: itself, and in base64, at whatever place of what is encoded."""
    if not _bare(secret):
        return []
    if len(secret) < SHORTEST:
        return [Needle(secret, is_word=True)]
    encoded = secret.encode("utf-8", "replace")
    # Headers are read as Latin-1.
    plain = {_bare(secret), _bare(encoded.decode("latin-1"))}
    found = [Needle(text, in_any_case=len(text) >= _SHORTEST_IN_ANY_CASE) for text in sorted(plain)]
    return found + [Needle(text) for text in sorted(_in_base64(encoded))]


def hidden(text: str, needles: t.Iterable[Needle]) -> str:
    """A text without secrets, in the forms of ``needles``. URL-encoded, escaped, divided by blanks or control
    characters, or in base64, a secret is cut out of it as well. To be called before the text is shortened.
    """
    wanted = list(needles)
    if not text or not wanted:
        return text
    spans: list[tuple[int, int]] = []
    layer: _Layer | None = _Layer.of(text)
    for _depth in range(_LAYERS + 1):
        if layer is None:
            break
        spans += layer.found(wanted)
        layer = layer.decoded()
    return _without_spans(text, spans)


def hidden_in(texts: t.Iterable[str], secrets: t.Collection[str]) -> list[str]:
    """Short texts that others have chosen, without secrets.

    One that has a secret in another form isn't shown at all; nor is any where a secret is divided among them.
    """
    needles = [needle for secret in secrets for needle in needles_of(secret)]
    shown = []
    for text in texts:
        plain = without_secrets(text, [secret for secret in secrets if len(secret) >= SHORTEST])
        shown.append(NOT_SHOWN if hidden(plain, needles) != plain else plain)
    joined = "".join(shown)
    divided = len(shown) > 1 and hidden(joined, needles) != joined
    return [NOT_SHOWN] * len(shown) if divided else shown


class _Layer(t.NamedTuple):
    """A text after some decoding, and for each of its characters where that stands in the text as it came."""

    text: str
    starts: t.Sequence[int]
    ends: t.Sequence[int]

    @classmethod
    def of(cls, text: str) -> _Layer:
        return cls(text, range(len(text)), range(1, len(text) + 1))

    def found(self, needles: t.Iterable[Needle]) -> t.Iterator[tuple[int, int]]:
        """Where the needles stand, in the text as it came."""
        places = [place for place, sign in enumerate(self.text) if not _IGNORED.match(sign)]
        bare = "".join(self.text[place] for place in places)
        lower = bare.lower()
        for needle in needles:
            if needle.is_word:
                for match in re.finditer(rf"(?<!\w){re.escape(needle.text)}(?!\w)", self.text):
                    yield self.starts[match.start()], self.ends[match.end() - 1]
                continue
            in_any_case = needle.in_any_case and len(lower) == len(bare)
            text, wanted = (lower, needle.text.lower()) if in_any_case else (bare, needle.text)
            begin = text.find(wanted)
            while begin >= 0:
                end = begin + len(wanted)
                yield self.starts[places[begin]], self.ends[places[end - 1]]
                begin = text.find(wanted, end)

    def decoded(self) -> _Layer | None:
        """The text decoded once; None where nothing in it is encoded."""
        text: list[str] = []
        starts: list[int] = []
        ends: list[int] = []
        begin, changed = 0, False
        for match in _ENCODED.finditer(self.text):
            plain = _decoded(match)
            if plain == match[0]:
                continue
            changed = True
            for part, where in ((self.text[begin : match.start()], range(begin, match.start())), (plain, None)):
                text.append(part)
                if where is None:
                    starts += [self.starts[match.start()]] * len(part)
                    ends += [self.ends[match.end() - 1]] * len(part)
                else:
                    starts += self.starts[where.start : where.stop]
                    ends += self.ends[where.start : where.stop]
            begin = match.end()
        if not changed:
            return None
        text.append(self.text[begin:])
        return _Layer("".join(text), [*starts, *self.starts[begin:]], [*ends, *self.ends[begin:]])


def _decoded(match: re.Match[str]) -> str:
    """What one piece of encoded text stands for; itself where that is nothing."""
    if match["percent"]:
        encoded = urllib.parse.unquote_to_bytes(match[0])
        try:
            return encoded.decode("utf-8")
        except UnicodeDecodeError:
            return encoded.decode("latin-1")
    if match["units"]:
        units = bytes.fromhex(match[0].replace("\\u", ""))
        return units.decode("utf-16-be", "replace")
    if match["point"] or match["byte"]:
        number = int(match["point"] or match["byte"], 16)
        return chr(number) if number <= 0x10FFFF else match[0]
    if match["sign"]:
        return " " if match["sign"].isalpha() else match["sign"]
    return html.unescape(match[0])


def _in_base64(encoded: bytes) -> set[str]:
    """What base64 makes of a secret at each of three places, without the characters that depend on what is around."""
    found = set()
    for before in range(3):
        text = base64.b64encode(bytes(before) + encoded).decode("ascii")
        begin = -(-before * 8 // 6)
        core = text[begin : (before + len(encoded)) * 8 // 6]
        if len(_bare(core)) >= _SHORTEST_IN_BASE64:
            found |= {_bare(core), _bare(core.translate(str.maketrans("+/", "-_")))}
    return found


def _bare(text: str) -> str:
    return _IGNORED.sub("", text)


def _without_spans(text: str, spans: t.Iterable[tuple[int, int]]) -> str:
    shown: list[str] = []
    place = 0
    for begin, end in sorted(spans):
        if begin >= place:
            shown += [text[place:begin], HIDDEN]
        place = max(place, end)
    return "".join([*shown, text[place:]])
