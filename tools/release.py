# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""make release: build the package of a release into .build/release, with its notes.

Usage: release.py [TAG]

docs/release.md has the whole procedure. With a tag, it must be the version in galaxy.yml.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import common
import making
import pythons
import running
from common import COPY, Failed, say

RELEASE = common.BUILD / "release"


def version_of(galaxy: str) -> str:
    """The version in the text of galaxy.yml."""
    found = re.search(r"^version: (\S+)$", galaxy, re.MULTILINE)
    if not found:
        raise Failed("galaxy.yml has no version.")
    return found[1]


def notes_of(changelog: str, version: str) -> str:
    """The section of a version in the text of CHANGELOG.md, without its heading; empty where there is none."""
    sections = re.split(r"^## (?=v)", re.sub(r"^<a id=.*\n", "", changelog, flags=re.MULTILINE), flags=re.MULTILINE)
    for section in sections[1:]:
        heading, _newline, text = section.partition("\n")
        if heading.replace("\\", "") == f"v{version}":
            return text.strip() + "\n"
    return ""


def problems(root: Path, tag: str) -> Iterator[str]:
    """What keeps the repository from being this release."""
    version = version_of((root / "galaxy.yml").read_text(encoding="utf-8"))
    if tag and tag != version:
        yield f"The tag is {tag}, and the version in galaxy.yml is {version}. They must be equal."
    changelog = root / "CHANGELOG.md"
    if not changelog.is_file() or not notes_of(changelog.read_text(encoding="utf-8"), version):
        yield f"CHANGELOG.md says nothing of {version}. Run antsibull-changelog release, see docs/release.md."
    fragments = sorted(path.name for path in (root / "changelogs" / "fragments").glob("*.yml"))
    if fragments:
        yield f"changelogs/fragments has {', '.join(fragments)}, which no release has. Run antsibull-changelog release."


def build(lint: Path) -> Path:
    """The package, built from a copy of the repository."""
    shutil.rmtree(RELEASE, ignore_errors=True)
    RELEASE.mkdir(parents=True)
    command = [lint / "bin" / "python", lint / "bin" / "ansible-galaxy", "collection", "build", COPY]
    status, output = running.run(
        [*command, "--output-path", RELEASE], "release-build", cwd=COPY, env=running.environment_for(lint)
    )
    if status:
        raise Failed(f"{running.shorten(output)}\nThe package was not built.")
    (package,) = RELEASE.glob("*.tar.gz")
    return package


def main(arguments: Sequence[str]) -> int:
    if len(arguments) > 1:
        raise Failed(str(__doc__).strip())
    tag = "".join(arguments)
    with common.lock():
        making.sync()
        making.prepare_home()
        found = list(problems(COPY, tag))
        if found:
            raise Failed("\n".join(found))
        package = build(making.venv(pythons.LINT))
        version = version_of((COPY / "galaxy.yml").read_text(encoding="utf-8"))
        notes = notes_of((COPY / "CHANGELOG.md").read_text(encoding="utf-8"), version)
        (RELEASE / "notes.md").write_text(notes, encoding="utf-8")
        say(f"{common.shown(package)} is the package of {version}, and notes.md beside it are its notes.")
    return 0


if __name__ == "__main__":
    running.command(lambda: main(sys.argv[1:]))
