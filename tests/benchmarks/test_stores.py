"""The figures of the guide's page on stores are those of the rows."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_table_of_the_guide_is_that_of_the_rows():
    script = ROOT / "benchmarks" / "stores.py"
    rows = ROOT / "benchmarks" / "results" / "stores" / "rows.jsonl"
    command = [sys.executable, str(script), "--table", str(rows)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
    page = (ROOT / "docs" / "guide" / "stores.rst").read_text()
    assert printed.stdout.strip() in page
    assert printed.stdout.count("* - ") > 10
