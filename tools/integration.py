# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The integration targets, in streams side by side, each with registries and a copy of the collection of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import common
import go_programs
import making
import pythons
import running
from common import COPY, Count, Failed, say
from pythons import Environment

# What the harness and the targets run. Debian package by program.
PROGRAMS = {"docker-registry": "docker-registry", "skopeo": "skopeo"}
OPTIONAL = ("distribution3", "olareg", "oras")
"""Two registries and a client, which are built with Go."""
HARNESS = "tests/registries/registries.py"
REFERRER_COPIES = 8
"""How many copies the target whole_images looks at for lost referrers, unless REFERRER_COPIES is set."""
LAYER_MIB = 512
"""How large the layer is that the target memory copies, unless LAYER_MIB is set."""
REGISTRIES = "tests/integration/registries.txt"
ONE_RELEASE = "tests/integration/one-release.txt"
RELEASES = ("oldest", "oldest, second stream", "newest", "newest, second stream")
ALLOWED_WARNINGS = "tests/integration/allowed-warnings.txt"
WARNING = re.compile(r"^\s*\[(?:WARNING|DEPRECATION WARNING)\]|^Traceback \(most recent call last\)")


def table(path: str) -> list[str]:
    """The lines of a file without comments."""
    lines = (COPY / path).read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


class Stream(NamedTuple):
    """Targets that run one after the other on one ansible-core, beside those of other streams."""

    name: str
    core: Environment
    targets: list[str]


def streams(cores: Sequence[Environment], named: Sequence[str]) -> list[Stream]:
    """The targets, all or those named, that run on each ansible-core, which has two streams."""
    directory = COPY / "tests/integration/targets"
    every = sorted(
        path.parent.name for path in directory.glob("*/aliases") if "hidden" not in path.read_text().splitlines()
    )
    only = dict(line.split(maxsplit=1) for line in table(ONE_RELEASE))
    unknown = [name for name in (*named, *only) if name not in every]
    if unknown:
        raise Failed(f"There is no target {unknown[0]}. There are: {' '.join(every)}")
    if set(only.values()) - set(RELEASES):
        raise Failed(f"In {ONE_RELEASE}, a release is one of: {', '.join(RELEASES)}.")
    first = [Stream(core.name, core, []) for core in cores]
    second = [Stream(f"{core.name}-second", core, []) for core in cores]
    places = dict(zip(RELEASES, (first[:1], second[:1], first[-1:], second[-1:])))
    for name in named or every:
        for stream in places.get(only.get(name, ""), first):
            stream.targets.append(name)
    return [stream for stream in (*first, *second) if stream.targets]


def build_optional() -> None:
    """Build the optional programs that aren't there, if Go is: a minute or two, once.

    With ``REQUIRE_OPTIONAL`` in the environment, one that isn't there then is a failure.
    """
    directory = optional_directory()
    path = go_programs.path()
    if missing_optional(directory) and shutil.which("go", path=path):
        say("Building the optional registries, and oras, with Go ...")
        script = COPY / "tests" / "registries" / "install-optional.sh"
        # Twice, since it loads much from elsewhere.
        for _attempt in range(2):
            status, output = running.run(
                [script, directory], "install-optional", timeout=900, env={**os.environ, "PATH": path}
            )
            if not status:
                break
        else:
            say(f"{running.shorten(output)}\nThe optional registries, or oras, were not built.")
    missing = missing_optional(directory)
    if missing and os.environ.get("REQUIRE_OPTIONAL"):
        raise Failed(
            f"REQUIRE_OPTIONAL is set, and {' and '.join(missing)} cannot be used: install Go, with which "
            f"tests/registries/install-optional.sh builds them, or put them into {directory}."
        )


def missing_optional(directory: Path) -> list[str]:
    """The optional programs that aren't in their directory."""
    return [name for name in OPTIONAL if not os.access(directory / name, os.X_OK)]


def registries_arguments(optional: Path) -> list[str]:
    """Which registries the harness starts, with their options.

    Those whose program is optional, and isn't in its directory, are left out.
    """
    chosen = []
    for line in table(REGISTRIES):
        program = re.search(rf"binary=({'|'.join(OPTIONAL)})\b", line)
        if program is None or os.access(optional / program.group(1), os.X_OK):
            chosen.append(line)
        else:
            say(f"Without {program.group(1)}, and what needs it; tests/registries/install-optional.sh builds it.")
    return chosen


