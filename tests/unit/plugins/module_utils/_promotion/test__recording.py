# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import pathlib
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    AccessDenied,
    ConnectionFailed,
    LocalFileError,
)
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import Manifest
from ansible_collections.imageops.registry.plugins.module_utils._promotion._copy import CopyRules, Promotion
from ansible_collections.imageops.registry.plugins.module_utils._promotion._items import ImageItem
from ansible_collections.imageops.registry.plugins.module_utils._promotion._record import (
    Record,
    RecordedBytes,
    RecordTexts,
    encode_record,
)
from ansible_collections.imageops.registry.plugins.module_utils._promotion._record_files import RecordFile
from ansible_collections.imageops.registry.plugins.module_utils._promotion._record_reading import parse_record
from ansible_collections.imageops.registry.plugins.module_utils._promotion._recorded import Recorded
from ansible_collections.imageops.registry.plugins.module_utils._promotion._recording import (
    Recording,
    recording_in,
)
from ansible_collections.imageops.registry.plugins.module_utils._run._progress import Progress
from ansible_collections.imageops.registry.tests.unit.support.documents import CONFIG, LAYER, encoded, image
from ansible_collections.imageops.registry.tests.unit.support.fake_registry import FakeRegistry
from ansible_collections.imageops.registry.tests.unit.support.promotions import (
    BY_TAG,
    IMAGE,
    IMAGE_DIGEST,
    MULTI,
    OTHER_DIGEST,
    filled_source,
    image_item,
    plan_for,
)

TEXTS = RecordTexts("production", "ci", "https://ci.example/7", "CHG-1")
WEB = image_item("team/app", tag="2", destination_repository="prod/web", tags=("2",))
OLD = image(annotations={"it": "is old"})
OLD_DIGEST = compute_digest(encoded(OLD))


def killed(*_arguments: t.Any, **_options: t.Any) -> t.NoReturn:
    """In place of a method at whose begin the process is killed."""
    raise Killed


class Killed(BaseException):
    """The run is cut off."""


@pytest.fixture
def source() -> FakeRegistry:
    return filled_source()


@pytest.fixture
def destination() -> FakeRegistry:
    return registry_with_blobs("prod.example")


def registry_with_blobs(name: str) -> FakeRegistry:
    """A registry that has all blobs, and no manifest."""
    registry = FakeRegistry(name)
    for content in (CONFIG, LAYER, b"another layer"):
        registry.add_blob(content, "team/app", "team/other", "prod/app", "prod/web", "prod/multi", "other/app")
    return registry


def promote(
    path: pathlib.Path,
    source: FakeRegistry,
    destination: FakeRegistry,
    *items: ImageItem,
    check: bool = False,
    all_or_nothing: bool = True,
    texts: RecordTexts = TEXTS,
    **planning: t.Any,
) -> Recording:
    plan = plan_for(source, destination, *items, **planning)
    rules = CopyRules(all_or_nothing, check)
    with recording_in(str(path), texts, check=check) as recording:
        Promotion(source.client, destination.client, plan, rules, Progress(), None, recording).carry_out()
    return recording


def records(path: pathlib.Path) -> dict[str, Record]:
    return {str(one): parse_record(one.read_bytes()) for one in sorted(path.glob("*.promotion.json"))}


def only(path: pathlib.Path) -> Record:
    (found,) = records(path).values()
    return found


def tags_of(record: Record) -> list[tuple[str, str, str, str]]:
    return [
        (image.repository, tag.tag, tag.previous_digest, tag.action) for image in record.images for tag in image.tags
    ]


def killed_at(
    monkeypatch: pytest.MonkeyPatch, destination: FakeRegistry, call: str, run: t.Callable[[], t.Any]
) -> None:
    """Have a run end at once when it makes this call."""
    real = destination._call

    def dying(method: str, repository: str, reference: str) -> t.Any:
        if f"{method} {repository} {reference}" == call:
            raise Killed
        return real(method, repository, reference)

    with monkeypatch.context() as patched:
        patched.setattr(destination, "_call", dying)
        with pytest.raises(Killed):
            run()


