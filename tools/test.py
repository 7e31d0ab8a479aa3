# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""make test: unit tests and integration targets.

Usage: test.py [unit [PYTEST-ARGUMENT...] | integration [TARGET...]]
"""

from __future__ import annotations

import concurrent.futures
import json
import os
import re
import shutil
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import common
from common import COPY, Count, Environment, Failed, say

# What the harness and the targets run. Debian package by program.
PROGRAMS = {"docker-registry": "docker-registry", "skopeo": "skopeo"}
HARNESS = "tests/registries/registries.py"
ALLOWED_WARNINGS = "tests/integration/allowed-warnings.txt"
WARNING = re.compile(r"^\s*\[(?:WARNING|DEPRECATION WARNING)\]|^Traceback \(most recent call last\)")


def unit(label: str, environment: Environment, venv: Path, arguments: list[str], count: Count) -> None:
    """The unit tests in one environment; in the one without ansible-core, those of module_utils."""
    # The border to Ansible is the only file there that needs it.
    left_out = [f"--ignore={COPY}/tests/unit/plugins/module_utils/test__arguments.py"]
    tests = "tests/unit/plugins/module_utils" if environment is common.TARGET else "tests/unit"
    if not any((COPY / tests).rglob("test_*.py")):
        say(f"unit tests, {label}: there are none in {tests}")
        return
    name = f"unit-{environment.name}"
    report = common.LOGS / f"{name}.xml"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.unlink(missing_ok=True)
    started = time.monotonic()
    status, output = common.run(
        [venv / "bin" / "python", "-m", "pytest", "-q", "--color=no", "-p", "no:cacheprovider"]
        + [f"--junit-xml={report}", *(arguments or [tests]), *(left_out if environment is common.TARGET else ())],
        name,
        cwd=COPY,
        env=common.environment_for(venv, PYTHONPATH=str(common.COLLECTIONS)),
    )
    passed = failed = skipped = 0
    if report.is_file():
        suite = ElementTree.parse(report).getroot().find("testsuite")
        total, errors, failures, skipped = (
            int(suite.get(key, "0")) if suite is not None else 0 for key in ("tests", "errors", "failures", "skipped")
        )
        failed = errors + failures
        passed = max(total - failed - skipped, 0)
    if status and not failed:
        failed = 1
    count.add(passed, failed)
    if failed:
        say(common.shorten(output))
    say(f"unit tests, {label}: {passed} passed, {failed} failed, {skipped} skipped ({seconds(started)})")


def registries_arguments(optional: Path) -> list[str]:
    """Which registries the harness starts: one a line in a file, with the options of that registry.

    Those whose program is optional, and isn't in its directory, are left out.
    """
    lines = (COPY / "tests/integration/registries.txt").read_text(encoding="utf-8").splitlines()
    chosen = []
    for line in lines:
        if line.strip() and not line.startswith("#"):
            program = re.search(r"binary=(distribution3|olareg)\b", line)
            if program is None or os.access(optional / program.group(1), os.X_OK):
                chosen.append(line.strip())
            else:
                say(f"Without {program.group(1)}; tests/registries/install-optional.sh makes it available.")
    return chosen


def optional_directory() -> Path:
    """Where the harness has its optional programs; it can't tell where HOME is another one."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("REGISTRIES_OPTIONAL") or Path(cache) / "imageops-registries")


def allowed_warnings() -> list[re.Pattern[str]]:
    lines = (COPY / ALLOWED_WARNINGS).read_text(encoding="utf-8").splitlines()
    return [re.compile(line) for line in lines if line.strip() and not line.startswith("#")]


def sections(output: str) -> dict[str, str]:
    """The output of ansible-test, by target."""
    parts = re.split(r"^Running (\S+) integration test (?:role|script)$", output, flags=re.MULTILINE)
    found: dict[str, str] = {}
    for name, text in zip(parts[1::2], parts[2::2]):
        found[name] = found.get(name, "") + text
    return found