def optional_directory() -> Path:
    """Where the harness has its optional programs; it can't tell where HOME is another one."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(os.environ.get("REGISTRIES_OPTIONAL") or Path(cache, "imageops-registries"))


def sections(output: str) -> dict[str, str]:
    """The output of ansible-test, by target."""
    parts = re.split(r"^Running (\S+) integration test (?:role|script)$", output, flags=re.MULTILINE)
    found: dict[str, str] = {}
    for name, text in zip(parts[1::2], parts[2::2]):
        found[name] = found.get(name, "") + text
    return found


def run_targets(label: str, stream: Stream, venv: Path, count: Count) -> None:
    """The targets of one stream."""
    name, targets = f"integration-{stream.name}", stream.targets
    # Of its own, too: ansible-test makes a key in its home, which two of them can't do at once.
    home, collections = (common.BUILD / "integration" / stream.name / part for part in ("home", "collections"))
    copy = collections / common.INSIDE
    making.prepare_home(home)
    making.sync(copy)
    state = common.BUILD / "registries" / stream.name
    harness_python = making.venv(pythons.REGISTRIES) / "bin" / "python"
    harness = [harness_python, copy / HARNESS]
    optional = optional_directory()
    env = running.environment_for(venv, home, collections, REGISTRIES_OPTIONAL=str(optional))
    started = time.monotonic()
    end = [*harness, "stop", "--state", state]
    running.run(end, f"{name}-stop", timeout=60, env=env)  # of a run that was killed
    shutil.rmtree(state, ignore_errors=True)
    state.mkdir(parents=True)
    results = copy / "tests" / "output" / "data"
    shutil.rmtree(results, ignore_errors=True)
    variables: dict[str, object] = {
        "registries_state": str(state),
        "registries_python": str(harness_python),
        "registries_script": str(copy / HARNESS),
        "registries_optional": str(optional),
        # The programs of the target runner.
        "runner_programs": str(making.venv(pythons.LINT) / "bin"),
        "referrer_copies": int(os.environ.get("REFERRER_COPIES") or REFERRER_COPIES),
        "layer_mib": int(os.environ.get("LAYER_MIB") or LAYER_MIB),
        # ansible-test limits files for modules, which users rarely do: modules would all run as payloads.
        "ansible_python_module_rlimit_nofile": 0,
    }
    try:
        status, output = running.run(
            [*harness, "start", "--state", state, *registries_arguments(optional)],
            f"{name}-start",
            timeout=120,
            env=env,
        )
        if status:
            raise Failed(f"{running.shorten(output)}\nThe registries for the integration targets did not start.")
        started_registries = json.loads((state / "registries.json").read_text(encoding="utf-8"))
        variables.update(
            {"registries": started_registries["registries"], "registries_ca": started_registries["ca_path"]}
        )
        config = copy / "tests" / "integration" / "integration_config.yml"
        config.touch(mode=0o600)
        config.write_text(json.dumps(variables, indent=2) + "\n", encoding="utf-8")
        status, output = running.run(
            [venv / "bin" / "python", venv / "bin" / "ansible-test", "integration", "--color", "no"]
            + ["--continue-on-error", *targets],
            name,
            timeout=2400,
            cwd=copy,
            env=env,
        )
    finally:
        running.run(end, f"{name}-stop", timeout=60, cleanup=True, env=env)
    passed = set()
    for path in results.glob("integration-*.json"):
        for target, facts in json.loads(path.read_text(encoding="utf-8"))["targets"].items():
            passed.add(target)
            running.took(f"  {stream.name}: {target}", facts["run_time_seconds"])
    bad = failed_targets(output)
    bad |= noisy_targets(output, bad)
    unknown = set(targets) - passed - bad
    if unknown or (status and not bad):
        bad |= unknown or {"ansible-test"}
        say(running.shorten(output))
        say(f"ansible-test ended with status {status}, and does not say that all targets passed.")
    count.add(len(passed - bad), len(bad))
    say(f"integration targets, {label}: {len(passed - bad)} passed, {len(bad)} failed ({running.since(started)})")
    if bad:
        say(f"failed: {' '.join(sorted(bad))}; the whole output: {common.shown(common.LOGS / name)}.log")


def failed_targets(output: str) -> set[str]:
    """The targets that ansible-test lists as failed."""
    listed = re.search(r"\d+ integration test\(s\) listed below .*?:\n((?:\S+\n?)+)", output)
    return set(listed.group(1).split()) if listed else set()


def noisy_targets(output: str, bad: set[str]) -> set[str]:
    """The targets that printed warnings. Shows these, and what the bad ones printed."""
    allowed = [re.compile(line) for line in table(ALLOWED_WARNINGS)]
    noisy = set()
    for target, text in sections(output).items():
        noise = [
            line for line in text.splitlines() if WARNING.search(line) and not any(a.search(line) for a in allowed)
        ]
        if target in bad:
            say(running.shorten(text))
        elif noise:
            noisy.add(target)
            say("\n".join(noise) + f"\nThe target {target} printed this, and a run must not print warnings.")
    return noisy