def test_a_promotion_is_recorded(tmp_path: pathlib.Path, source: FakeRegistry, destination: FakeRegistry) -> None:
    old = destination.add("team/app", OLD, "stable")
    found = promote(tmp_path, source, destination, BY_TAG, WEB)
    ((path, record),) = records(tmp_path).items()
    assert found.recorded == Recorded(path, "done") and found.warnings() == []
    assert (record.source, record.destination, record.outcome) == ("dev.example", "prod.example", "done")
    assert (record.environment, record.actor, record.job, record.reason, record.reverts) == TEXTS
    assert record.begun_at <= record.finished_at and os.path.basename(path)[:8] == record.begun_at[:10].replace("-", "")
    assert tags_of(record) == [
        ("team/app", "1", "", "create"),
        ("team/app", "stable", old.digest, "replace"),
        ("prod/web", "2", "", "create"),
    ]
    assert [(one.reference, one.digest, one.action) for one in record.images] == [
        ("dev.example/team/app:1", IMAGE_DIGEST, "promote"),
        ("dev.example/team/app:2", OTHER_DIGEST, "promote"),
    ]
    assert record.images[0].bytes == RecordedBytes(uploaded=len(CONFIG), skipped=len(LAYER))
    assert os.listdir(tmp_path) == [os.path.basename(path)]


def test_an_unchanged_run_writes_no_record(
    tmp_path: pathlib.Path, source: FakeRegistry, destination: FakeRegistry
) -> None:
    promote(tmp_path, source, destination, BY_TAG)
    before = os.listdir(tmp_path)
    found = promote(tmp_path, source, destination, BY_TAG)
    assert found.recorded == Recorded() and os.listdir(tmp_path) == before


def test_check_mode_writes_none_and_says_what_it_would(
    tmp_path: pathlib.Path, source: FakeRegistry, destination: FakeRegistry
) -> None:
    found = promote(tmp_path, source, destination, BY_TAG, check=True)
    assert found.recorded == Recorded("", "done") and os.listdir(tmp_path) == []
    promote(tmp_path, source, destination, BY_TAG)
    assert promote(tmp_path, source, destination, BY_TAG, check=True).recorded == Recorded()


def test_it_is_begun_before_the_first_tag_moves_and_after_the_content(
    tmp_path: pathlib.Path, source: FakeRegistry, destination: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, int] = {}
    real = destination._call

    def looking(method: str, repository: str, reference: str) -> t.Any:
        seen[f"{method} {reference[:8]}"] = len(list(tmp_path.glob("*.promotion.json")))
        return real(method, repository, reference)

    monkeypatch.setattr(destination, "_call", looking)
    promote(tmp_path, source, destination, BY_TAG)
    assert seen[f"PUT {IMAGE_DIGEST[:8]}"] == 0 and seen["PUT 1"] == 1


def test_content_that_fails_before_the_first_tag_leaves_no_record(
    tmp_path: pathlib.Path, source: FakeRegistry, destination: FakeRegistry
) -> None:
    destination.failing[f"PUT prod/web {OTHER_DIGEST}"] = ConnectionFailed("it is away")
    found = promote(tmp_path, source, destination, BY_TAG, WEB)
    assert found.recorded == Recorded() and os.listdir(tmp_path) == []


def test_a_tag_that_fails_is_recorded(tmp_path: pathlib.Path, source: FakeRegistry, destination: FakeRegistry) -> None:
    destination.failing["PUT prod/web 2"] = AccessDenied("not this one")
    found = promote(tmp_path, source, destination, BY_TAG, WEB, all_or_nothing=False)
    record = only(tmp_path)
    assert record.outcome == found.recorded.outcome == "failed"
    assert [action for *_names, action in tags_of(record)] == ["create", "create", "failed"]
    assert [one.action for one in record.images] == ["promote", "failed"]


