# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Texts that several files share are written into them, and a file that was changed by hand is named."""

from __future__ import annotations

import pathlib
import sys

import pytest

TOOLS = pathlib.Path(__file__).resolve().parents[3] / "tools"
sys.path.insert(0, str(TOOLS))

import generate  # noqa: E402

del sys.path[0]

SHARED = """---
# What a reader of this file has to know.

size:
  size:
    type: int

    returned: success

side:
  THIS_registry:
    description: That of O(THIS_source), see THIS.
    no_log: true  # in roles
    aliases: [host]  # in plugins
"""


@pytest.fixture
def root(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    for directory in ("tools/shared", "plugins/modules", "roles/promote/meta"):
        (tmp_path / directory).mkdir(parents=True)
    (tmp_path / "tools/shared/texts.yml").write_text(SHARED)
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    monkeypatch.setattr(generate, "SHARED", tmp_path / "tools/shared")
    return tmp_path


def written(root: pathlib.Path, name: str, content: str) -> str:
    """What `make generate` makes of a file."""
    (root / name).write_text(content)
    assert generate.main() == 0
    return (root / name).read_text()


def test_texts_are_written_between_the_comments_with_their_indentation(root: pathlib.Path) -> None:
    before = 'RETURN = """\n  # generated: size side of own\n  by hand, once\n  # end of generated\n"""\n'
    after = written(root, "plugins/modules/tag.py", before)
    assert after == (
        'RETURN = """\n  # generated: size side of own\n  size:\n    type: int\n    returned: success\n'
        "  own_registry:\n    description: That of O(own_source), see own.\n    aliases: [host]\n"
        '  # end of generated\n"""\n'
    )
    assert list(generate.stale()) == []


def test_a_text_that_no_file_names_is_found(root: pathlib.Path) -> None:
    written(root, "plugins/modules/tag.py", "# generated: size\n# end of generated\n")
    assert list(generate.stale()) == ["tools/shared: no file names the text side"]


def test_without_a_word_what_stands_for_it_is_left_out(root: pathlib.Path) -> None:
    after = written(root, "roles/promote/meta/argument_specs.yml", "# generated: side\n# end of generated\nmore: 1\n")
    assert after == (
        "# generated: side\nregistry:\n  description: That of O(source), see THIS.\n  no_log: true\n"
        "# end of generated\nmore: 1\n"
    )


def test_a_file_that_was_changed_by_hand_is_named_with_the_line_and_the_command(root: pathlib.Path) -> None:
    content = "# generated: size\nsize:\n  type: str\n  returned: success\n# end of generated\n"
    (root / "plugins/modules/tag.py").write_text(content)
    (_unused, line) = generate.stale()
    assert line == "plugins/modules/tag.py:3: is not what tools/shared says; change it there, and run: make generate"
    assert (root / "plugins/modules/tag.py").read_text() == content


def test_lines_that_are_missing_are_found(root: pathlib.Path) -> None:
    (root / "plugins/modules/tag.py").write_text("# generated: size\nsize:\n# end of generated\n")
    (_unused, line) = generate.stale()
    assert line.startswith("plugins/modules/tag.py:3: is not what tools/shared says")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("# generated: size\n", "tag.py:1: has no line '# end of generated' after it, with the same indentation"),
        (
            "# generated: size\n  # end of generated\n",
            "tag.py:1: has no line '# end of generated' after it, with the same indentation",
        ),
        ("# generated: sise\n# end of generated\n", "tag.py: tools/shared has no text sise; it has side, size"),
    ],
)
def test_a_mistake_is_said_in_one_line_and_nothing_is_written(
    root: pathlib.Path, capsys: pytest.CaptureFixture[str], content: str, said: str
) -> None:
    (root / "plugins/modules/blob.py").write_text("# generated: size\n# end of generated\n")
    (root / "plugins/modules/tag.py").write_text(content)
    assert generate.main() == 1
    assert capsys.readouterr().out == f"plugins/modules/{said}\n"
    assert (root / "plugins/modules/blob.py").read_text() == "# generated: size\n# end of generated\n"
    assert f"plugins/modules/{said}" in list(generate.stale())


def test_two_texts_of_one_name_are_refused(root: pathlib.Path) -> None:
    (root / "tools/shared/z.yml").write_text("size:\n  size: 1\n")
    assert list(generate.stale()) == ["tools/shared/z.yml: there are two texts size"]
