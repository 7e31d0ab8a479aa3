# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import pathlib
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    AccessDenied,
    InvalidInput,
    LocalFileError,
)
from ansible_collections.imageops.registry.plugins.module_utils._promotion._record import (
    Record,
    RecordedImage,
    RecordedTag,
    RecordTexts,
    encode_record,
)
from ansible_collections.imageops.registry.plugins.module_utils._promotion._record_files import (
    RecordFile,
    Unfinished,
    continue_record,
)
from ansible_collections.imageops.registry.plugins.module_utils._promotion._record_reading import parse_record
from ansible_collections.imageops.registry.plugins.module_utils._promotion._recorded import Recorded
from ansible_collections.imageops.registry.plugins.module_utils._promotion._recorded_images import returning_tags
from ansible_collections.imageops.registry.plugins.module_utils._promotion._removals import (
    RemovedTag,
    end_of_created,
    record_removed,
)
from ansible_collections.imageops.registry.plugins.module_utils._run._folder import Folder
from ansible_collections.imageops.registry.tests.unit.support.documents import DIGEST, OTHER_DIGEST, image
from ansible_collections.imageops.registry.tests.unit.support.fake_registry import FakeRegistry

REGISTRY = "prod.example"
TEXTS = RecordTexts("production", "ci", "", "CHG-1", "first.promotion.json")
GONE = RemovedTag("team/app", "new", DIGEST)
BACK = RecordedImage(
    f"{REGISTRY}/team/app@{OTHER_DIGEST}",
    "team/app",
    OTHER_DIGEST,
    OTHER_DIGEST,
    (RecordedTag("stable", DIGEST, OTHER_DIGEST, "replace"),),
    "promote",
)
STANDING = Record(REGISTRY, REGISTRY, (BACK,), "2026-11-30T05:00:00Z", "done", finished_at="2026-11-30T05:00:01Z")
NAME = "20261130T050000Z-00000000.promotion.json"


def recorded(path: pathlib.Path, *removed: RemovedTag, **more: t.Any) -> Recorded:
    return record_removed(str(path), REGISTRY, TEXTS, removed, **more)


def standing(path: pathlib.Path, record: Record = STANDING) -> str:
    (path / NAME).write_bytes(encode_record(record))
    return str(path / NAME)


def test_tags_that_are_gone_get_a_record(tmp_path: pathlib.Path) -> None:
    found = recorded(tmp_path, GONE)
    assert found.outcome == "done" and os.listdir(tmp_path) == [os.path.basename(found.path)]
    record = parse_record(pathlib.Path(found.path).read_bytes())
    assert (record.source, record.destination, record.outcome) == (REGISTRY, REGISTRY, "done")
    assert (record.environment, record.actor, record.reason, record.reverts) == ("production", "ci", "CHG-1", TEXTS[4])
    (image,) = record.images
    assert image.tags == (RecordedTag("new", "", DIGEST, "reverted"),) and not image.is_subject
    # Who goes back from it has nothing to do: there is no digest that the tag could get.
    assert record.finished_at == record.begun_at and returning_tags(record) == {}


def test_they_are_in_the_record_of_what_went_back(tmp_path: pathlib.Path) -> None:
    into = standing(tmp_path)
    assert recorded(tmp_path, GONE, into=into) == Recorded(into, "done")
    found = parse_record(pathlib.Path(into).read_bytes())
    assert found.images[0] == BACK and found.images[1].tags[0].tag == "new"
    assert found.finished_at > STANDING.finished_at and found.begun_at == STANDING.begun_at
    assert os.listdir(tmp_path) == [NAME]


@pytest.mark.parametrize("with_record", [False, True])
def test_check_mode_writes_nothing(tmp_path: pathlib.Path, with_record: bool) -> None:
    into = standing(tmp_path) if with_record else ""
    assert recorded(tmp_path, GONE, into=into, check=True) == Recorded(outcome="done")
    assert os.listdir(tmp_path) == [NAME] * with_record
    assert not into or parse_record(pathlib.Path(into).read_bytes()) == STANDING


@pytest.mark.parametrize(
    ("name", "record"),
    [
        ("/elsewhere/" + NAME, STANDING),
        ("", STANDING._replace(destination="other.example")),
    ],
)
def test_another_record_is_none_of_this_rollback(tmp_path: pathlib.Path, name: str, record: Record) -> None:
    file = standing(tmp_path, record)
    for into in (name or file, f"{tmp_path}/missing.promotion.json"):
        with pytest.raises(InvalidInput, match="is not a record of prod.example in"):
            recorded(tmp_path, GONE, into=into)