def test_what_failed_before_is_recorded_beside_what_was_promoted(
    tmp_path: pathlib.Path, source: FakeRegistry, destination: FakeRegistry
) -> None:
    gone = image_item("team/gone", tag="1", tags=("1",))
    destination.failing[f"PUT prod/web {OTHER_DIGEST}"] = ConnectionFailed("it is away")
    found = promote(tmp_path, source, destination, BY_TAG, WEB, gone, all_or_nothing=False)
    record = only(tmp_path)
    assert found.recorded.outcome == record.outcome == "failed"
    assert [(one.action, [tag.action for tag in one.tags]) for one in record.images] == [
        ("promote", ["create", "create"]),
        ("failed", ["failed"]),
        ("missing", []),
    ]


@pytest.mark.parametrize("on_conflict", ["skip", "fail"])
def test_conflicts_are_recorded_beside_what_was_promoted(
    tmp_path: pathlib.Path, source: FakeRegistry, destination: FakeRegistry, on_conflict: str
) -> None:
    destination.add("team/app", OLD, "1")
    promote(tmp_path, source, destination, BY_TAG._replace(on_conflict=on_conflict), WEB, all_or_nothing=False)
    record = only(tmp_path)
    assert [(one.action, [tag.action for tag in one.tags]) for one in record.images] == [
        ("promote", ["skip", "create"]) if on_conflict == "skip" else ("refused", ["refused", "refused"]),
        ("promote", ["create"]),
    ]
    assert record.outcome == ("done" if on_conflict == "skip" else "failed")


