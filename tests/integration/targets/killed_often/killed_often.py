# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A promotion by the role that is killed every 200 ms. ``make soak`` does the same with the module and more images."""

from __future__ import annotations

import contextlib
import shutil
import sys
from pathlib import Path
from typing import Any

from killable import Playbook
from runs import (
    COLLECTION,
    CONFIG,
    OUTPUT,
    REGISTRIES,
    check,
    main,
    say,
    state_at,
)

sys.path.insert(0, str(Path(CONFIG["registries_script"]).parents[1] / "soak"))

from crowd import as_options, check_all, crowd, old_or_new, seed
from engine import Engine
from often import kill_until_done
from play import Rig
from reader import Reader

IMAGES = 6
LAYER = 20_000
"""Bytes."""
RUNS = 60


@contextlib.contextmanager
def rig(name: str) -> Any:
    """The registries behind proxies of this process."""
    with contextlib.ExitStack() as stack:
        engine = stack.enter_context(Engine(str(shutil.which("python")), COLLECTION.parents[2], OUTPUT))
        ends = (REGISTRIES["dev"], REGISTRIES["prod"], str(state_at().ca_path))
        yield stack.enter_context(Rig(*ends, engine, name))


def a_playbook_that_is_killed_every_200_ms() -> None:
    with rig("often-playbook") as both:
        members = crowd(both.prefix(), IMAGES, LAYER)
        seed(both.source_pusher, members)
        source, destination = ({"registry": proxy.address, "plain_http": True} for proxy in both.proxies())
        images = as_options(members)
        variables = {"promote_source": source, "promote_destination": destination, "promote_images": images}
        promotion = Playbook("often")
        with Reader(both.destination_address, old_or_new(members)) as reader:
            killings = kill_until_done(
                both.destination_proxy, "delay=2", lambda: not promotion.run(variables).killed, promotion.kill, RUNS
            )
        check_all(both.destination_address, members)
        check(killings.killed > 1, f"{killings.killed} runs were killed before one was done, which shows nothing")
        last = promotion.run(variables)
        check(last.result["changed"] is False, f"a run after all changed something:\n{last.output}")
        say(
            f"{IMAGES} images by the role, killed every {1000 * killings.interval:.0f} ms: {killings.killed} runs "
            f"were killed; {reader.pulls} tags read meanwhile"
        )


main([a_playbook_that_is_killed_every_200_ms])
