# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tools that are compared, each with its command for some work."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import limits
from copies import Image
from images import Blob
from measuring import Measurement, interpreter, modules, watched
from sites import Site
from workloads import BASELINES, PAYLOADS, PLAYS

HERE = Path(__file__).resolve().parent
JOBS = 4  # the default of the collection


@dataclass(frozen=True)
class Job:
    """One run: what is copied, and between which registries."""

    site: Site
    destination: str
    images: Sequence[Image]
    layers: Sequence[Blob]
    directory: Path
    """For files that a tool needs."""
    log: Path
    watch_modules: bool

    def source_reference(self, image: Image) -> str:
        return f"{self.site.address('source')}/{image.repository}:{image.tag}"

    def destination_reference(self, image: Image) -> str:
        return f"{self.site.address(self.destination)}/{image.destination_repository}:{image.destination_tag}"


class Contender(Protocol):
    name: str

    def version(self) -> str | None:
        """None where the tool isn't there."""

    def run(self, job: Job) -> Measurement:
        """Do the work. Raises :class:`measuring.RunError`."""


class Program:
    """A program that is on the PATH, started once or once per image."""

    name: str
    program: str
    version_arguments: tuple[str, ...] = ("version",)

    def version(self) -> str | None:
        if not shutil.which(self.program):
            return None
        done = subprocess.run(
            [self.program, *self.version_arguments],
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        lines = [line for line in done.stdout.splitlines() if line.strip()]
        words = next(
            (line for line in lines if "ersion" in line or line.startswith("VCSTag")), lines[0] if lines else "?"
        )
        return words.split()[-1]

    def run(self, job: Job) -> Measurement:
        environment = dict(os.environ, DOCKER_CONFIG=str(job.site.docker_config), SSL_CERT_FILE=str(job.site.ca_path))
        environment.update(self.environment(job))
        taken = watched(self.command(job), environment, job.directory, job.log)
        return Measurement(taken["seconds"], taken["processor_seconds"], peak_kib=taken["peak_kib"])

    def environment(self, job: Job) -> dict[str, str]:
        return {}

    def command(self, job: Job) -> list[str]:
        if len(job.images) == 1:
            return self.copy(job, job.images[0])
        script = job.directory / "loop.sh"
        lines = [shlex.join(self.copy(job, image)) for image in job.images]
        script.write_text("\n".join(["set -e", *lines, ""]))
        return ["sh", str(script)]

    def copy(self, job: Job, image: Image) -> list[str]:
        """The command for one image."""
        raise NotImplementedError


# Whole images, and without compressing layers that aren't compressed.
_SKOPEO = ("--all", "--preserve-digests")


class SkopeoCopy(Program):
    name = "skopeo copy"
    program = "skopeo"
    version_arguments = ("--version",)

    def copy(self, job: Job, image: Image) -> list[str]:
        return [
            *[self.program, "--insecure-policy", "copy", *_SKOPEO, "--authfile", str(job.site.auth_file)],
            *_tls(job, "src"),
            *_tls(job, "dest"),
            f"docker://{job.source_reference(image)}",
            f"docker://{job.destination_reference(image)}",
        ]


class SkopeoSync(Program):
    name = "skopeo sync"
    program = "skopeo"
    version_arguments = ("--version",)

    def command(self, job: Job) -> list[str]:
        tags: dict[str, list[str]] = {}
        for image in job.images:
            tags.setdefault(image.repository, []).append(image.tag)
        source: dict[str, Any] = {"images": tags, "tls-verify": not job.site.plain}
        if not job.site.plain:
            source["cert-dir"] = str(job.site.ca_path.parent)
        file = job.directory / "sync.yml"
        file.write_text(json.dumps({job.site.address("source"): source}))  # JSON is YAML
        (namespace,) = {image.destination_repository.rpartition("/")[0] for image in job.images}
        return [
            *[self.program, "--insecure-policy", "sync", *_SKOPEO, "--authfile", str(job.site.auth_file)],
            *[*_tls(job, "dest"), "--src", "yaml", "--dest", "docker"],
            *[str(file), f"{job.site.address(job.destination)}/{namespace}"],
        ]


def _tls(job: Job, side: str) -> list[str]:
    if job.site.plain:
        return [f"--{side}-tls-verify=false"]
    return [f"--{side}-cert-dir", str(job.site.ca_path.parent)]


class Crane(Program):
    name = program = "crane"

    def copy(self, job: Job, image: Image) -> list[str]:
        insecure = ["--insecure"] if job.site.plain else []
        return [self.program, "copy", *insecure, job.source_reference(image), job.destination_reference(image)]


class Regctl(Program):
    name = program = "regctl"

    def environment(self, job: Job) -> dict[str, str]:
        return {"REGCTL_CONFIG": str(job.directory / "regctl.json")}

    def copy(self, job: Job, image: Image) -> list[str]:
        hosts = []
        if job.site.plain:
            for role in ("source", job.destination):
                hosts += ["--host", f"reg={job.site.address(role)},tls=disabled"]
        references = [job.source_reference(image), job.destination_reference(image)]
        return [self.program, "image", "copy", *hosts, *references]


class Oras(Program):
    name = program = "oras"

    def copy(self, job: Job, image: Image) -> list[str]:
        sides = []
        for side in ("from", "to"):
            sides += [f"--{side}-registry-config", str(job.site.auth_file)]
            # On localhost, its default is no TLS.
            sides += [f"--{side}-plain-http={'true' if job.site.plain else 'false'}"]
            sides += [] if job.site.plain else [f"--{side}-ca-file", str(job.site.ca_path)]
        references = [job.source_reference(image), job.destination_reference(image)]
        return [self.program, "cp", "--recursive", "--no-tty", *sides, *references]


class Play:
    """A playbook of this directory, on the implicit localhost; modules run in place, or all as payloads."""

    def __init__(self, name: str, core: Path) -> None:
        self.name = name
        self._core = core
        self._as_payload = name in PAYLOADS
        playbook = name.removesuffix(" as a payload").replace(" ", "_")
        self._playbook = HERE / "plays" / f"{playbook}.yml"

    def version(self) -> str | None:
        return "this collection"

    def run(self, job: Job) -> Measurement:
        variables = job.directory / "variables.json"
        variables.write_text(json.dumps(self._variables(job)))
        command: list[object] = [self._core / "bin" / "ansible-playbook", self._playbook, "-e", f"@{variables}"]
        program, file = interpreter(job.directory, self._core / "bin" / "python")
        if self._as_payload:
            command += ["-e", "{imageops_registry_in_place: false}"]
            if job.watch_modules:
                command += ["-e", f"ansible_python_interpreter={program}"]
        environment = dict(os.environ, ANSIBLE_LOCALHOST_WARNING="0", ANSIBLE_INVENTORY_UNPARSED_WARNING="0")
        taken = watched(command, environment, job.directory, job.log)
        seconds, peak = modules(file)
        return Measurement(
            taken["seconds"],
            taken["processor_seconds"],
            peak_kib=taken["peak_kib"],
            module_seconds=seconds,
            module_peak_kib=peak,
        )

    @staticmethod
    def _variables(job: Job) -> dict[str, Any]:
        def registry(role: str) -> dict[str, Any]:
            found: dict[str, Any] = {"registry": job.site.address(role), "auth_file": str(job.site.auth_file)}
            return {**found, **({"plain_http": True} if job.site.plain else {"ca_path": str(job.site.ca_path)})}

        return {
            "benchmark_source": registry("source"),
            "benchmark_destination": registry(job.destination),
            "benchmark_images": [
                {
                    "repository": image.repository,
                    "tag": image.tag,
                    "destination_repository": image.destination_repository,
                    "tags": [image.destination_tag],
                }
                for image in job.images
            ],
        }


class DestinationLimit:
    name = "destination from memory"

    def version(self) -> str | None:
        return "the benchmark's own client"

    def run(self, job: Job) -> Measurement:
        entry, (image,) = job.site.entry(job.destination), job.images
        repository = image.destination_repository
        return Measurement(limits.destination_takes(entry, str(job.site.ca_path), repository, job.layers, JOBS))


class SourceLimit:
    name = "source to nobody"

    def version(self) -> str | None:
        return "the benchmark's own client"

    def run(self, job: Job) -> Measurement:
        entry, (image,) = job.site.entry("source"), job.images
        return Measurement(limits.source_gives(entry, str(job.site.ca_path), image.repository, job.layers, JOBS))


def contenders(core: Path) -> dict[str, Contender]:
    """All that this machine has, by name."""
    every: list[Contender] = [Play(name, core) for name in (*PLAYS, *PAYLOADS, *BASELINES)]
    every += [SkopeoCopy(), SkopeoSync(), Crane(), Regctl(), Oras(), DestinationLimit(), SourceLimit()]
    return {one.name: one for one in every if one.version() is not None}
