# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The same faults through the same proxy: what becomes of a copy by ``image_copy``, ``skopeo copy`` and ``crane copy``.

    python tests/reliability/peers.py [--only WORD] [--write]

Needs what the harness needs (tests/registries/README.md), ansible-core on the PATH, and skopeo; crane where it is on
the PATH or in ~/.cache/imageops-peers (tests/benchmark/install-peers.sh builds it). Every copy has a destination of its
own. ``--write`` puts the table into docs/docsite/rst/reliability_peers.rst. Takes ten minutes, part of them waiting for
who hangs.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "registries"))

import requests  # noqa: E402

import fleet  # noqa: E402
from catalogue import Options  # noqa: E402
from fault_proxy import FaultProxy  # noqa: E402
from faults.base import MANIFEST_TYPES  # noqa: E402
from seeding import seed  # noqa: E402
from specification import Specification  # noqa: E402
from state import State  # noqa: E402

MIB = 1024 * 1024
LAYER = 3 * MIB
PATIENCE = 60.0
"""Seconds. Who hasn't ended then hangs."""
TAG = "1.0"
PAGE = ROOT / "docs" / "docsite" / "rst" / "reliability_peers.rst"
SOURCE, DESTINATION = "source", "destination"


_PAGE = """\
..
  GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
  SPDX-License-Identifier: GPL-3.0-or-later

.. _ansible_collections.imageops.registry.docsite.reliability_peers:

The same faults, other tools
============================

``tests/reliability/peers.py --write`` generates this page. It copies images with two layers of {mebibytes} MiB
through the `fault proxy <https://github.com/imageops/registry/blob/main/tests/registries/README.md#faults>`__,
a different image each time. Then it reads what arrived from the registry itself.

The page compares ``image_copy`` of this collection, with ``timeout: 5`` and otherwise its defaults, with {versions}.
skopeo runs with ``--retry-times 3``, because ``image_copy`` retries as often by default. A tool that still runs after
{patience} seconds is stopped.

*survives* means that the tool reports success, and that the tag at the destination points to all of the right content.
*wrong* means that a tag points to content that is not the image's.

Faults
------

{counts}

{faults}

Wrong content
-------------

Here, failing is correct: the source does not deliver what it promises.

{wrong}
"""


class Row(NamedTuple):
    """A fault, and the end of the copy at which it is played."""

    words: str
    faults: str
    end: str
    forgets: bool = False
    """Whether the blobs are at the destination before, and no manifest."""
    token: bool = False
    """Whether that end asks for a login with tokens."""


ROWS = [
    Row("No fault", "", SOURCE),
    Row("Connections refused twice", "refused=2", SOURCE),
    Row("Connections refused twice", "refused=2", DESTINATION),
    Row("Each request is reset once", "reset=each", SOURCE),
    Row("Each request is reset once", "reset=each", DESTINATION),
    Row("The answer to each writing request is lost once", "lost-answers", DESTINATION),
    Row("The answer to the push of a tag is lost", "lost-tag-answer", DESTINATION),
    Row("Connections end without notice", "silent-close", DESTINATION),
    Row("Each answer stops once for 90 seconds", "stall=90", SOURCE),
    Row("A download is reset after 1 MB each time", "cut-download=1000000", SOURCE),
    Row("A download ends after 1 MB each time, cleanly", "cut-download-clean=1000000", SOURCE),
    Row("A download is reset once, and Range ignored", "cut-download=1000000:1+no-range", SOURCE),
    Row("A download is reset once, and the wrong range comes", "cut-download=1000000:1+wrong-range=body", SOURCE),
    Row("An upload is reset after 2 MB, once for each blob", "cut-upload=2000000", DESTINATION),
    Row("An upload session is gone, once for each blob", "session-gone", DESTINATION),
    *(
        Row(f"{code} once for each request", f"status={code}", end)
        for code in (408, 429, 500, 502, 503, 504)
        for end in (SOURCE, DESTINATION)
    ),
    Row("503 before the body was read", "status-early=503", DESTINATION),
    Row("429 with a Retry-After of 1 second", "retry-after=1", SOURCE),
    Row("429 with a Retry-After as a date", "retry-after=date", SOURCE),
    Row("A token expires after 6 requests", "expired-token=6", SOURCE, token=True),
    Row("A token expires after 6 requests", "expired-token=6", DESTINATION, token=True),
    Row("The token server answers 503 once", "token-status=503", DESTINATION, token=True),
    Row("Blobs are there, and unknown when the manifest comes", "blob-forgotten", DESTINATION, forgets=True),
]

