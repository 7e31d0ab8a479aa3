# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""make generate: write the texts of tools/shared into the files that share them.

Ansible reads every file by itself; doc fragments cover RETURN only from ansible-core 2.21 on, and roles never. So a
text that several files need has one source, under its name in tools/shared/*.yml, and is written between two
comments:

    # generated: NAME...
    # end of generated

`# generated: NAME... of WORD` writes WORD where the text has THIS; without it, THIS_ is left out. A line of a text that
ends in `# in roles` or `# in plugins` is written there only.

Usage: generate.py. `make lint` checks that nothing is left to do.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT / "tools" / "shared"
PLACES = ("plugins/modules/*.py", "plugins/doc_fragments/*.py", "roles/*/*/*.yml")

_BEGIN = re.compile(r"( *)# generated: (\w+(?: \w+)*?)(?: of (\w+))?")
_END = "# end of generated"
_NAME = re.compile(r"(\w+):")
_ONLY = re.compile(r"(.*?) *# in (\w+)")


class Mistake(Exception):
    """What keeps a file from being generated, in one sentence that begins with its name."""


def texts() -> dict[str, list[str]]:
    """The lines of every text in tools/shared, by its name. Raises Mistake."""
    found: dict[str, list[str]] = {}
    for path in sorted(SHARED.glob("*.yml")):
        lines: list[str] = []
        for line in path.read_text(encoding="utf-8").splitlines():
            name = _NAME.fullmatch(line)
            if name:
                if name[1] in found:
                    raise Mistake(f"tools/shared/{path.name}: there are two texts {name[1]}")
                lines = found[name[1]] = []
            elif line.startswith("  "):
                lines.append(line[2:])
    return found


def generated(name: str, content: str, shared: dict[str, list[str]]) -> str:
    """The content of a file with all texts in it that it names. Raises Mistake."""
    lines = content.splitlines()
    result: list[str] = []
    position = 0
    while position < len(lines):
        begin = _BEGIN.fullmatch(lines[position])
        result.append(lines[position])
        position += 1
        if begin:
            end = f"{begin[1]}{_END}"
            if end not in lines[position:]:
                raise Mistake(f"{name}:{position}: has no line '{_END}' after it, with the same indentation")
            result += [begin[1] + line for line in filled(name, begin[2].split(), begin[3], shared)]
            position = lines.index(end, position)
    return "\n".join(result) + "\n"


def filled(name: str, wanted: list[str], word: str | None, shared: dict[str, list[str]]) -> Iterator[str]:
    """The lines of these texts as this file has them. Raises Mistake."""
    directory = name.partition("/")[0]
    for text in wanted:
        if text not in shared:
            raise Mistake(f"{name}: tools/shared has no text {text}; it has {', '.join(sorted(shared))}")
        for line in shared[text]:
            only = _ONLY.fullmatch(line)
            if only is None or only[2] == directory:
                shown = line if only is None else only[1]
                yield shown.replace("THIS", word) if word else shown.replace("THIS_", "")


def contents() -> Iterator[tuple[Path, str]]:
    """The files that may name texts, and what they contain."""
    for pattern in PLACES:
        for path in sorted(ROOT.glob(pattern)):
            yield path, path.read_text(encoding="utf-8")


def differing() -> Iterator[tuple[Path, str]]:
    """The files that aren't as they would be generated, and what they would be. Raises Mistake."""
    shared = texts()
    for path, content in contents():
        wanted = generated(path.relative_to(ROOT).as_posix(), content, shared)
        if wanted != content:
            yield path, wanted


def unused() -> Iterator[str]:
    """A line for every text that no file names. Raises Mistake."""
    begins = (_BEGIN.fullmatch(line) for _path, content in contents() for line in content.splitlines())
    named = {text for begin in begins if begin for text in begin[2].split()}
    yield from (f"tools/shared: no file names the text {text}" for text in sorted(set(texts()) - named))


def stale() -> Iterator[str]:
    """A line for every file that has to be generated again, and for every text that isn't used."""
    try:
        yield from unused()
        for path, wanted in differing():
            lines = zip(path.read_text(encoding="utf-8").splitlines(), wanted.splitlines())
            line = next((number for number, (is_, should) in enumerate(lines, 1) if is_ != should), 1)
            name = path.relative_to(ROOT).as_posix()
            yield f"{name}:{line}: is not what tools/shared says; change it there, and run: make generate"
    except Mistake as error:
        yield str(error)


def main() -> int:
    try:
        changed = list(differing())
    except Mistake as error:
        print(error)
        return 1
    for path, content in changed:
        path.write_text(content, encoding="utf-8")
        print(f"generate: {path.relative_to(ROOT).as_posix()}")
    print(f"generate: {len(changed)} files written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