def test_a_run_that_was_killed_leaves_what_it_can_prove_and_the_next_one_finishes_it(
    tmp_path: pathlib.Path, source: FakeRegistry, destination: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = destination.add("team/app", OLD, "1", "stable")
    killed_at(monkeypatch, destination, "PUT prod/web 2", lambda: promote(tmp_path, source, destination, BY_TAG, WEB))
    ((path, begun),) = records(tmp_path).items()
    assert (begun.outcome, begun.finished_at) == ("begun", "")
    moves = [("team/app", "1", old.digest), ("team/app", "stable", old.digest), ("prod/web", "2", "")]
    actions = ["replace", "replace", "create"]
    assert tags_of(begun) == [(*move, action) for move, action in zip(moves, actions)]
    other = image_item("team/app", tag="multi", destination_repository="prod/multi", tags=("1",))
    unrelated = promote(tmp_path, source, destination, other)
    assert path in unrelated.warnings()[0] and len(records(tmp_path)) == 2

    foreseen = promote(tmp_path, source, destination, BY_TAG, WEB, check=True)
    assert foreseen.recorded == Recorded(path, "done", (path,)) and records(tmp_path)[path] == begun
    finished = promote(tmp_path, source, destination, BY_TAG, WEB, texts=RecordTexts(actor="me"))
    assert finished.recorded == Recorded(path, "done", (path,)) and finished.warnings() == []
    record = records(tmp_path)[path]
    assert record.outcome == "done" and record.begun_at == begun.begun_at and len(records(tmp_path)) == 2
    assert tags_of(record) == tags_of(begun)
    assert [one.action for one in record.images] == ["promote", "promote"]
    assert (record.environment, record.actor, record.reason) == ("production", "me", "CHG-1")


def test_a_run_that_was_killed_after_its_last_tag_is_finished_by_one_that_changes_nothing(
    tmp_path: pathlib.Path, source: FakeRegistry, destination: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan_for(source, destination, BY_TAG)
    with monkeypatch.context() as patched:
        patched.setattr(Recording, "end", killed)
        with pytest.raises(Killed):
            promote(tmp_path, source, destination, BY_TAG)
    begun = only(tmp_path)
    destination.calls.clear()
    found = promote(tmp_path, source, destination, BY_TAG)
    assert not destination.writes and len(found.recorded.finished) == 1
    record = only(tmp_path)
    assert record.outcome == "done" and tags_of(record) == tags_of(begun)
    assert record.images[0].action == "promote" and record.images[0].bytes == begun.images[0].bytes
    assert promote(tmp_path, source, destination, BY_TAG).recorded == Recorded()


def test_what_another_client_has_moved_since_is_what_a_tag_pointed_to_before(
    tmp_path: pathlib.Path, source: FakeRegistry, destination: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed_at(monkeypatch, destination, "PUT prod/web 2", lambda: promote(tmp_path, source, destination, BY_TAG, WEB))
    old = destination.add("prod/web", OLD, "2")
    promote(tmp_path, source, destination, BY_TAG, WEB)
    assert tags_of(only(tmp_path))[2] == ("prod/web", "2", old.digest, "replace")


@pytest.mark.parametrize(
    ("items", "why"),
    [
        ([BY_TAG._replace(tags=("1",))], "fewer tags"),
        ([image_item("team/app", tag="2", tags=("1", "stable"))], "another digest"),
        ([BY_TAG._replace(destination_repository="other/app")], "another repository"),
    ],
)
def test_another_promotion_leaves_it(
    tmp_path: pathlib.Path,
    source: FakeRegistry,
    destination: FakeRegistry,
    monkeypatch: pytest.MonkeyPatch,
    items: list[ImageItem],
    why: str,
) -> None:
    killed_at(monkeypatch, destination, "PUT team/app 1", lambda: promote(tmp_path, source, destination, BY_TAG))
    ((path, begun),) = records(tmp_path).items()
    found = promote(tmp_path, source, destination, *items)
    assert path not in found.recorded.finished and path in found.warnings()[0], why
    assert records(tmp_path)[path] == begun and len(records(tmp_path)) == 2


def test_another_destination_leaves_it(
    tmp_path: pathlib.Path, source: FakeRegistry, destination: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed_at(monkeypatch, destination, "PUT team/app 1", lambda: promote(tmp_path, source, destination, BY_TAG))
    found = promote(tmp_path, source, registry_with_blobs("other.example"), BY_TAG)
    assert found.recorded.finished == () and len(found.warnings()) == 1
    assert sorted(one.outcome for one in records(tmp_path).values()) == ["begun", "done"]


def test_one_that_does_more_finishes_all_that_it_covers(
    tmp_path: pathlib.Path, source: FakeRegistry, destination: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    for item, tag in ((BY_TAG, "team/app stable"), (WEB, "prod/web 2")):
        killed_at(monkeypatch, destination, f"PUT {tag}", lambda: promote(tmp_path, source, destination, item))  # noqa: B023
    paths = list(records(tmp_path))
    found = promote(tmp_path, source, destination, BY_TAG, WEB, MULTI)
    assert sorted(found.recorded.finished) == paths and found.warnings() == []
    ended = records(tmp_path)
    assert [one.outcome for one in ended.values()] == ["done", "done"]
    assert sorted(len(tags_of(one)) for one in ended.values()) in ([1, 4], [2, 4])


def test_one_that_fails_says_what_became_of_it(
    tmp_path: pathlib.Path, source: FakeRegistry, destination: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed_at(monkeypatch, destination, "PUT prod/web 2", lambda: promote(tmp_path, source, destination, BY_TAG, WEB))
    destination.failing["PUT prod/web 2"] = AccessDenied("not this one")
    found = promote(tmp_path, source, destination, BY_TAG, WEB, all_or_nothing=False)
    record = only(tmp_path)
    assert found.recorded.outcome == record.outcome == "failed" and found.recorded.finished == ()
    assert [action for *_names, action in tags_of(record)] == ["create", "create", "failed"]


def test_a_directory_without_the_right_to_write_is_an_error_before_anything_is_written(
    tmp_path: pathlib.Path, source: FakeRegistry, destination: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Root may write everywhere, and tests may run as root.
    monkeypatch.setattr(os, "access", lambda path, mode: not (path == str(tmp_path) and mode & os.W_OK))
    for check in (False, True):
        with pytest.raises(LocalFileError, match="cannot be written to. Nothing was promoted"):
            promote(tmp_path, source, destination, BY_TAG, check=check)
    assert not destination.writes


def test_a_full_disk_is_an_error_before_anything_is_written(
    tmp_path: pathlib.Path, source: FakeRegistry, destination: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fsync(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(LocalFileError, match="No space left on device") as caught:
        promote(tmp_path, source, destination, BY_TAG)
    assert not destination.writes and os.listdir(tmp_path) == []
    assert caught.value.hint.startswith("No tag has moved. See that the directory of record.path has room")


def test_a_record_that_cannot_begin_is_an_error_before_the_first_tag_moves(
    tmp_path: pathlib.Path, source: FakeRegistry, destination: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def replace(*_arguments: t.Any, **_options: t.Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(LocalFileError, match="No space left on device") as caught:
        promote(tmp_path, source, destination, BY_TAG)
    assert caught.value.hint.startswith("No tag has moved.") and os.listdir(tmp_path) == []
    assert not {"PUT team/app 1", "PUT team/app stable"} & set(destination.writes)


def test_an_end_that_cannot_be_recorded_is_told_and_the_record_says_begun(
    tmp_path: pathlib.Path, source: FakeRegistry, destination: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, syncs = os.fsync, iter(range(100))

    def fsync(descriptor: int) -> None:
        # Twice for room, twice to begin.
        if next(syncs) >= 4:
            raise OSError(5, "Input/output error")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    found = promote(tmp_path, source, destination, BY_TAG)
    ((path, record),) = records(tmp_path).items()
    assert found.recorded == Recorded(path, "begun") and record.outcome == "begun"
    assert found.warnings() == [
        f"The record {path} does not say how its promotion ended: {tmp_path}/.{os.path.basename(path)}.ended cannot be "
        "written: Input/output error."
    ]
    assert ("team/app", "1") in destination.manifests


def test_no_path_of_the_directory_is_in_a_record(
    tmp_path: pathlib.Path, source: FakeRegistry, destination: FakeRegistry
) -> None:
    promote(tmp_path, source, destination, BY_TAG, WEB)
    content = encode_record(only(tmp_path)).decode()
    assert str(tmp_path) not in content and os.uname().nodename not in json.dumps(
        {**json.loads(content)["predicate"], "images": []}
    )


def test_what_another_run_has_moved_meanwhile_leaves_no_record_of_this_one(
    tmp_path: pathlib.Path, source: FakeRegistry, destination: FakeRegistry
) -> None:
    destination.add("team/app", IMAGE)
    plan = plan_for(source, destination, BY_TAG)
    destination.add("team/app", IMAGE, "1", "stable")
    with recording_in(str(tmp_path), TEXTS, check=False) as recording:
        rules = CopyRules(True, False)
        Promotion(source.client, destination.client, plan, rules, Progress(), None, recording).carry_out()
    assert recording.recorded == Recorded() and os.listdir(tmp_path) == []


def test_tags_that_went_back_are_recorded(
    tmp_path: pathlib.Path, source: FakeRegistry, destination: FakeRegistry
) -> None:
    old = destination.add("team/app", OLD, "1", "stable")
    destination.failing["PUT prod/web 2"] = AccessDenied("not this one")
    found = promote(tmp_path, source, destination, BY_TAG, WEB)
    record = only(tmp_path)
    assert found.recorded.outcome == record.outcome == "reverted"
    assert tags_of(record) == [
        ("team/app", "1", old.digest, "reverted"),
        ("team/app", "stable", old.digest, "reverted"),
        ("prod/web", "2", "", "failed"),
    ]
    assert record.not_reverted == () and destination.manifests["team/app", "stable"].digest == old.digest


def test_tags_that_could_not_go_back_are_recorded(
    tmp_path: pathlib.Path, source: FakeRegistry, destination: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = destination.add("team/app", OLD, "1", "stable")
    destination.failing["PUT prod/web 2"] = AccessDenied("not this one")
    real = destination.put_manifest

    def put(repository: str, reference: str, manifest: Manifest, *more: t.Any) -> bool:
        if (reference, manifest.digest) == ("stable", old.digest):
            raise AccessDenied("it may not go back").within("move the tag")
        return real(repository, reference, manifest, *more)

    monkeypatch.setattr(destination, "put_manifest", put)
    found = promote(tmp_path, source, destination, BY_TAG, WEB)
    record = only(tmp_path)
    assert found.recorded.outcome == record.outcome == "failed"
    assert [action for *_names, action in tags_of(record)] == ["reverted", "replace", "failed"]
    (left,) = record.not_reverted
    assert left[:4] == ("team/app", "stable", IMAGE_DIGEST, old.digest) and "it may not go back" in left.reason


def begun(path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, source: FakeRegistry, destination: FakeRegistry) -> str:
    """A promotion that was cut off after its tags had moved. Returns the name of its record."""
    with monkeypatch.context() as patched:
        patched.setattr(Recording, "end", killed)
        with pytest.raises(Killed):
            promote(path, source, destination, BY_TAG)
    (found,) = path.glob("*.promotion.json")
    assert only(path).outcome == "begun"
    return found.name


def back(destination: FakeRegistry, path: pathlib.Path, reverts: str, *tags: str, check: bool = False) -> Recording:
    """Go back to the old image within one registry."""
    item = image_item("team/app", digest=OLD_DIGEST, tags=tags, expected_destination_digest=IMAGE_DIGEST)
    texts = RecordTexts(reverts=reverts)
    return promote(path, destination, destination, item, texts=texts, check=check)


def test_a_rollback_ends_the_record_of_a_promotion_that_was_cut_off(
    tmp_path: pathlib.Path, source: FakeRegistry, destination: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    destination.add("team/app", OLD, "1", "stable")
    name = begun(tmp_path, monkeypatch, source, destination)
    assert back(destination, tmp_path, name, "1", "stable", check=True).warnings() == []
    assert only(tmp_path).outcome == "begun"
    found = back(destination, tmp_path, name, "1", "stable")
    assert found.warnings() == [] and found.recorded.outcome == "done"
    read = {pathlib.Path(path).name: record for path, record in records(tmp_path).items()}
    ended = read.pop(name)
    assert ended.outcome == "reverted" and ended.finished_at
    assert [(image.action, [tag.action for tag in image.tags]) for image in ended.images] == [
        ("failed", ["reverted", "reverted"])
    ]
    ((_name, own),) = read.items()
    assert own.reverts == name and {tag[3] for tag in tags_of(own)} == {"replace"}
    # There is nothing left to finish, and nothing left to go back.
    again = back(destination, tmp_path, name, "1", "stable")
    assert again.recorded == Recorded() and len(records(tmp_path)) == 2
    assert promote(tmp_path, source, destination, BY_TAG).recorded.finished == ()


def test_a_rollback_of_some_tags_leaves_the_record_to_be_finished(
    tmp_path: pathlib.Path, source: FakeRegistry, destination: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    destination.add("team/app", OLD, "1", "stable")
    name = begun(tmp_path, monkeypatch, source, destination)
    assert name in back(destination, tmp_path, name, "1").warnings()[0]
    assert "begun" in {record.outcome for record in records(tmp_path).values()}


def test_tags_that_were_created_and_stay_are_no_whole_return(
    tmp_path: pathlib.Path, source: FakeRegistry, destination: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    destination.add("team/app", OLD, "1")
    name = begun(tmp_path, monkeypatch, source, destination)
    assert back(destination, tmp_path, name, "1").warnings() == []
    ended = parse_record((tmp_path / name).read_bytes())
    assert ended.outcome == "failed" and [action for *_names, action in tags_of(ended)] == ["reverted", "create"]


@pytest.mark.parametrize("check", [True, False])
def test_a_promotion_that_runs_is_not_reverted(
    tmp_path: pathlib.Path,
    source: FakeRegistry,
    destination: FakeRegistry,
    monkeypatch: pytest.MonkeyPatch,
    check: bool,
) -> None:
    destination.add("team/app", OLD, "1", "stable")
    real = Recording.end
    said: list[str] = []

    def while_it_runs(recording: Recording, *arguments: t.Any, **options: t.Any) -> None:
        monkeypatch.setattr(Recording, "end", real)
        destination.calls.clear()
        (found,) = tmp_path.glob("*.promotion.json")
        with pytest.raises(LocalFileError) as caught:
            back(destination, tmp_path, found.name, "1", "stable", check=check)
        said.append(str(caught.value))
        assert f"{found} cannot be reverted: its promotion is still running" in said[0]
        assert not destination.writes
        real(recording, *arguments, **options)

    monkeypatch.setattr(Recording, "end", while_it_runs)
    promote(tmp_path, source, destination, BY_TAG)
    assert said and only(tmp_path).outcome == "done" and destination.manifests["team/app", "1"].digest == IMAGE_DIGEST
    (found,) = tmp_path.glob("*.promotion.json")
    assert back(destination, tmp_path, found.name, "1", "stable").recorded.outcome == "done"


def test_a_rollback_of_which_an_image_was_refused_meanwhile_leaves_the_record(
    tmp_path: pathlib.Path, source: FakeRegistry, destination: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    destination.add("team/app", OLD, "1", "stable")
    name = begun(tmp_path, monkeypatch, source, destination)
    real = Promotion._compare_again

    def refusing(promotion: Promotion) -> None:
        real(promotion)
        promotion.outcomes.refused = {image.way: "it changed" for image in promotion._plan.images}

    monkeypatch.setattr(Promotion, "_compare_again", refusing)
    assert name in back(destination, tmp_path, name, "1", "stable").warnings()[0]
    assert destination.manifests["team/app", "1"].digest == IMAGE_DIGEST
    assert only(tmp_path).outcome == "begun"


def test_where_no_tag_moves_nothing_is_begun(
    tmp_path: pathlib.Path, source: FakeRegistry, destination: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_digest = image_item("team/app", digest=IMAGE_DIGEST)
    with monkeypatch.context() as patched:
        patched.setattr(Recording, "end", killed)
        with pytest.raises(Killed):
            promote(tmp_path, source, destination, by_digest)
    assert os.listdir(tmp_path) == []
    again = promote(tmp_path, source, destination, by_digest)
    assert again.warnings() == [] and again.recorded == Recorded() and os.listdir(tmp_path) == []
    other = registry_with_blobs("other.example")
    assert promote(tmp_path, source, other, by_digest).recorded.outcome == only(tmp_path).outcome == "done"
    assert len(os.listdir(tmp_path)) == 1


def test_a_record_that_was_not_begun_and_can_not_be_written_is_a_warning(
    tmp_path: pathlib.Path, source: FakeRegistry, destination: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: t.Any) -> None:
        raise LocalFileError("the disk is full")

    monkeypatch.setattr(RecordFile, "end", full)
    found = promote(tmp_path, source, destination, image_item("team/app", digest=IMAGE_DIGEST))
    assert found.recorded == Recorded() and os.listdir(tmp_path) == []
    assert "is not written: the disk is full" in found.warnings()[0]


def test_a_rollback_that_was_cut_off_is_continued_by_the_same_rollback_only(
    tmp_path: pathlib.Path, destination: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    destination.add("team/app", OLD)
    destination.add("team/app", IMAGE, "1", "stable")
    item = image_item("team/app", digest=OLD_DIGEST, tags=("1", "stable"))
    with monkeypatch.context() as patched:
        patched.setattr(Recording, "end", killed)
        with pytest.raises(Killed):
            promote(tmp_path, destination, destination, item, texts=RecordTexts(reverts="a.promotion.json"))
    assert promote(tmp_path, destination, destination, item).recorded.finished == ()
    (finished,) = back(destination, tmp_path, "a.promotion.json", "1", "stable").recorded.finished
    assert parse_record(pathlib.Path(finished).read_bytes()).outcome == "done"


def test_a_record_that_another_run_has_finished_meanwhile_stays_as_it_is(
    tmp_path: pathlib.Path, source: FakeRegistry, destination: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else what the tags pointed to before would be lost, and with it the way back."""
    destination.add("team/app", OLD, "1", "stable")
    name = begun(tmp_path, monkeypatch, source, destination)
    plan = plan_for(source, destination, BY_TAG)
    with recording_in(str(tmp_path), RecordTexts(actor="late"), check=False) as recording:
        promote(tmp_path, source, destination, BY_TAG, texts=RecordTexts(actor="early"))
        ended = (tmp_path / name).read_bytes()
        rules = CopyRules(True, False)
        Promotion(source.client, destination.client, plan, rules, Progress(), None, recording).carry_out()
    assert (tmp_path / name).read_bytes() == ended and only(tmp_path).actor == "early"
    assert recording.recorded == Recorded() and recording.warnings() == []


def test_another_record_that_was_finished_meanwhile_is_not_ended_again(
    tmp_path: pathlib.Path, source: FakeRegistry, destination: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run continues one record, and ends the others that it covers."""
    for item, tag in ((BY_TAG, "team/app stable"), (WEB, "prod/web 2")):
        killed_at(monkeypatch, destination, f"PUT {tag}", lambda: promote(tmp_path, source, destination, item))  # noqa: B023
    web = next(pathlib.Path(path) for path, one in records(tmp_path).items() if one.images[0].repository == "prod/web")
    plan = plan_for(source, destination, BY_TAG, WEB)
    real = Recording.prepare
    meanwhile: list[t.Any] = []

    def prepare(self: Recording, plan: t.Any) -> None:
        real(self, plan)
        if not meanwhile:
            (other,) = (pathlib.Path(path) for path in records(tmp_path) if path != self._path)
            meanwhile.append(other)
            promote(tmp_path, source, destination, WEB if other == web else BY_TAG, texts=RecordTexts(actor="early"))
            meanwhile.append(other.read_bytes())

    monkeypatch.setattr(Recording, "prepare", prepare)
    with recording_in(str(tmp_path), RecordTexts(actor="late"), check=False) as recording:
        rules = CopyRules(True, False)
        Promotion(source.client, destination.client, plan, rules, Progress(), None, recording).carry_out()
    other, ended = meanwhile
    assert parse_record(ended).outcome == "done" and other.read_bytes() == ended
    assert recording.warnings() == [] and str(other) not in recording.recorded.finished


def test_a_rollback_leaves_a_record_that_was_finished_meanwhile(
    tmp_path: pathlib.Path, source: FakeRegistry, destination: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    destination.add("team/app", OLD, "1", "stable")
    name = begun(tmp_path, monkeypatch, source, destination)
    item = image_item("team/app", digest=OLD_DIGEST, tags=("1", "stable"), expected_destination_digest=IMAGE_DIGEST)
    plan = plan_for(destination, destination, item)
    with recording_in(str(tmp_path), RecordTexts(reverts=name), check=False) as recording:
        promote(tmp_path, source, destination, BY_TAG)
        ended = (tmp_path / name).read_bytes()
        rules = CopyRules(True, False)
        Promotion(destination.client, destination.client, plan, rules, Progress(), None, recording).carry_out()
    assert parse_record(ended).outcome == "done" and (tmp_path / name).read_bytes() == ended
    assert recording.warnings() == []


@pytest.mark.parametrize("check", [False, True])
def test_a_record_of_another_user_is_left_and_the_run_has_one_of_its_own(
    tmp_path: pathlib.Path,
    source: FakeRegistry,
    destination: FakeRegistry,
    monkeypatch: pytest.MonkeyPatch,
    check: bool,
) -> None:
    killed_at(monkeypatch, destination, "PUT team/app stable", lambda: promote(tmp_path, source, destination, BY_TAG))
    ((path, before),) = records(tmp_path).items()
    tmp_path.chmod(0o1777)
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 4321)
    found = promote(tmp_path, source, destination, BY_TAG, check=check)
    assert found.recorded.outcome == "done" and found.recorded.finished == () and found.recorded.path != path
    assert path in found.warnings()[0] and records(tmp_path).pop(path) == before
    assert len(records(tmp_path)) == (1 if check else 2)
    # What is equal needs no record, and doesn't fail for one of somebody else.
    if not check:
        assert promote(tmp_path, source, destination, BY_TAG).recorded == Recorded()
