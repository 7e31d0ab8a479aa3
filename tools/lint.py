# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""make lint, make format.

Usage: lint.py [format | [CHECK...] [FILE...]]

With files, those checks that take files look at these only.
"""

from __future__ import annotations

import concurrent.futures
import re
import sys
import time
from collections.abc import Collection, Iterable
from pathlib import Path

import common
import go_programs
import making
import pythons
import running
from common import COPY, Count, Failed, say

# The sanity tests in two halves that take equally long. These must have run, whatever ansible-test finds to skip.
SANITY = {
    "ansible-test sanity, pylint": ("pylint",),
    "ansible-test sanity, all others": ("compile", "import", "pep8", "validate-modules", "yamllint"),
}
# antsibull-docs writes the random name of a directory into what it checks, and where that ends in "_", it is a link.
TEMPORARY_NAME = re.compile(r'Unknown target name: "antsibull-docs-')
PYTHON_ONLY = ("ruff check", "ruff format")
TAKING_FILES = (*SANITY, "ansible-lint", *PYTHON_ONLY)
PACKAGE = "ansible_collections.imageops.registry"
# Whose types are checked.
TYPED = ("plugins", "tests.unit.support")


def checks(sanity: Path, lint: Path, actionlint: Path | None) -> dict[str, tuple[list[object], Path, dict[str, str]]]:
    """Every check: its command, the directory that it runs in, and its environment variables."""
    env = running.environment_for(lint)
    programs, python = lint / "bin", lint / "bin" / "python"
    ansible_test = [sanity / "bin" / "python", sanity / "bin" / "ansible-test", "sanity", "--color", "no"]
    pylint, others = SANITY
    every: dict[str, tuple[list[object], Path, dict[str, str]]] = {
        pylint: ([*ansible_test, "--test", "pylint"], COPY, dict(env, PATH=pythons.bin_path())),
        others: ([*ansible_test, "--skip-test", "pylint"], COPY, dict(env, PATH=pythons.bin_path())),
        "ansible-lint": ([python, programs / "ansible-lint", "--offline", "--profile", "production"], COPY, env),
        "antsibull-docs": (
            [python, programs / "antsibull-docs", "lint-collection-docs", "--plugin-docs", "--check-extra-docs-refs"]
            + ["--validate-collection-refs", "all", "--disallow-unknown-collection-refs", "."],
            COPY,
            env,
        ),
        "antsibull-changelog": ([python, COPY / "tools" / "changelogs.py"], COPY, env),
        "ruff check": ([programs / "ruff", "check", "--no-cache"], COPY, env),
        "ruff format": ([programs / "ruff", "format", "--check", "--diff", "--no-cache"], COPY, env),
        "mypy": (
            [python, "-m", "mypy", "--config-file", COPY / "pyproject.toml"]
            + ["--cache-dir", common.BUILD / "mypy", *(word for name in TYPED for word in ("-p", f"{PACKAGE}.{name}"))],
            common.COLLECTIONS,
            env,
        ),
        # Without this, it would use a library of C where there is one, and guess otherwise than elsewhere.
        "reuse": (
            [python, programs / "reuse", "lint", "--lines"],
            COPY,
            dict(env, REUSE_ENCODING_MODULE="charset_normalizer"),
        ),
        "repository rules": ([python, COPY / "tools" / "rules.py"], COPY, env),
        "module rules": ([python, COPY / "tools" / "module_rules.py"], COPY, env),
        "linted tasks": ([python, COPY / "tools" / "linted_tasks.py"], COPY, env),
        "promotion records": ([python, COPY / "tools" / "record_schema.py"], COPY, env),
    }
    if actionlint:
        # It would run these two programs where they are installed, and find other things there than elsewhere.
        every["actionlint"] = ([actionlint, "-no-color", "-shellcheck=", "-pyflakes="], COPY, env)
    return every


def divided(arguments: Iterable[str], known: Collection[str]) -> tuple[list[str], list[str]]:
    """Which checks are asked for, all without a name, and for which files, the whole repository without one."""
    names, files = [], []
    for one in arguments:
        path = common.ROOT / one
        if one in known:
            names.append(one)
        elif path.exists():
            # ansible-test knows a directory by the slash at its end.
            files.append(f"{one.rstrip('/')}/" if path.is_dir() else one)
        else:
            names_of_all = dict.fromkeys((*known, "actionlint"))
            raise Failed(f"There is no check and no file {one}. The checks are: {'; '.join(names_of_all)}")
    whole = [name for name in names if name not in TAKING_FILES]
    if files and whole:
        raise Failed(f"{whole[0]} looks at the whole repository. These take files: {'; '.join(TAKING_FILES)}")
    if not files:
        return names or list(known), files
    possible = TAKING_FILES if any(map(is_python, files)) else [one for one in TAKING_FILES if one not in PYTHON_ONLY]
    impossible = [name for name in names if name not in possible]
    if impossible:
        raise Failed(f"{impossible[0]} looks at Python only, and no file with it is named")
    return names or list(possible), files


def is_python(file: str) -> bool:
    """Whether a file has Python in it, or a directory may."""
    return file.endswith(".py") or (common.ROOT / file).is_dir()


def sanity_verdict(status: int, output: str, required: tuple[str, ...]) -> tuple[int, str]:
    """Between the installing of a dozen environments, what ansible-test found; and whether it has looked."""
    ran = set(re.findall(r'^Running sanity test "([^"]+)"', output, re.MULTILINE))
    skipped = [name for name in required if name not in ran]
    if status == 0 and skipped:
        return 1, "These sanity tests did not run: " + " ".join(skipped)
    found = [line for line in output.splitlines() if line.startswith("ERROR: ")]
    return status, "\n".join(found) if found else output


def lint(arguments: list[str]) -> int:
    count = Count("lint")
    making.sync()
    making.prepare_home()
    core = pythons.cores()[-1]
    making.venvs(core, pythons.LINT)
    core_venv, lint_venv = making.venv(core), making.venv(pythons.LINT)
    is_wanted = "actionlint" in arguments or not arguments
    every = checks(core_venv, lint_venv, go_programs.actionlint() if is_wanted else None)
    chosen, files = divided(arguments, every)

    def check(name: str) -> tuple[str, int, str, float]:
        command, directory, env = every[name]
        started = time.monotonic()
        log = "lint-" + re.sub(r"\W+", "-", name)
        command = [*command, *(file for file in files if name not in PYTHON_ONLY or is_python(file))]
        status, output = running.run(command, log, cwd=directory, env=env)
        if status and TEMPORARY_NAME.search(output):
            status, output = running.run(command, log, cwd=directory, env=env)
        if name in SANITY:
            # What has to run depends on the files, if some were named.
            status, output = sanity_verdict(status, output, () if files else SANITY[name])
        return name, status, output, time.monotonic() - started

    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        for done in concurrent.futures.as_completed([pool.submit(check, name) for name in chosen]):
            name, status, output, took = done.result()
            count.add(status == 0, status != 0)
            if status:
                say(running.shorten(output))
            say(f"{name}: {'failed' if status else 'passed'} ({took:.0f} s)")
    status = count.close()
    durations = running.write_durations("lint")
    say(
        f"lint: {count.passed} passed, {count.failed} failed (sanity tests of ansible-core {core.name}); "
        f"how long each part took: {common.shown(durations)}"
    )
    return status


def format_code() -> int:
    """Works on the repository itself, not on the copy."""
    ruff = making.venv(pythons.LINT) / "bin" / "ruff"
    for command in ([ruff, "check", "--no-cache", "--fix", "--exit-zero", "-q"], [ruff, "format", "--no-cache"]):
        status, output = running.run(command, "format", cwd=common.ROOT)
        if status:
            raise Failed(running.shorten(output))
    say(f"format: {output.strip()}")
    return 0


def main() -> int:
    arguments = sys.argv[1:]
    with common.lock():
        if arguments == ["format"]:
            return format_code()
        return lint(arguments)


if __name__ == "__main__":
    running.command(main)
