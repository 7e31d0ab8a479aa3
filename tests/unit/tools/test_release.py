# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""make release builds what tag, galaxy.yml and changelog agree on, and nothing that Galaxy would complain of."""

from __future__ import annotations

import pathlib
import sys

import pytest

COLLECTION = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(COLLECTION / "tools"))

import release  # noqa: E402
from common import Failed  # noqa: E402

del sys.path[0]

CHANGELOG = """\
# imageops.registry Release Notes

**Topics**

- <a href="#v1-1-0">v1\\.1\\.0</a>

<a id="v1-1-0"></a>
## v1\\.1\\.0

<a id="release-summary"></a>
### Release Summary

The newer one\\.

<a id="v1-0-0"></a>
## v1\\.0\\.0

The older one\\.
"""


@pytest.fixture
def root(tmp_path: pathlib.Path) -> pathlib.Path:
    """What a release is made from."""
    (tmp_path / "changelogs" / "fragments").mkdir(parents=True)
    (tmp_path / "galaxy.yml").write_text("namespace: imageops\nversion: 1.1.0\n")
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    return tmp_path


@pytest.mark.parametrize("tag", ["", "1.1.0"])
def test_a_release_has_no_problems(root: pathlib.Path, tag: str) -> None:
    assert list(release.problems(root, tag)) == []


def test_notes_are_the_section_of_a_version() -> None:
    assert release.notes_of(CHANGELOG, "1.1.0") == "### Release Summary\n\nThe newer one\\.\n"
    assert release.notes_of(CHANGELOG, "1.0.0") == "The older one\\.\n"
    assert release.notes_of(CHANGELOG, "1.1") == ""


def test_another_tag_another_version_and_fragments_are_named(root: pathlib.Path) -> None:
    (root / "galaxy.yml").write_text("version: 1.2.0\n")
    (root / "changelogs" / "fragments" / "7-tags.yml").touch()
    tag, changelog, fragments = release.problems(root, "v1.1.0")
    assert tag == "The tag is v1.1.0, and the version in galaxy.yml is 1.2.0. They must be equal."
    assert changelog.startswith("CHANGELOG.md says nothing of 1.2.0.")
    assert fragments.startswith("changelogs/fragments has 7-tags.yml, which no release has.")


def test_a_repository_without_a_changelog_or_a_version_is_none(root: pathlib.Path) -> None:
    (root / "CHANGELOG.md").unlink()
    assert [one.partition(" ")[0] for one in release.problems(root, "")] == ["CHANGELOG.md"]
    (root / "galaxy.yml").write_text("namespace: imageops\n")
    with pytest.raises(Failed, match=r"galaxy.yml has no version\."):
        list(release.problems(root, ""))


@pytest.mark.parametrize(
    ("output", "found"),
    [
        ("INFO: Linting\nImporter processing completed successfully\n", []),
        ("WARNING: no changelog\nImporter processing completed successfully\n", ["WARNING: no changelog"]),
        ("ERROR: bad name\n", ["ERROR: bad name"]),
        ("WARNING: plugins/filter/query.yml:1:5: E999 SyntaxError\nImporter processing completed successfully\n", []),
        (
            "WARNING: plugins/modules/tag.py:1:5: E999 SyntaxError\n",
            ["WARNING: plugins/modules/tag.py:1:5: E999 SyntaxError"],
        ),
        ("Traceback (most recent call last):\n", ["The importer did not end."]),
    ],
)
def test_what_the_importer_says(output: str, found: list[str]) -> None:
    assert release.complaints(output) == found
