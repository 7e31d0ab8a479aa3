# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the payload of a module has: with every task, it is built, sent and imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from ansible_collections.imageops.registry.tests.unit.support.import_closure import ROOT, shipped

COLLECTION = "imageops.registry"
MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))
UTILS = ROOT / "plugins" / "module_utils"
SMALL = ("registry_info", "repository_info", "tag_info")
"""They read what isn't content: names, and answers of the registry."""
JUDGING = ("image_archive", "image_copy", "image_diff_info", "image_info", "promotion_info", "signature_info")
WRITING = ("blob", "image_archive", "image_copy", "manifest", "tag")
NOT_JUDGING = tuple(name for name in MODULES if name not in JUDGING)


def names(module: str) -> set[str]:
    """The files of the payload, as ``_package/_file``."""
    files = shipped(ROOT / "plugins" / "modules" / f"{module}.py")
    return {path.relative_to(UTILS).with_suffix("").as_posix() for path in files if UTILS in path.parents}


def packages(module: str) -> set[str]:
    """Their packages."""
    return {name.partition("/")[0] for name in names(module)}


@pytest.mark.parametrize("module", SMALL)
def test_a_small_module_ships_of_the_border_only_what_runs_every_module(module: str) -> None:
    border = {name for name in names(module) if name.startswith("_module/")}
    every = {"__init__", "_connection", "_masking", "_results", "_shapes", "_task"}
    assert border - {"_module/_places"} == {f"_module/{name}" for name in every}


@pytest.mark.parametrize("module", SMALL)
def test_a_small_module_ships_nothing_that_handles_content(module: str) -> None:
    assert packages(module).isdisjoint({"_blobs", "_layout", "_promotion"})
    assert {name for name in names(module) if name.startswith("_images/")} <= {"_images/__init__", "_images/_listing"}


@pytest.mark.parametrize("module", NOT_JUDGING)
def test_a_module_that_compares_and_judges_no_images_ships_no_promotion(module: str) -> None:
    assert "_promotion" not in packages(module)


@pytest.mark.parametrize("module", [name for name in MODULES if name not in WRITING])
def test_a_module_that_only_reads_ships_nothing_that_writes(module: str) -> None:
    writing = {"_blobs/_placement", "_blobs/_blob_deletion", "_images/_manifest_push", "_images/_manifest_deletion"}
    assert names(module).isdisjoint({*writing, "_promotion/_copy", "_promotion/_recording"})


@pytest.mark.parametrize("module", [name for name in MODULES if name != "image_archive"])
def test_only_one_module_ships_layouts(module: str) -> None:
    assert "_layout" not in packages(module)


BY_CORE = """
import datetime, io, json, pathlib, sys, zipfile
from ansible.plugins.loader import init_plugin_loader
init_plugin_loader([])
from ansible.executor import module_common
path, name = pathlib.Path(sys.argv[1]), sys.argv[2]
archive = zipfile.ZipFile(io.BytesIO(), "w")
extensions = module_common._builder.ExtensionManager.create(task_vars={})
module_common.recursive_finder(path.stem, name, path.read_bytes(), archive, datetime.datetime(2026, 1, 1), extensions)
print(json.dumps(archive.namelist()))
"""
"""Prints the files of the payload that ansible-core makes. Its loader of collections changes the process it is in."""


def test_ansible_core_ships_the_same_files() -> None:
    path = ROOT / "plugins" / "modules" / "image_archive.py"
    name = f"ansible_collections.{COLLECTION}.plugins.modules.{path.stem}"
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT.parents[2])}
    command = [sys.executable, "-c", BY_CORE, str(path), name]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    prefix = f"ansible_collections/{COLLECTION.replace('.', '/')}/plugins/module_utils/"
    files = [file for file in json.loads(done.stdout) if file.startswith(prefix)]
    # Where a package has no file of its own, ansible-core makes an empty one.
    assert {file[len(prefix) : -len(".py")] for file in files} - {"__init__"} == names(path.stem)
