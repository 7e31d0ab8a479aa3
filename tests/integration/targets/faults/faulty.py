# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything that may fail while images are copied, played by the fault proxy.

Each row copies an image from, or to, a repository of its own, in which the proxy plays the faults of the row. Then all
of them are copied once more, without faults: that finishes what a fault has kept from being done.
"""

from __future__ import annotations

import hashlib
from typing import Any

import requests
from across import at_once, continued, disk_full
from all_or_nothing import guards_hold_while_a_push_waits, tags_go_back
from connections import own_proxies
from content import Side
from restarts import restarted
from rows import KIB, STATUSES, Row, Seen, at_a_time, at_destination, at_source, fails, survives
from runs import REGISTRIES, Failed, Plain, Run, call, check, connection, main, mark, requests_since, seed, task

from fault_control import FaultControl

SHAPE = {"images": 1, "layer_size": 200 * KIB}
TAG = "1.0"
IMAGES: dict[str, Plain] = {}
"""The image of each row, by the row's name. No two have a blob in common: it would be mounted."""
READS = ("HEAD manifest", "GET manifest", "GET blob")
WHOLE = ("HEAD manifest", "HEAD blob", "POST uploads", "PUT session", "PUT manifest")
CHUNKED = (*WHOLE, "PATCH session")
CHUNK = 64 * KIB

ROWS = [
    # Statuses, at every kind of request. An upload that fails begins again in another session.
    *(at_source(f"status-{code}", f"status={code}", survives(*READS), together="status") for code in STATUSES),
    *(at_destination(f"status-{code}", f"status={code}", survives(*WHOLE), together="status") for code in STATUSES),
    *(
        at_destination(
            f"status-{code}-chunks", f"status={code}", survives(*CHUNKED), together="status-chunks", chunk_size=CHUNK
        )
        for code in STATUSES
    ),
    at_destination("status-early", "status-early=503", survives(*WHOLE)),
    at_destination("status-page", "html-errors+status=502", survives(*WHOLE)),
    at_source("status-always", "status-always=503", fails("answer 503"), retries=1),
    at_destination("status-always", "status-always=500", fails("answer 500"), retries=1),
    # How long to wait.
    *(
        at_source(f"retry-after-{form}", f"retry-after={form}", survives(*READS), together="retry-after")
        for form in ("1", "date", "past", "words", "none")
    ),
    at_destination("retry-after", "retry-after=1", survives(*WHOLE)),
    # No longer than retry_max_wait, and not again and again.
    *(
        at_source(
            f"retry-after-{form}", f"retry-after={form}", fails("asks to wait"), together="absurd", retry_max_wait=0.5
        )
        for form in ("absurd", "absurd-date")
    ),
    at_destination("retry-after-absurd", "retry-after=absurd", fails("asks to wait"), retry_max_wait=0.5),
    at_source("quota", "quota", fails("asks to wait 3600 seconds"), retry_max_wait=0.5),
    at_destination("quota", "quota", fails("asks to wait 3600 seconds"), retry_max_wait=0.5),
    # Connections.
    at_source("reset", "reset=each", survives(*READS)),
    at_destination("reset", "reset=each", survives(*WHOLE)),
    at_destination("reset-chunks", "reset=each", survives(*CHUNKED), chunk_size=CHUNK),
    at_destination("reset-twice", "reset=2", survives()),
    at_source("stall", "stall=3", survives(*READS), timeout=1),
    at_destination("stall", "stall=3", survives("HEAD manifest", "POST uploads", "PUT session"), timeout=1),
    at_source("silent-close", "silent-close", survives(*READS, retries=False)),
    at_destination("silent-close", "silent-close", survives(*WHOLE, retries=False)),
    at_destination("lost-answers", "lost-answers", survives("POST uploads", "PUT session", "PUT manifest")),
    at_destination("lost-answers-chunks", "lost-answers", survives("PATCH session"), chunk_size=CHUNK, retries=6),
    at_destination("lost-tag", "lost-tag-answer", survives("PUT manifest")),
    # Downloads that break off go on where they were.
    at_source("cut", f"cut-download={CHUNK}", survives("GET blob")),
    at_source("cut-early", "cut-download=10", fails("broke off", "read blob"), retries=1),
    at_source("cut-clean", f"cut-download-clean={CHUNK}", survives("GET blob")),
    at_source("cut-whole", f"cut-download={CHUNK}:2+no-range", survives("GET blob")),
    at_source("cut-clean-whole", f"cut-download-clean={CHUNK}:2+no-range", survives("GET blob")),
    at_source("cut-always", f"cut-download={CHUNK}+no-range", fails("read blob"), retries=1),
    at_source("cut-range", f"cut-download={CHUNK}:1+wrong-range", survives("GET blob")),
    at_source("cut-range-body", f"cut-download={CHUNK}:1+wrong-range=body", survives("GET blob")),
    # Uploads that break off.
    at_destination("cut", f"cut-upload={CHUNK}", survives("PUT session")),
    at_destination("cut-chunks", "cut-upload=1000", survives("PATCH session"), chunk_size=CHUNK),
    at_destination("session", "session-gone", survives("PUT session")),
    at_destination("session-chunks", "session-gone", survives("PATCH session"), chunk_size=CHUNK),
    # What a run believes to be there, and isn't.
    at_destination("forgotten", "blob-forgotten", survives(retries=False), forgets=True),
    at_destination("forgotten-unnamed", "blob-forgotten=unnamed", survives(retries=False), forgets=True),
    # Wrong content.
    at_source("bytes", "wrong-bytes", fails("sha256:"), together="wrong"),
    at_source("more", "wrong-size", fails("sha256:"), together="wrong"),
    at_source("less", "wrong-size=less", fails("sha256:"), retries=1),
    at_source("manifest", "wrong-manifest", fails("digest"), together="wrong"),
    at_source("encoding", "content-encoding", fails("sha256:"), together="wrong"),
    at_source("large", "large-manifest", fails("larger than 4194304 bytes"), together="wrong"),
    at_source("endless-manifest", "endless-body=manifest", fails("larger than 4194304 bytes"), together="wrong"),
    at_source("endless-blob", "endless-body=blob", fails("sha256:"), together="wrong"),
    # Tokens.
    Row("token-from", "expired-token=6", "source", survives(retries=False), registry="faulty-token"),
    Row("token-to", "expired-token=6", "destination", survives(retries=False), registry="faulty-token"),
]