def test_a_record_that_another_run_has_is_not_replaced(tmp_path: pathlib.Path) -> None:
    into = standing(tmp_path)
    folder = Folder.open(str(tmp_path))
    assert folder is not None
    file = continue_record(folder, Unfinished(NAME, STANDING))
    assert file is not None
    with pytest.raises(LocalFileError, match="cannot be replaced") as caught:
        recorded(tmp_path, GONE, into=into)
    assert "Another run may have it" in caught.value.hint
    file.close()
    folder.close()


def test_what_cannot_be_written_leaves_nothing(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: t.Any) -> t.NoReturn:
        raise LocalFileError("no space left")

    with pytest.raises(LocalFileError, match="No such file or directory"):
        recorded(tmp_path / "none", GONE)
    monkeypatch.setattr(RecordFile, "end", full)
    with pytest.raises(LocalFileError, match="no space left"):
        recorded(tmp_path, GONE)
    assert os.listdir(tmp_path) == []


def cut_off(*others: RecordedTag) -> Record:
    """The record of a promotion that was cut off and that a rollback has ended: tags that it created may be there."""
    created = (RecordedTag("new", "", DIGEST, "create"), RecordedTag("newer", "", DIGEST, "create"))
    tags = (RecordedTag("stable", OTHER_DIGEST, DIGEST, "reverted"), *created, *others)
    one = RecordedImage("dev.example/team/app:1", "team/app", DIGEST, DIGEST, tags, "failed")
    return Record("dev.example", REGISTRY, (one,), "2026-11-30T05:00:00Z", "failed", finished_at="2026-11-30T05:00:01Z")


def ended(path: pathlib.Path, registry: FakeRegistry, name: str = NAME) -> tuple[bool, str, list[str]]:
    """Whether the record has changed, its outcome, and the actions of its tags."""
    changed = end_of_created(registry.client, str(path), name)
    record = parse_record((path / NAME).read_bytes())
    return changed, record.outcome, [tag.action for tag in record.images[0].tags]


def test_a_promotion_that_was_cut_off_is_reverted_when_what_it_created_is_gone(tmp_path: pathlib.Path) -> None:
    standing(tmp_path, cut_off())
    registry = FakeRegistry(REGISTRY)
    there = registry.add("team/app", image(), "newer")
    assert ended(tmp_path, registry) == (True, "failed", ["reverted", "reverted", "create"])
    assert ended(tmp_path, registry) == (False, "failed", ["reverted", "reverted", "create"])
    del registry.manifests["team/app", "newer"]
    assert ended(tmp_path, registry) == (True, "reverted", ["reverted", "reverted", "reverted"])
    assert ended(tmp_path, registry) == (False, "reverted", ["reverted", "reverted", "reverted"])
    assert registry.guarded == {"team/app new", "team/app newer"} and there.digest
    assert parse_record((tmp_path / NAME).read_bytes()).finished_at > cut_off().finished_at
    assert os.listdir(tmp_path) == [NAME]


def test_what_the_registry_does_not_say_is_not_gone(tmp_path: pathlib.Path) -> None:
    standing(tmp_path, cut_off())
    registry = FakeRegistry(REGISTRY)
    registry.failing["HEAD team/app new"] = AccessDenied("DENIED")
    registry.unsure.add(("team/app", "newer"))
    assert ended(tmp_path, registry) == (False, "failed", ["reverted", "create", "create"])


@pytest.mark.parametrize(
    ("record", "name"),
    [
        (cut_off()._replace(outcome="begun", finished_at=""), NAME),
        (cut_off()._replace(outcome="done"), NAME),
        (cut_off()._replace(destination="other.example"), NAME),
        (cut_off(), "../" + NAME),
        (cut_off(), "sha256:" + "0" * 64),
        (cut_off(), "20261130T050000Z-11111111.promotion.json"),
    ],
)
def test_no_other_record_is_ended(tmp_path: pathlib.Path, record: Record, name: str) -> None:
    standing(tmp_path, record)
    registry = FakeRegistry(REGISTRY)
    assert ended(tmp_path, registry, name) == (False, record.outcome, ["reverted", "create", "create"])
    assert not registry.calls
