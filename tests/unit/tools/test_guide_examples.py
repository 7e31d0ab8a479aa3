# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Examples are found in guides, and an example that is no YAML is named."""

from __future__ import annotations

import pathlib
import sys

TOOLS = pathlib.Path(__file__).resolve().parents[3] / "tools"
sys.path.insert(0, str(TOOLS))

import guide_examples  # noqa: E402
import guide_pages  # noqa: E402

del sys.path[0]

PAGE = """
Page
====

.. code-block:: yaml+jinja

   - name: A task
     imageops.registry.tag_info:
       password: !unsafe "{{ secret }}"

     vars: {}

``in a text`` is not a name of a file.

- In a list:

  ``list.yml``:

  .. code-block:: yaml
     :caption: file.yml

     key: value
  Text of the list.

.. code-block:: console

   $ make: not, [YAML
"""


def test_examples_are_the_code_blocks_of_a_page() -> None:
    first, second, third = guide_pages.examples(PAGE)
    assert first[:3] == (5, "yaml+jinja", "====") and not first.file
    assert first.text.startswith("- name: A task\n  imageops") and first.text.endswith("\n\n  vars: {}\n")
    assert second == (19, "yaml", "``list.yml``:", "key: value\n") and second.file == "list.yml"
    assert third == (25, "console", "Text of the list.", "$ make: not, [YAML\n")


def test_an_example_that_is_no_yaml_is_named(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.rst").write_text(PAGE)
    assert not list(guide_examples.unreadable(tmp_path))
    (tmp_path / "b.rst").write_text(".. code-block:: yaml\n\n   key: [value\n\n.. code-block:: json\n\nText.\n")
    bad, empty = guide_examples.unreadable(tmp_path)
    assert bad.startswith("b.rst, the example in line 1 is no YAML: ") and "line 2" in bad
    assert empty == "b.rst, the example in line 5 is empty"


def test_all_examples_of_the_guides_are_yaml() -> None:
    assert not list(guide_examples.unreadable())
    assert len(list(guide_pages.GUIDES.glob("*.rst"))) > 5