def inner(registry: str) -> Plain:
    """The connection to a registry past its proxy."""
    entry = REGISTRIES[registry]
    login = {name: entry[name] for name in ("username", "password")} if entry["login"] != "none" else {}
    more = {"ca_path": connection(registry)["ca_path"]} if entry["tls"] else {}
    return {"registry": entry["inner_address"], "plain_http": True, **login, **more}


def copy_of(rows: list[Row], faulty: Plain, **more: Any) -> Plain:
    """The task that copies the images of rows of one kind; ``faulty`` is how their registry is reached."""
    images = [{"repository": row.repository, "tag": TAG} for row in rows]
    at_source = rows[0].end == "source"
    ends = connection("prod", source=faulty) if at_source else {**faulty, "source": connection("dev")}
    options = {**ends, "images": images, "on_error": "continue", **more}
    return task("image_copy", options, name=rows[0].task)


def prepare() -> None:
    """Faults for all rows, and what must be there before."""
    for registry in ("faulty", "faulty-token"):
        played = {row.repository: row.faults for row in ROWS if row.registry == registry}
        FaultControl(REGISTRIES[registry]["faults_path"]).switch({"": "", **played})
    for row in ROWS:
        at = row.registry if row.end == "source" else "dev"
        IMAGES[row.name] = seed(at, "single", row.prefix, seed=row.name, **SHAPE)[0]
        if row.forgets:
            push_blobs(row)


def push_blobs(row: Row) -> None:
    """The blobs of the image, and nothing else."""
    base = f"http://{REGISTRIES[row.registry]['inner_address']}/v2/{row.repository}/blobs/uploads/"
    for blob in IMAGES[row.name]["blobs"]:
        place = requests.post(base, timeout=30).headers["Location"]
        content = Side("dev", row.repository).blob(blob["digest"])
        answer = requests.put(f"{place}&digest={blob['digest']}", data=content, timeout=30)
        check(answer.status_code == 201, f"a blob cannot be pushed: {answer.status_code}")


def played() -> Run:
    """All rows, many at a time."""
    groups: dict[str, list[Row]] = {}
    for row in ROWS:
        groups.setdefault(row.task, []).append(row)
    for rows in groups.values():
        check(len({repr((row.end, row.registry, row.options)) for row in rows}) == 1, f"{rows[0].task} are unlike")
    return at_a_time([copy_of(rows, connection(rows[0].registry), **rows[0].options) for rows in groups.values()])


def served(row: Row) -> str:
    """The digest of the image at the destination, with all that it refers to there; empty where there is no tag."""
    side = Side("prod" if row.end == "source" else "faulty", row.repository)
    content = side.manifest(TAG)
    if content is None:
        return ""
    image = IMAGES[row.name]
    check(set(side.reachable(TAG)) == {image["digest"], *(blob["digest"] for blob in image["blobs"])}, "content")
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def every_row() -> None:
    moment = mark()
    run = played()
    found = {name: requests_since(moment, name, "proxy") for name in ("faulty", "faulty-token")}
    FaultControl(REGISTRIES["faulty"]["faults_path"]).switch({"": ""})
    problems = []
    for row in ROWS:
        here = [entry for entry in found[row.registry] if entry["path"].startswith(f"/v2/{row.repository}/")]
        result = run.of(row.task)
        expected = IMAGES[row.name]["digest"]
        there = served(row) if row.registry == "faulty" else str(result["images"][0]["digest"])
        try:
            row.judge(Seen(row, result, there, expected, here))
        except Failed as failure:
            problems.append(f"{row.name} ({row.faults}): {failure}")
    check(not problems, "\n".join(problems))


def finished_afterwards() -> None:
    """One task for each end copies what hasn't arrived, and nothing else."""
    tasks = []
    for registry in ("faulty", "faulty-token"):
        for end in ("source", "destination"):
            rows = [row for row in ROWS if (row.registry, row.end) == (registry, end)]
            if rows:
                tasks.append({**copy_of(rows, inner(registry)), "name": f"{registry} {end}"})
    run = call(tasks)
    for entry in tasks:
        check(not run.of(entry["name"])["failed"], f"{entry['name']}: {run.of(entry['name'])}")
    for row in ROWS:
        complete = row.registry != "faulty" or served(row) == IMAGES[row.name]["digest"]
        check(complete, f"{row.name}: the second run did not finish it")


if __name__ == "__main__":
    steps = [prepare, every_row, finished_afterwards, own_proxies, restarted, disk_full, at_once, continued]
    main([*steps, tags_go_back, guards_hold_while_a_push_waits])
