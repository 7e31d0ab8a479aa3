# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The code blocks of the guides, which are RST. Standard library only: tests of guides use it, too."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

GUIDES = Path(__file__).resolve().parent.parent / "docs" / "docsite" / "rst"
_BEGIN = re.compile(r"( *)\.\. code-block:: (\S+)")
_FILE = re.compile(r"``([^`]+)``:")
_OPTION = re.compile(r" +:[\w-]+:")


class Example(NamedTuple):
    """A code block, the line on which it begins, and the last line of text before it."""

    line: int
    language: str
    before: str
    text: str

    @property
    def file(self) -> str:
        """The name of the file in the line before, as in "``play.yml``:", or nothing."""
        named = _FILE.fullmatch(self.before)
        return named[1] if named else ""


def examples(text: str) -> Iterator[Example]:
    """The code blocks of a page, without the options of their directives."""
    lines = text.splitlines()
    before = ""
    for number, line in enumerate(lines):
        begin = _BEGIN.fullmatch(line.rstrip())
        if begin:
            inside = []
            for following in lines[number + 1 :]:
                if following.strip() and not following.startswith(f"{begin[1]} "):
                    break
                inside.append(following)
            while inside and _OPTION.match(inside[0]):
                del inside[0]
            yield Example(number + 1, begin[2], before, textwrap.dedent("\n".join(inside)).strip("\n") + "\n")
        before = line.strip() or before


def page(name: str) -> str:
    """The text of a guide."""
    return (GUIDES / f"{name}.rst").read_text(encoding="utf-8")


def files(name: str) -> dict[str, str]:
    """The files that a guide has its reader write."""
    return {example.file: example.text for example in examples(page(name)) if example.file}


def example(name: str, word: str) -> str:
    """The one code block of a guide that has this word in it."""
    (found,) = (example.text for example in examples(page(name)) if word in example.text)
    return found
