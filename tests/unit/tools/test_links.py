# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A link within the repository or the site that leads nowhere is named; others are left alone."""

from __future__ import annotations

import pathlib
import sys

import pytest

COLLECTION = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(COLLECTION / "tools"))

import links  # noqa: E402

del sys.path[0]

MAIN = f"{links.REPOSITORY}/blob/main"
GUIDE = """\
.. _ansible_collections.imageops.registry.docsite.guide.part:

Who is *asked*, and how
-----------------------
"""
DEVELOP = "# Title\n\n## Modules `in place`: how\n\n```sh\n# no heading\n```\n"


def found(tmp_path: pathlib.Path, name: str, text: str) -> list[str]:
    """What is wrong with a file of this text, beside a guide and a page."""
    for other, content in (("docs/guide.rst", GUIDE), ("docs/develop.md", DEVELOP), (name, text)):
        path = tmp_path / other
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return list(links.broken(tmp_path, [tmp_path / name]))


@pytest.mark.parametrize(
    "link",
    [
        "docs/develop.md",
        "docs/",
        "docs/develop.md#modules-in-place-how",
        "#here",
        "https://other.example/nothing.md",
        f"{MAIN}/docs/guide.rst",
        f"{MAIN}/docs/guide.rst#who-is-asked-and-how",
        f"{MAIN}/docs/guide.rst#ansible-collections-imageops-registry-docsite-guide-part",
        f"{links.REPOSITORY}/issues",
    ],
)
def test_a_link_that_leads_somewhere_is_fine(tmp_path: pathlib.Path, link: str) -> None:
    assert found(tmp_path, "page.md", f"# Here\n\n[a link]({link})\n") == []


@pytest.mark.parametrize(
    ("link", "problem"),
    [
        ("docs/nothing.md", "leads to nothing"),
        ("docs/develop.md#no-heading", "names no heading there"),
        ("#there", "names no heading there"),
        (f"{MAIN}/docs/nothing.rst", "leads to nothing"),
        (f"{MAIN}/docs/guide.rst#nothing", "names no heading there"),
    ],
)
def test_a_link_that_leads_nowhere_is_named(tmp_path: pathlib.Path, link: str, problem: str) -> None:
    assert found(tmp_path, "page.md", f"# Here\n\n[a link]({link})\n") == [f"page.md: {link} {problem}"]


def test_addresses_of_the_repository_are_checked_in_every_text(tmp_path: pathlib.Path) -> None:
    link = f"{MAIN}/docs/nothing.md"
    assert found(tmp_path, "module.py", f"link: {link}.\n") == [f"module.py: {link} leads to nothing"]
    assert found(tmp_path, "page.rst", f"`text <{link}>`__\n") == [f"page.rst: {link} leads to nothing"]


def test_references_to_labels_of_guides_are_checked(tmp_path: pathlib.Path) -> None:
    there, gone = (f"ansible_collections.imageops.registry.docsite.guide.{last}" for last in ("part", "gone"))
    assert found(tmp_path, "page.rst", f":ref:`{there}` :ref:`a\n<{there}>` :ref:`other <genindex>`\n") == []
    assert found(tmp_path, "module.py", f"  - ref: {there}\n") == []
    problem = f"no page has the label {gone}"
    assert found(tmp_path, "page.rst", f":ref:`the\npart <{gone}>`\n") == [f"page.rst: {problem}"]
    assert found(tmp_path, "page.rst", f":ref:`{gone}`\n") == [f"page.rst: {problem}"]
    assert found(tmp_path, "module.py", f"  - ref: {gone}\n") == [f"module.py: {problem}"]


def test_pages_of_a_site(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.html").write_text(
        '<a href="b.html#part">1</a><a href="b.html#gone">2</a><a href="c.html">3</a><a href="#here">4</a>'
        '<a href="https://other.example/#x">5</a><img src="none.png"><p id="here">',
        encoding="utf-8",
    )
    (tmp_path / "b.html").write_text('<p id="part">', encoding="utf-8")
    assert list(links.broken_in_site(tmp_path)) == [
        "a.html: b.html#gone leads to no place in that page",
        "a.html: c.html leads to nothing",
        "a.html: none.png leads to nothing",
    ]


def test_a_link_that_leads_out_of_a_package_is_named(tmp_path: pathlib.Path) -> None:
    text = f"# Here\n\n[in](../README.md) [here](#here) [else]({MAIN}/tests) [out](../tests/README.md#top)\n"
    for name in ("README.md", "docs/page.md", "tests/README.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text if name == "docs/page.md" else "# Top\n", encoding="utf-8")
    packaged = {"README.md", "docs/page.md"}
    assert list(links.leaving(tmp_path, packaged)) == ["docs/page.md: ../tests/README.md#top leads out of the package"]