WRONG = [
    Row("Wrong bytes in blobs", "wrong-bytes", SOURCE),
    Row("Blobs have one byte too many", "wrong-size", SOURCE),
    Row("A byte less in blobs", "wrong-size=less", SOURCE),
    Row("A manifest that does not match its digest", "wrong-manifest", SOURCE),
    Row("A Content-Encoding that was not requested", "content-encoding", SOURCE),
    Row("A manifest over 4 MiB", "large-manifest", SOURCE),
    Row("A manifest without an end", "endless-body=manifest", SOURCE),
    Row("A blob without an end", "endless-body=blob", SOURCE),
]
"""Content that has to be refused."""


class End(NamedTuple):
    """One end of a copy, as a tool is told of it."""

    address: str
    username: str | None
    password: str | None

    def reference(self, repository: str) -> str:
        return f"{self.address}/{repository}:{TAG}"


class Work(NamedTuple):
    source: End
    destination: End
    repository: str
    """At both ends."""
    directory: Path


class Tool(Protocol):
    """A program that copies an image."""

    name: str

    def version(self) -> str:
        """Empty where it isn't there."""

    def command(self, work: Work) -> list[str]:
        """What copies the image."""


class Ours:
    name = "image_copy"

    def __init__(self, directory: Path) -> None:
        self._collections = directory / "collections"
        place = self._collections / "ansible_collections" / "imageops"
        place.mkdir(parents=True)
        (place / "registry").symlink_to(ROOT)

    def version(self) -> str:
        return re.findall(r"^version: (.+)$", (ROOT / "galaxy.yml").read_text(encoding="utf-8"), re.MULTILINE)[0]

    def command(self, work: Work) -> list[str]:
        item = {"repository": work.repository, "tag": TAG}
        # Its default waits a minute for whoever falls silent, as long as all of this may take.
        options = {**_options(work.destination), "source": _options(work.source), "images": [item], "timeout": 5}
        environment = f"ANSIBLE_COLLECTIONS_PATH={self._collections}"
        options["progress"] = False
        return [
            *["env", environment, "ANSIBLE_LOCALHOST_WARNING=0", "ansible", "localhost", "-c", "local"],
            *["-m", "imageops.registry.image_copy", "-a", json.dumps(options)],
        ]


class Skopeo:
    name = "skopeo copy"

    def version(self) -> str:
        return _version("skopeo", "--version")

    def command(self, work: Work) -> list[str]:
        return [
            *["skopeo", "--insecure-policy", "copy", "--all", "--preserve-digests", "--retry-times", "3"],
            *["--src-tls-verify=false", "--dest-tls-verify=false", "--authfile", str(_auth_file(work))],
            f"docker://{work.source.reference(work.repository)}",
            f"docker://{work.destination.reference(work.repository)}",
        ]


class Crane:
    name = "crane copy"

    def __init__(self) -> None:
        self._program = shutil.which("crane") or str(Path.home() / ".cache" / "imageops-peers" / "crane")

    def version(self) -> str:
        return _version(self._program, "version")

    def command(self, work: Work) -> list[str]:
        references = [work.source.reference(work.repository), work.destination.reference(work.repository)]
        return ["env", f"DOCKER_CONFIG={_auth_file(work).parent}", self._program, "copy", "--insecure", *references]


