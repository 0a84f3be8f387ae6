"""Count the cases of the suites that ``security.md`` names, and write the counts there."""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

from tests.security import test_mutations, test_properties

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "security.md"
SUITES = "tests/security"

_ROW = re.compile(
    rf"^(\| \[\w+\]\(\.\./{SUITES}/(test_\w+)\.py\) \| .* \| )([\d,]+)( \|)$", re.MULTILINE
)


def counted() -> dict[str, int]:
    """How many cases a module has; where they are drawn at random, how many are drawn."""
    listing = subprocess.check_output(  # noqa: S603 - of our own words
        [sys.executable, "-m", "pytest", "--collect-only", "--quiet", SUITES], cwd=ROOT, text=True
    )
    collected = Counter(re.findall(rf"^{SUITES}/(test_\w+)\.py::", listing, re.MULTILINE))
    drawn = {
        "test_mutations": test_mutations.MUTATIONS,
        "test_properties": test_properties.EXAMPLES,
    }
    return collected | drawn


def told() -> dict[str, int]:
    """How many cases the page says that a module has."""
    rows = _ROW.findall(PAGE.read_text())
    return {module: int(count.replace(",", "")) for _, module, count, _ in rows}


def main() -> None:
    """Write the counts into the page."""
    counts = counted()
    page = _ROW.sub(lambda row: f"{row[1]}{counts[row[2]]:,}{row[4]}", PAGE.read_text())
    PAGE.write_text(page)


if __name__ == "__main__":
    main()
