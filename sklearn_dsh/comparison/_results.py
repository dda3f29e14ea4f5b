"""Results on disk, one JSON object a line: a finished one is not computed again."""

import json
import os
from pathlib import Path


class Results:
    """Rows that stay in a file.

    Parameters
    ----------
    path : str or path-like
        Made, with its folder, if it is not there. A last line that is broken, as of a process that
        was killed while it wrote, is dropped.

    Raises
    ------
    ValueError
        If another line is broken (it is named).
    """

    def __init__(self, path):
        self.path, self.rows = Path(path), []
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.open("a").close()  # what cannot be written is told before any work
        text = self.path.read_text()
        lines = text.splitlines()
        for number, line in enumerate(lines, start=1):
            try:
                self.rows.append(json.loads(line))
            except ValueError as error:
                if number < len(lines):
                    raise ValueError(f"{str(self.path)!r}, line {number}: {error}.") from error
        if len(self.rows) < len(lines) or (text and not text.endswith("\n")):
            self._replace()

    def find(self, key):
        """All rows that have the entries of the dict `key`."""
        return [row for row in self.rows if key.items() <= row.items()]

    def add(self, row):
        """Append a dict."""
        line = json.dumps(row) + "\n"
        with open(self.path, "a") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        self.rows.append(row)

    def _replace(self):
        """Write all rows beside the file, then in its place: never less than there was."""
        beside = self.path.with_name(self.path.name + ".new")
        beside.write_text("".join(json.dumps(row) + "\n" for row in self.rows))
        os.replace(beside, self.path)