def _options(end: End) -> dict[str, Any]:
    login = {"username": end.username, "password": end.password} if end.username else {}
    return {"registry": end.address, "plain_http": True, **login}


def _auth_file(work: Work) -> Path:
    """A file in docker's form, under the addresses of the proxies."""
    logins = {}
    for end in (work.source, work.destination):
        if end.username:
            logins[end.address] = {"auth": base64.b64encode(f"{end.username}:{end.password}".encode()).decode()}
    path = work.directory / "config.json"
    path.write_text(json.dumps({"auths": logins}), encoding="utf-8")
    return path


def _version(program: str, argument: str) -> str:
    try:
        done = subprocess.run([program, argument], capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.split()[-1]


class Bench:
    """The registries, and an image for every copy: a blob that is known from another one would be mounted."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.state = State(directory / "registries")
        names = ["source", "destination", "source-token,login=token", "destination-token,login=token"]
        fleet.start(self.state, [Specification.parse(name) for name in names])
        self.entries = self.state.load()["registries"]
        self._copies = 0

    def outcome(self, row: Row, tool: Tool) -> str:
        """What comes of the copy: survives, wrong, or fails and why."""
        self._copies += 1
        to = f"copy-{self._copies:03d}"
        names = {end: f"{end}-token" if row.token and end == row.end else end for end in (SOURCE, DESTINATION)}
        image = self._seed(names[SOURCE], to)
        if row.forgets:
            self._seed(names[DESTINATION], to)
            place = self._url(names[DESTINATION], image["repository"], f"manifests/{image['digest']}")
            requests.delete(place, timeout=30).raise_for_status()
        with FaultProxy(f"http://{self.entries[names[row.end]]['address']}", row.faults) as proxy:
            ends = {}
            for end, name in names.items():
                address = proxy.address if end == row.end else self.entries[name]["address"]
                ends[end] = End(address, self.entries[name]["username"], self.entries[name]["password"])
            work = Work(ends[SOURCE], ends[DESTINATION], image["repository"], self.directory)
            ended, said = self._run(tool.command(work))
            acted = {name for entry in proxy.requests for name in entry["faults"]}
        there = self._there(names[DESTINATION], image)
        if there == "wrong":
            return "wrong"
        if row.faults and not acted:
            return "the fault did nothing"
        if ended == 0:
            return "survives" if there else "wrong: it says that all went well, and there is no image"
        return f"fails: {said}" if not there else f"survives, and says that it fails: {said}"

    def _run(self, command: Sequence[str]) -> tuple[int, str]:
        # Not through a pipe: what a tool leaves behind would keep it open.
        with tempfile.TemporaryFile("w+", errors="replace") as output:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                return 1, f"it has not ended after {PATIENCE:g} seconds"
            output.seek(0)
            return process.returncode, shortened(output.read())

    def _seed(self, name: str, to: str) -> dict[str, Any]:
        return seed(self.state, name, ["single"], Options(seed=to, prefix=to, images=1, layer_size=LAYER))[0]

    def _there(self, name: str, image: dict[str, Any]) -> str:
        """What the tag at the destination leads to: empty, right or wrong."""
        repository = image["repository"]
        with self._session(name, repository) as session:
            answer = session.get(self._url(name, repository, f"manifests/{TAG}"), timeout=30)
            if answer.status_code == 404:
                return ""
            answer.raise_for_status()
            if _digest(answer.content) != image["digest"]:
                return "wrong"
            for blob in image["blobs"]:
                content = session.get(self._url(name, repository, f"blobs/{blob['digest']}"), timeout=30)
                if content.status_code != 200 or _digest(content.content) != blob["digest"]:
                    return "wrong"
        return "right"

    def _url(self, name: str, repository: str, rest: str) -> str:
        return f"http://{self.entries[name]['address']}/v2/{repository}/{rest}"

    @contextmanager
    def _session(self, name: str, repository: str) -> Iterator[requests.Session]:
        entry = self.entries[name]
        with requests.Session() as session:
            session.trust_env = False
            session.headers["Accept"] = MANIFEST_TYPES
            if entry["login"] == "token":
                query = {"service": entry["service"], "scope": f"repository:{repository}:pull"}
                login = (entry["username"], entry["password"])
                token = requests.get(entry["realm"], params=query, auth=login, timeout=30).json()["token"]
                session.headers["Authorization"] = f"Bearer {token}"
            yield session


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def shortened(output: str) -> str:
    """The reason in what a tool prints, without what differs from run to run."""
    found = re.findall(r'"reason": "((?:[^"\\]|\\.)*)"', output) or re.findall(r'"msg": "((?:[^"\\]|\\.)*)"', output)
    lines = [line for line in output.splitlines() if line.strip()]
    text = found[-1] if found else (lines[-1] if lines else "nothing is said")
    text = re.sub(r'^time=\S+ level=\S+ msg="?|^\d{4}/\d\d/\d\d [\d:]+ |^Error: ', "", text)
    text = re.sub(r"localhost:\d+|(127\.0\.0\.1|\[::1\]):\d+", "HOST", text)
    text = re.sub(r"(sha256:[0-9a-f]{6})[0-9a-f]+", r"\1...", text)
    text = re.sub(r"uploads/[0-9a-f-]{36}\S*", "uploads/...", text)
    text = text.replace("HOST->HOST", "HOST").replace("\\n", " ").replace("\\", "").strip(' "')
    return text if len(text) <= 160 else f"...{text[-157:]}"


def table(rows: Sequence[tuple[Row, list[str]]], names: Sequence[str]) -> str:
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for cells in (["fault", "injected at", *names], *(cells_of(row, outcomes) for row, outcomes in rows)):
        lines += [f"   {'*' if number == 0 else ' '} - {cell}" for number, cell in enumerate(cells)]
    return "\n".join(lines)


def cells_of(row: Row, outcomes: Sequence[str]) -> list[str]:
    """What the table has of a fault."""
    return [f"{row.words} (``{row.faults}``)" if row.faults else row.words, row.end, *map(_literal, outcomes)]


def _literal(outcome: str) -> str:
    """An outcome with the words of the tool as a literal, since they may look like markup."""
    reason = outcome.removeprefix("fails: ")
    return outcome if reason == outcome else f"fails: ``{reason}``"


def page(rows: Sequence[tuple[Row, list[str]]], tools: Sequence[Tool]) -> str:
    names = [tool.name for tool in tools]
    faults = [entry for entry in rows if entry[0] not in WRONG]
    versions = ", ".join(f"{tool.name} {tool.version()}" for tool in tools[1:])
    columns = list(zip(*(outcomes for _row, outcomes in faults)))
    counts = "\n".join(
        f"- {tool.name}: survives {column.count('survives')} of {len(faults)}" for tool, column in zip(tools, columns)
    )
    return _PAGE.format(
        mebibytes=LAYER // MIB,
        versions=versions,
        patience=f"{PATIENCE:g}",
        counts=counts,
        faults=table(faults, names),
        wrong=table([entry for entry in rows if entry[0] in WRONG], names),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", default="", help="a word of the faults that are played")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        tools: list[Tool] = [Ours(Path(made)), *(tool for tool in (Skopeo(), Crane()) if tool.version())]
        bench = Bench(Path(made))
        try:
            rows = []
            for row in [*ROWS, *WRONG]:
                if arguments.only in row.faults:
                    rows.append((row, [bench.outcome(row, tool) for tool in tools]))
                    print(f"{row.faults or 'nothing'} ({row.end}): {rows[-1][1]}", file=sys.stderr, flush=True)
        finally:
            fleet.stop(bench.state, delete=True)
    if arguments.write:
        PAGE.write_text(page(rows, tools), encoding="utf-8")
    else:
        print(table(rows, [tool.name for tool in tools]))


if __name__ == "__main__":
    os.umask(0o077)
    main()
