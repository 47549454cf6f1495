"""CSV and npz files of other programs as named columns."""

import hashlib

import numpy as np
import pytest

from moo.benchmarks.foreign.files import columns_of, read_csv, read_file, read_npz


def written(folder, text, name="front.csv"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_csv_file_is_read_by_its_header(tmp_path):
    path = written(tmp_path, "\ufefff1, f2 ,x1\n1, 2,.5\n\n3e0,-4,0.25\n")
    (rows,) = read_csv(path)
    assert {name: column.tolist() for name, column in rows.columns.items()} == {
        "f1": [1, 3],
        "f2": [2, -4],
        "x1": [0.5, 0.25],
    }
    assert rows.at(1) == "front.csv, line 4"
    assert rows.digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (rows.problem, rows.method, rows.seed, rows.budget) == (None, None, None, None)


def test_rows_of_one_run_belong_together_wherever_they_stand(tmp_path):
    text = "method,seed,f1,problem,budget\na,0,1,zdt1,9\nb,0,2,zdt1,9\na,1,3,zdt1,9\na,0,4,zdt1,9\na,0,5,zdt2,9\n"
    runs = read_csv(written(tmp_path, text))
    found = [(run.problem, run.method, run.seed, run.budget, run.columns["f1"].tolist()) for run in runs]
    assert found == [
        ("zdt1", "a", 0, 9, [1, 4]),
        ("zdt1", "b", 0, 9, [2]),
        ("zdt1", "a", 1, 9, [3]),
        ("zdt2", "a", 0, 9, [5]),
    ]
    assert runs[0].places == ["line 2", "line 5"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("f1,f2\n", "at least one row below its header"),
        ("0.5,0.5\n0.2,0.8\n", "first line should name the columns"),
        ("f1;f2\n1;2\n", "separated by commas"),
        ("f1,f1\n1,2\n", "'f1' stands twice"),
        ("f1,\n1,2\n", "one has no name"),
        ("f1,f2\n1,2\n3\n", "line 3: 2 entries are named. Found 1"),
        ("f1,f2\n1,two\n", "line 2: `f2` should be a number. Found 'two'"),
        ("f1,seed\n1,0.5\n", "`seed` should be a whole number. Found '0.5'"),
        ("f1,seed\n1,\n", "`seed` should be a whole number. Found ''"),
        ("f1,method\n1, \n", "`method` should not be empty"),
    ],
)
def test_a_wrong_csv_file_is_refused(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read_csv(written(tmp_path, text))


def test_a_file_of_bytes_is_no_csv_file(tmp_path):
    (tmp_path / "front.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="no CSV file in UTF-8"):
        read_csv(tmp_path / "front.csv")


def test_an_npz_file_is_read_by_its_keys(tmp_path):
    F, X = np.array([[1.0, 2], [3, 4]]), np.array([[0.1], [0.2]])
    np.savez(tmp_path / "a.npz", F=F, X=X, G=-X, evaluations=7, seed=3, method="theirs", problem="zdt1", budget=9)
    (rows,) = read_npz(tmp_path / "a.npz")
    assert list(rows.columns) == ["f1", "f2", "x1", "g1", "evaluations"]
    assert np.stack(list(rows.columns.values()), axis=1).tolist() == [[1, 2, 0.1, -0.1, 7], [3, 4, 0.2, -0.2, 7]]
    assert (rows.problem, rows.method, rows.seed, rows.budget) == ("zdt1", "theirs", 3, 9)
    np.savez(tmp_path / "b.npz", objectives=F, evaluations=[1, 2])
    assert read_npz(tmp_path / "b.npz")[0].columns["evaluations"].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"front": np.zeros((1, 2))}, "the keys are .* Found 'front'"),
        ({"X": np.zeros((1, 2))}, "should hold `objectives`"),
        ({"F": np.zeros((1, 2)), "objectives": np.zeros((1, 2))}, "in both spellings"),
        ({"F": np.zeros(2)}, r"`F` should have shape \[n, columns\]. Found \[2\]"),
        ({"F": np.zeros((2, 2)), "X": np.zeros((3, 1))}, "as many rows as the objectives"),
        ({"F": np.zeros((0, 2))}, "as many rows as the objectives"),
        ({"F": np.zeros((2, 2)), "evaluations": np.zeros(3)}, r"`evaluations` should have shape \[2\]"),
        ({"F": np.array([["a", "b"]])}, "`F` should hold numbers"),
        ({"F": np.zeros((2, 2)), "seed": np.zeros(2)}, r"`seed` should be a single value. Found shape \[2\]"),
        ({"F": np.zeros((2, 2)), "seed": 0.5}, "`seed` should be a whole number"),
    ],
)
def test_a_wrong_npz_file_is_refused(tmp_path, arrays, message):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ValueError, match=message):
        read_npz(tmp_path / "a.npz")


def test_nothing_is_ever_unpickled(tmp_path):
    np.savez(tmp_path / "a.npz", F=np.array([object()]))
    with pytest.raises(ValueError, match="no npz file of plain arrays"):
        read_npz(tmp_path / "a.npz")
    (tmp_path / "b.npz").write_bytes(b"PK torn")
    with pytest.raises(ValueError, match="no npz file of plain arrays"):
        read_npz(tmp_path / "b.npz")


def test_files_go_by_their_endings(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_file(tmp_path / "none.csv")
    with pytest.raises(ValueError, match=r"should be .csv, .npz or a folder of COCO"):
        read_file(written(tmp_path, "f1\n1\n", "front.txt"))
    assert len(read_file(written(tmp_path, "f1\n1\n"))) == 1


def test_columns_are_numbered_from_one():
    assert list(columns_of("here", {"objectives": np.zeros((1, 3))})) == ["f1", "f2", "f3"]
