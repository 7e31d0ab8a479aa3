# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Arguments of `make lint` name checks, files, or both."""

from __future__ import annotations

import pathlib
import sys

import pytest

COLLECTION = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(COLLECTION / "tools"))

import lint  # noqa: E402
from common import Failed  # noqa: E402

del sys.path[0]

EVERY = [*lint.TAKING_FILES, "mypy", "module rules"]
MODULE = "plugins/modules/tag_info.py"


@pytest.mark.parametrize(
    ("arguments", "checks", "files"),
    [
        ([], EVERY, []),
        (["mypy", "module rules"], ["mypy", "module rules"], []),
        ([MODULE], list(lint.TAKING_FILES), [MODULE]),
        (["plugins", "docs/"], list(lint.TAKING_FILES), ["plugins/", "docs/"]),
        (["ruff check", MODULE], ["ruff check"], [MODULE]),
        (["README.md"], [name for name in lint.TAKING_FILES if not name.startswith("ruff")], ["README.md"]),
    ],
)
def test_checks_and_files(arguments: list[str], checks: list[str], files: list[str]) -> None:
    assert lint.divided(arguments, EVERY) == (checks, files)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["myyp"], "There is no check and no file myyp. The checks are: ansible-test sanity, pylint; "),
        (["plugins/modules/none.py"], "There is no check and no file plugins/modules/none.py"),
        (["mypy", MODULE], "mypy looks at the whole repository. These take files: "),
        (["ruff check", "README.md"], "ruff check looks at Python only, and no file with it is named"),
    ],
)
def test_what_makes_no_sense_is_a_sentence(arguments: list[str], sentence: str) -> None:
    with pytest.raises(Failed) as said:
        lint.divided(arguments, EVERY)
    assert str(said.value).startswith(sentence)


def test_a_wrong_name_lists_the_check_that_is_built_only_when_it_is_asked_for() -> None:
    with pytest.raises(Failed, match=r"The checks are: mypy; actionlint$"):
        lint.divided(["myyp"], ["mypy"])