def integration(label: str, core: Environment, venv: Path, targets: list[str], count: Count) -> None:
    """The integration targets on one ansible-core, with registries of their own."""
    name = f"integration-{core.name}"
    state = common.BUILD / "registries" / core.name
    harness_python = common.venv(common.REGISTRIES) / "bin" / "python"
    harness = [harness_python, COPY / HARNESS]
    optional = optional_directory()
    env = common.environment_for(venv, REGISTRIES_OPTIONAL=str(optional))
    started = time.monotonic()
    common.run([*harness, "stop", "--state", state], f"{name}-stop", timeout=60, env=env)  # of a run that was killed
    shutil.rmtree(state, ignore_errors=True)
    state.mkdir(parents=True)
    results = COPY / "tests" / "output" / "data"
    shutil.rmtree(results, ignore_errors=True)
    variables: dict[str, object] = {
        "registries_state": str(state),
        "registries_python": str(harness_python),
        "registries_script": str(COPY / HARNESS),
    }
    try:
        status, output = common.run(
            [*harness, "start", "--state", state, *registries_arguments(optional)],
            f"{name}-start",
            timeout=120,
            env=env,
        )
        if status:
            raise Failed(f"{common.shorten(output)}\nThe registries for the integration targets did not start.")
        started_registries = json.loads((state / "registries.json").read_text(encoding="utf-8"))
        variables.update(
            {"registries": started_registries["registries"], "registries_ca": started_registries["ca_path"]}
        )
        config = COPY / "tests" / "integration" / "integration_config.yml"
        config.touch(mode=0o600)
        config.write_text(json.dumps(variables, indent=2) + "\n", encoding="utf-8")
        status, output = common.run(
            [venv / "bin" / "python", venv / "bin" / "ansible-test", "integration", "--color", "no"]
            + ["--continue-on-error", *targets],
            name,
            timeout=2400,
            cwd=COPY,
            env=env,
        )
    finally:
        common.run([*harness, "stop", "--state", state], f"{name}-stop", timeout=60, env=env)
    passed = sum(len(json.loads(path.read_text())["targets"]) for path in results.glob("integration-*.json"))
    listed = re.search(r"\d+ integration test\(s\) listed below .*?:\n((?:\S+\n?)+)", output)
    bad = set(listed.group(1).split()) if listed else set()
    texts = sections(output)
    allowed = allowed_warnings()
    for target, text in texts.items():
        noise = [
            line for line in text.splitlines() if WARNING.search(line) and not any(a.search(line) for a in allowed)
        ]
        if noise and target not in bad:
            bad.add(target)
            passed -= 1
            say("\n".join(noise) + f"\nThe target {target} printed this, and a run must not print warnings.")
        elif target in bad:
            say(common.shorten(text))
    if status and not bad:
        bad.add("?")
        say(common.shorten(output))
    count.add(passed, len(bad))
    say(f"integration targets, {label}: {passed} passed, {len(bad)} failed ({seconds(started)})")
    if bad:
        say(f"failed: {' '.join(sorted(bad))}; the whole output: {common.shown(common.LOGS / name)}.log")


def seconds(started: float) -> str:
    return f"{time.monotonic() - started:.0f} s"


def main() -> int:
    what, arguments = (sys.argv[1], sys.argv[2:]) if len(sys.argv) > 1 else ("all", [])
    if what not in {"all", "unit", "integration"}:
        raise Failed(str(__doc__).strip())
    with common.lock():
        count = Count("test")
        common.sync()
        common.prepare_home()
        cores = common.cores()
        if what in {"all", "unit"}:
            environments = [common.TARGET, *cores]
            runs = [(label(one), one, common.venv(one), arguments, count) for one in environments]
            with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
                for outcome in [pool.submit(unit, *one) for one in runs]:
                    outcome.result()
        if what in {"all", "integration"}:
            if any((COPY / "tests/integration/targets").glob("*/aliases")):
                if not os.environ.get("REGISTRY_BINARY"):
                    common.system_packages(PROGRAMS)
                for core in cores:
                    integration(label(core), core, common.venv(core), arguments, count)
            else:
                say("integration targets: there are none")
        status = count.close()
        say("Tested with " + "; ".join(label(one) for one in (common.TARGET, *cores)) + ".")
        say(f"{count.passed} passed, {count.failed} failed")
    return status


def label(environment: Environment) -> str:
    python = common.python_for(environment)
    version = common.version_of(python) if python else "?"
    if environment is common.TARGET:
        return f"Python {version} without ansible-core"
    return f"ansible-core {environment.name} on Python {version}"


if __name__ == "__main__":
    common.stop_on_signal()
    try:
        sys.exit(main())
    except Failed as failure:
        sys.exit(str(failure))
