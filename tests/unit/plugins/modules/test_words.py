# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The words that results are written in, and the documentation of modules, where they stand as text, agree."""

from __future__ import annotations

import importlib
import re
import typing as t

import yaml
from ansible_collections.imageops.registry.plugins.module_utils._model._actions import (
    ARCHIVE,
    DIRECTORY,
    REPLACE,
    SKIP,
    WORDS,
)
from ansible_collections.imageops.registry.tests.unit.support.module_runs import Plain, names_of_modules

MODULES = "ansible_collections.imageops.registry.plugins.modules"
KEYS = frozenset(["action", "kind", "problem", "found_by", "format", "form"])
"""The keys of results that have such a word."""


def documented(name: str, what: str) -> Plain:
    """A part of the documentation of a module."""
    return t.cast(Plain, yaml.safe_load(getattr(importlib.import_module(f"{MODULES}.{name}"), what)))


def words_of(returned: Plain, place: str) -> t.Iterator[tuple[str, str]]:
    """The words that results have by their documentation, samples included, with the place."""
    for key, value in returned.items():
        if key in KEYS:
            for word in re.findall(r"V\((\w+)\)", str(value["description"])):
                yield f"{place}.{key}", word
            yield f"{place}.{key}", value["sample"]
        yield from words_of(value.get("contains", {}), f"{place}.{key}")


def all_words() -> list[tuple[str, str]]:
    return [found for name in names_of_modules() for found in words_of(documented(name, "RETURN"), name)]


def test_the_documentation_names_no_other_words() -> None:
    assert [(place, word) for place, word in all_words() if word not in WORDS] == []


def test_every_word_is_documented() -> None:
    assert WORDS - {word for _place, word in all_words()} == set()


def test_choices_that_are_words() -> None:
    options = documented("image_archive", "DOCUMENTATION")["options"]
    assert set(options["format"]["choices"]) == {ARCHIVE, DIRECTORY}
    assert {REPLACE, SKIP} < set(options["images"]["suboptions"]["on_conflict"]["choices"])
