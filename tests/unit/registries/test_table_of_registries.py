# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of registries claims no test that isn't there: each fault that it names exists, and a target injects it."""

from __future__ import annotations

import pathlib
import re

COLLECTION = pathlib.Path(__file__).resolve().parents[3]
PAGE = COLLECTION / "docs" / "docsite" / "rst" / "registries.rst"
HARNESS = COLLECTION / "tests" / "registries" / "README.md"
TARGETS = COLLECTION / "tests" / "integration" / "targets"


def claimed() -> set[str]:
    """The faults that the last column names."""
    cells = re.findall(
        r"^     - (?:Real\. )?Proxy: (.*?)(?=^   \* -|^\S)", PAGE.read_text(encoding="utf-8"), re.M | re.S
    )
    assert len(cells) >= 12
    return {name for cell in cells for name in re.findall(r"``([^`]+)``", cell)}


def test_every_fault_of_the_table_is_injected_by_a_target() -> None:
    known = dict(re.findall(r"^\| `([\w-]+)` \| ([^|]*)\|", HARNESS.read_text(encoding="utf-8"), re.M))
    used = "".join(path.read_text(encoding="utf-8") for path in TARGETS.rglob("*.py"))
    for fault in sorted(claimed()):
        name, _equals, argument = fault.partition("=")
        assert name in known, f"the fault proxy has no {name}"
        assert re.search(rf'["+]{name}\b', used), f"no target injects {name}"
        if argument:
            numbers = "status" in known[name] and argument.isdigit()
            assert numbers or re.search(rf"\b{argument}\b", known[name]), f"{name} has no {argument}: {known[name]}"


def test_every_registry_of_the_table_says_what_was_tried() -> None:
    table = PAGE.read_text(encoding="utf-8").partition("     - Tried\n")[2]
    rows = re.split(r"^   \* - ", table, flags=re.M)[1:]
    assert len(rows) >= 13
    for row in rows:
        tried = row.split("\n     - ")[-1]
        assert tried.startswith(("Proxy: ", "Documentation", "Real")), row


def test_the_versions_that_were_tried_are_those_that_are_installed() -> None:
    page = PAGE.read_text(encoding="utf-8")
    script = (COLLECTION / "tests" / "registries" / "install-optional.sh").read_text(encoding="utf-8")
    pins = dict(re.findall(r"^(\S+)==(\S+)$", (COLLECTION / "tests" / "registries" / "pulp.txt").read_text(), re.M))
    (gitea,) = set(re.findall(r"gitea[@ ]v(\d[\d.]*)", script))
    assert page.count(gitea) == 2 and f"Tried with {gitea}." in page
    assert set(pins) == {"pulpcore", "pulp-container"}
    for name, version in pins.items():
        assert page.count(f"{name} {version}") == 2 and f"{name}=={version}" in page
        assert set(re.findall(rf"\b{name}(?: |==)(\d[\d.]*\d)", page)) == {version}
