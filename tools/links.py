# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Links within the repository lead somewhere: to a file or directory, and to a heading in it where one is named.

`make lint` checks pages in Markdown, and in all texts addresses of the repository and references to labels of guides;
`make docs` checks the site.
"""

from __future__ import annotations

import html.parser
import re
import urllib.parse
from collections.abc import Collection, Iterable, Iterator
from os.path import normpath
from pathlib import Path

REPOSITORY = "https://github.com/imageops/registry"
_ADDRESS = re.compile(re.escape(REPOSITORY) + r"/(?:blob|tree)/main/([\w./-]*[\w/])(?:#([\w-]+))?")
_MARKDOWN = re.compile(r"\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)
_TITLE = re.compile(r"^(\S.*)\n([=~-])\2+$", re.MULTILINE)
_OWN = "ansible_collections.imageops.registry.docsite."
_REFERENCE = re.compile(rf":ref:`(?:[^`<]*<)?({re.escape(_OWN)}[^`>]*)>?`|\bref: ({re.escape(_OWN)}\S+)")
_LABEL = re.compile(r"^\.\. _([^:]+):$", re.MULTILINE)
_TEXTS = {".md", ".py", ".rst", ".yaml", ".yml"}


def broken(root: Path, files: Iterable[Path]) -> Iterator[str]:
    """What is wrong with the links of these files of a repository, a line each."""
    labels = {label for page in sorted(root.glob("docs/**/*.rst")) for label in _labels(page)}
    for path in files:
        if path.suffix not in _TEXTS:
            continue
        text = path.read_text(encoding="utf-8")
        name = path.relative_to(root).as_posix()
        for found in _ADDRESS.finditer(text):
            yield from _problem(name, found[0], root / found[1], found[2])
        if not path.is_relative_to(root / "tests"):
            # Tests name labels that aren't there.
            wanted = (found[1] or found[2] for found in _REFERENCE.finditer(text))
            yield from (f"{name}: no page has the label {label}" for label in wanted if label not in labels)
        if path.suffix == ".md":
            for found in _MARKDOWN.finditer(_FENCE.sub("", text)):
                target, _mark, anchor = found[1].partition("#")
                if "://" not in target:
                    yield from _problem(name, found[1], path.parent / target if target else path, anchor)


def leaving(root: Path, packaged: Collection[str]) -> Iterator[str]:
    """The links of pages of a package, named as in the repository, to files that the package hasn't, a line each."""
    for name in sorted(packaged):
        if name.endswith(".md"):
            text = _FENCE.sub("", (root / name).read_text(encoding="utf-8"))
            for found in _MARKDOWN.finditer(text):
                target = found[1].partition("#")[0]
                if target and "://" not in target and normpath(f"{name}/../{target}") not in packaged:
                    yield f"{name}: {found[1]} leads out of the package"


def _labels(page: Path) -> list[str]:
    return _LABEL.findall(page.read_text(encoding="utf-8"))


def _problem(name: str, link: str, target: Path, anchor: str | None) -> Iterator[str]:
    if not target.exists():
        yield f"{name}: {link} leads to nothing"
    elif anchor and anchor not in _anchors(target):
        yield f"{name}: {link} names no heading there"


def _anchors(path: Path) -> set[str]:
    """The names under which GitHub shows the headings of a page."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".rst":
        names = [title for title, _underline in _TITLE.findall(text)] + _LABEL.findall(text)
        return {re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") for name in names}
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in _HEADING.findall(_FENCE.sub("", text))}


class _Page(html.parser.HTMLParser):
    """The names and the links of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.links: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for key, value in attrs:
            if key in ("id", "name") and value:
                self.names.add(value)
            elif key in ("href", "src") and value:
                self.links.add(value)


def broken_in_site(site: Path) -> Iterator[str]:
    """The links of pages in HTML that lead to no page or no place in one; other hosts aren't asked."""
    pages = {path: _Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    for path, page in pages.items():
        for link in sorted(page.links):
            parts = urllib.parse.urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / urllib.parse.unquote(parts.path)).resolve() if parts.path else path
            name = path.relative_to(site)
            if not target.exists():
                yield f"{name}: {link} leads to nothing"
            elif parts.fragment and target in pages and urllib.parse.unquote(parts.fragment) not in pages[target].names:
                yield f"{name}: {link} leads to no place in that page"
