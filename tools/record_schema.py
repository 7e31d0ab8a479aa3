# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the JSON Schema of records of promotions says what the collection writes and reads.

Records of promotions of all kinds of images, with every action of images and tags and every outcome, must be valid; and
what the reader refuses must not be. Runs in the environment of the linters, which has jsonschema, in the copy of the
collection.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema

import guide_pages
from rules import ROOT

COLLECTION = "ansible_collections.imageops.registry"
sys.path.insert(0, str(ROOT.parents[2]))
records = importlib.import_module(f"{COLLECTION}.tests.unit.support.records")
every_record = importlib.import_module(f"{COLLECTION}.tests.unit.support.every_record").every_record
record = importlib.import_module(f"{COLLECTION}.plugins.module_utils._promotion._record")
reading = importlib.import_module(f"{COLLECTION}.plugins.module_utils._promotion._record_reading")
del sys.path[0]

SCHEMA = Path("docs", "promotion-record.schema.json")
GUIDE = Path("docs", "docsite", "rst", "guide_records.rst")
WRONG = (1.5, "", " ", "x", -1, True, None, [], {}, ["x"], [1], {"a": 1})
"""Values that few keys take."""
Plain = dict[str, Any]


def validator() -> jsonschema.Draft202012Validator:
    """The schema, which is a schema itself."""
    schema = json.loads((ROOT / SCHEMA).read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def is_read(predicate: Any) -> bool:
    """Whether the reader takes a predicate for that of a record. What subjects must be is beyond a schema."""
    try:
        reading.record_of(predicate)
    except reading.InvalidInput:
        return False
    return True


def changed(full: Any) -> Iterator[tuple[str, Plain]]:
    """The statement of a record without one key of its predicate each, and with a wrong value in its place."""
    for place in records.keys_of(full):
        name = ".".join(map(str, place))
        if place[0] != "predicate" or len(place) == 1:
            continue
        yield f"without {name}", records.without(full, place)
        for value in WRONG:
            yield f"with {name} {value!r}", records.with_value(full, place, value)


def words_missing(found: list[Any]) -> Iterator[str]:
    """Words that no record has that is looked at."""
    actions = {image.action for one in found for image in one.images}
    tags = {tag.action for one in found for image in one.images for tag in image.tags}
    for what, words, seen in (
        ("outcome", record.OUTCOMES, {one.outcome for one in found}),
        ("action of a tag", record.TAG_ACTIONS, tags),
        ("action of an image", reading.ACTIONS, actions),
    ):
        yield from (f"no record has the {what} {word}" for word in words if word not in seen)


def wrong() -> Iterator[str]:
    """What is wrong with the schema, in sentences."""
    schema = validator()
    found = every_record()
    yield from words_missing(found)
    for one in found:
        for error in schema.iter_errors(record.statement_of(one)):
            yield f"{SCHEMA}: it refuses a record that was written: {error.json_path}: {error.message}"
    for what, statement in changed(records.FAILED):
        is_valid = schema.is_valid(statement)
        if is_valid != is_read(statement["predicate"]):
            yield f"{SCHEMA}: it {'accepts' if is_valid else 'refuses'} a record {what}, and the reader does not"


def sample() -> Iterator[str]:
    """What is wrong with the example of the guide."""
    text = (ROOT / GUIDE).read_text(encoding="utf-8")
    found = [json.loads(example.text) for example in guide_pages.examples(text) if example.language == "json"]
    if len(found) != 1:
        yield f"{GUIDE}: it has {len(found)} examples in JSON, and should have one, a record"
    for statement in found:
        yield from (f"{GUIDE}: {error.json_path}: {error.message}" for error in validator().iter_errors(statement))
        if set(statement["predicate"]) != set(record.predicate_of(records.DONE)):
            yield f"{GUIDE}: the example has other keys than a record"


def main() -> int:
    problems = [*wrong(), *sample()]
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
