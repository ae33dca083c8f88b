"""What README says of replays runs, on the benchmark that comes with randsearch."""

from __future__ import annotations

import re
from pathlib import Path

import randsearch as rs

README = Path(rs.__file__).parent / "replay" / "README.md"


def test_the_code_of_the_readme_runs(capsys):
    blocks = re.findall(r"^```python\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 4
    strategy = next(block for block in blocks if "def " in block)
    assert len([line for line in strategy.splitlines() if line]) == 10
    names: dict[str, object] = {}
    for block in blocks:
        exec(block, names)
    out = capsys.readouterr().out
    assert re.search(r"^thirds on popvoice-8k: \d+\.\d{3} \[", out, re.MULTILINE)
