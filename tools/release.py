# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""make release: build the package of a release into .build/release, with its notes, and look at it as Galaxy does.

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
# What the importer says of a package that Galaxy takes, and what it leaves to do.
IMPORTED = "Importer processing completed successfully"
COMPLAINT = re.compile(r"^(WARNING|ERROR|CRITICAL)\b.*", re.MULTILINE)
# Its flake8 reads documentation in YAML as Python, and ruff formats what these two codes are about.
NO_COMPLAINT = re.compile(r"\.yml:\d+:\d+: E999 |\.py:\d+:\d+: (?:E203|W503) ")
IMPORTER_SETTINGS = """\
[galaxy-importer]
CHECK_REQUIRED_TAGS = True
RUN_ANSIBLE_DOC = True
RUN_ANSIBLE_LINT = True
RUN_FLAKE8 = True
"""


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


def complaints(output: str) -> list[str]:
    """What the importer finds fault with; its last line must say that it has imported."""
    found = [one[0].strip() for one in COMPLAINT.finditer(output) if not NO_COMPLAINT.search(one[0])]
    return found if found or IMPORTED in output else ["The importer did not end."]


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


def look_at(package: Path, importer: Path) -> None:
    """Import the package as Galaxy does. Raises Failed, with all complaints."""
    settings = RELEASE / "importer.cfg"
    settings.write_text(IMPORTER_SETTINGS, encoding="utf-8")
    env = running.environment_for(importer, GALAXY_IMPORTER_CONFIG=str(settings))
    command = [importer / "bin" / "python", "-m", "galaxy_importer.main", package]
    _status, output = running.run(command, "release-importer", cwd=RELEASE, env=env)
    found = complaints(output)
    if found:
        raise Failed("\n".join([*found, "galaxy-importer has found this; .build/logs/release-importer.log has all."]))


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
        making.venvs(pythons.LINT, pythons.IMPORTER)
        package = build(making.venv(pythons.LINT))
        look_at(package, making.venv(pythons.IMPORTER))
        version = version_of((COPY / "galaxy.yml").read_text(encoding="utf-8"))
        notes = notes_of((COPY / "CHANGELOG.md").read_text(encoding="utf-8"), version)
        (RELEASE / "notes.md").write_text(notes, encoding="utf-8")
        say(f"{common.shown(package)} is the package of {version}, and notes.md beside it are its notes.")
    return 0


if __name__ == "__main__":
    running.command(lambda: main(sys.argv[1:]))
