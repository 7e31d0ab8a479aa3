# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Draw docs/promotion.svg: a terminal that shows what the README says that a promotion prints. Needs rich.

The target ``examples`` compares these texts with what Ansible prints, and ``make lint`` the picture with them.
"""

from __future__ import annotations

import io
import re
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "promotion.svg"
WIDTH = 150
"""Characters in a line."""
COLOURS = {"-": "red", "+": "green", "@": "cyan"}
"""Those in which Ansible shows the lines of a diff, by their first characters."""
THEME = TerminalTheme(
    (22, 27, 34),
    (201, 209, 217),
    [(72, 79, 88), (255, 123, 114), (63, 185, 80), (210, 153, 34), (88, 166, 255), (188, 140, 255), (57, 197, 207)],
)
# Without a font of another host, which a page that shows the picture would refuse.
FORMAT = """\
<svg viewBox="0 0 {terminal_width} {terminal_height}" xmlns="http://www.w3.org/2000/svg" role="img">
<!-- GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt) -->
<!-- SPDX-License-Identifier: GPL-3.0-or-later -->
<title>A promotion in a terminal</title>
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, monospace; font-size: {char_height}px; }}
{styles}
</style>
<defs>{lines}</defs>
<rect fill="#161b22" width="{terminal_width}" height="{terminal_height}" rx="8"/>
<g transform="translate(9, 9)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def shown(readme: str) -> Text:
    """What the terminal shows: the command, the diff of the README, and the report of the role."""
    (diff,) = re.findall(r"^```diff\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
    (report,) = re.findall(r"^    TASK .*?^    }$", readme, re.MULTILINE | re.DOTALL)
    task, *lines = re.sub(r"^    ", "", report, flags=re.MULTILINE).splitlines()
    text = Text("$ ansible-playbook promote.yml --diff\n[...]\n")
    text.append("TASK [imageops.registry.promote : Copy what differs, and move the tags last] ***\n")
    for line in diff.splitlines():
        text.append(f"{line}\n", COLOURS.get(line[:1], ""))
    text.append("\nchanged: [localhost]\n", "yellow")
    text.append(f"[...]\n{task}\n")
    text.append("\n".join(lines), "green")
    # The last line is the margin below.
    return text.append("\n ")


def picture() -> str:
    """The SVG that the README calls for."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(shown((ROOT / "README.md").read_text(encoding="utf-8")), width=WIDTH - 2)
    drawn = console.export_svg(theme=THEME, code_format=FORMAT, unique_id="promotion")
    return "".join(f"{line.rstrip()}\n" for line in drawn.splitlines())


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
