"""Count the cases of the suites that pages name, and write the counts there."""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

from tests.security import test_mutations, test_properties
from tests.unit import test_pairs

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "docs" / name for name in ("pairs.md", "security.md")]

_ROW = re.compile(r"^(\| \[[\w ]+\]\(\.\./(tests/[\w/]+\.py)\).* \| )([\d,]+)( \|)$", re.MULTILINE)


def counted() -> dict[str, int]:
    """How many cases a module has; where they are drawn at random, how many are drawn."""
    listing = subprocess.check_output(  # noqa: S603 - of our own words
        [sys.executable, "-m", "pytest", "--collect-only", "--quiet", *told()], cwd=ROOT, text=True
    )
    collected = Counter(re.findall(r"^(tests/[\w/]+\.py)::", listing, re.MULTILINE))
    drawn = {
        "tests/security/test_mutations.py": test_mutations.MUTATIONS,
        "tests/security/test_properties.py": test_properties.EXAMPLES,
        "tests/unit/test_pairs.py": test_pairs.RUNS * collected["tests/unit/test_pairs.py"],
    }
    return collected | drawn


def told() -> dict[str, int]:
    """How many cases the pages say that a module has."""
    rows = [row for page in PAGES for row in _ROW.findall(page.read_text())]
    return {module: int(count.replace(",", "")) for _, module, count, _ in rows}


def main() -> None:
    """Write the counts into the pages."""
    counts = counted()
    for page in PAGES:
        text = _ROW.sub(lambda row: f"{row[1]}{counts[row[2]]:,}{row[4]}", page.read_text())
        page.write_text(text)


if __name__ == "__main__":
    main()
