import subprocess
import sys

import pytest

from sklearn_dsh.comparison._results import Results


def test_rows_stay(tmp_path):
    results = Results(tmp_path / "r.jsonl")
    results.add({"method": "a", "map": 0.1})
    results.add({"method": "b", "map": 0.2})
    again = Results(tmp_path / "r.jsonl")
    assert again.rows == results.rows
    assert again.find({"method": "b"}) == [{"method": "b", "map": 0.2}]
    assert again.find({"method": "b", "bits": 3}) == []


def test_a_line_cut_short_is_dropped(tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_text('{"method": "a"}\n{"method": "b", "ma')
    results = Results(path)
    assert results.rows == [{"method": "a"}]
    results.add({"method": "c"})
    assert Results(path).rows == [{"method": "a"}, {"method": "c"}]


def test_a_line_that_another_process_cut_short_is_dropped(tmp_path):
    path = tmp_path / "r.jsonl"
    results, other = Results(path), Results(path)
    results.add({"method": "a"})
    with open(path, "a") as file:
        file.write('{"method": "b", "ma')  # killed here
    other.add({"method": "c"})
    results.add({"method": "d"})
    assert [row["method"] for row in Results(path).rows] == ["a", "c", "d"]


def test_a_last_row_without_an_end_of_line_is_kept(tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_text('{"method": "a"}\n{"method": "b"}')
    Results(path).add({"method": "c"})
    assert [row["method"] for row in Results(path).rows] == ["a", "b", "c"]


def test_processes_share_a_file(tmp_path):
    path = tmp_path / "r.jsonl"
    code = (
        "import sys; from sklearn_dsh.comparison._results import Results\n"
        "for i in range(50):\n"
        "    Results(sys.argv[1]).add({'row': int(sys.argv[2]) + i, 'curve': 20_000 * 'x'})"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", code, str(path), str(start)]) for start in (0, 50)
    ]
    assert [process.wait() for process in processes] == [0, 0]
    assert sorted(row["row"] for row in Results(path).rows) == list(range(100))


def test_a_sound_file_is_not_written_when_it_is_read(tmp_path):
    path = tmp_path / "folder" / "r.jsonl"
    Results(path).add({"method": "a"})
    before = path.stat()
    assert Results(path).rows == [{"method": "a"}]
    after = path.stat()
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)


def test_a_row_that_is_no_json_is_not_kept(tmp_path):
    results = Results(tmp_path / "r.jsonl")
    with pytest.raises(TypeError):
        results.add({"method": object()})
    assert results.rows == []
    assert (tmp_path / "r.jsonl").read_text() == ""


def test_a_broken_file_is_named(tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_text('{"method": \n{"method": "b"}\n')
    with pytest.raises(ValueError, match=r"r\.jsonl', line 1"):
        Results(path)
