# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the examples of the guides can be read. Needs PyYAML."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

from guide_pages import GUIDES, examples

YAML = {"json", "yaml", "yaml+jinja"}
"""The languages of blocks that must be YAML. JSON is YAML."""


class _Loader(yaml.SafeLoader):
    """Takes the tags of Ansible."""


_Loader.add_constructor("!unsafe", _Loader.construct_yaml_str)
_Loader.add_constructor("!vault", _Loader.construct_yaml_str)


def unreadable(guides: Path = GUIDES) -> Iterator[str]:
    """What is no YAML, and says that it is."""
    for path in sorted(guides.glob("*.rst")):
        for example in examples(path.read_text(encoding="utf-8")):
            if example.language in YAML:
                try:
                    content = yaml.load(example.text, _Loader)
                except yaml.YAMLError as error:
                    yield f"{path.name}, the example in line {example.line} is no YAML: {' '.join(str(error).split())}"
                else:
                    if content is None:
                        yield f"{path.name}, the example in line {example.line} is empty"
