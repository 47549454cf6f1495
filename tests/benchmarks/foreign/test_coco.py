"""COCO's archives of non-dominated solutions."""

import pytest

from moo.benchmarks.foreign.coco import read_coco

LINES = """% instance = 2, name = bbob_f001_i03_d02__bbob_f001_i05_d02
% function evaluation | 2 objectives | 2 variables
1\t4.5e+02\t-1.5e+02\t1.5\t-2.5\t
4\t4.0e+02\t-9.0e+01\t0.5\t3.25\t
% evaluations = 60
"""
NAME = "bbob-biobj_f03_i02_d02_nondom_all.adat"
INFO = "suite = 'bbob-biobj', algorithm = 'THEIRS', indicator = 'hyp', folder = 'x', coco_version = '2.8.2'\n% about\n"


def folder_of(tmp_path, lines=LINES, name=NAME, info=INFO):
    folder = tmp_path / "exdata" / "theirs"
    (folder / "archive").mkdir(parents=True)
    (folder / "archive" / name).write_text(lines)
    (folder / "1-separable_hyp.info").write_text(info)
    return folder


def test_an_archive_says_its_problem_rows_and_evaluations(tmp_path):
    (rows,) = read_coco(folder_of(tmp_path))
    assert rows.problem == "bbob-biobj:function=3,dim=2,instance=2"
    assert (rows.method, rows.budget, rows.seed) == ("THEIRS", 60, None)
    assert {name: column.tolist() for name, column in rows.columns.items()} == {
        "evaluations": [1, 4],
        "f1": [450, 400],
        "f2": [-150, -90],
        "x1": [1.5, 0.5],
        "x2": [-2.5, 3.25],
    }
    assert rows.at(1) == f"theirs/archive/{NAME}, line 4"


def test_variables_may_be_missing(tmp_path):
    lines = "1\t4.5e+02\t-1.5e+02\n% evaluations = 1\n"
    (rows,) = read_coco(folder_of(tmp_path, lines))
    assert list(rows.columns) == ["evaluations", "f1", "f2"]


def test_a_folder_above_holds_all_that_lies_in_it(tmp_path):
    folder = folder_of(tmp_path)
    other = folder.parent / "others" / "archive"
    other.mkdir(parents=True)
    (other / NAME.replace("i02", "i01")).write_text(LINES)
    runs = read_coco(folder.parent)
    assert [run.method for run in runs] == [None, "THEIRS"]
    assert [run.problem[-1] for run in runs] == ["1", "2"]


@pytest.mark.parametrize(
    ("lines", "name", "message"),
    [
        (LINES, "other.adat", "should be an archive of bbob-biobj"),
        (LINES, NAME.replace("biobj", "biobj-ext"), "should be an archive of bbob-biobj"),
        ("% evaluations = 3\n", NAME, "at least one solution"),
        ("1\t2.0\n", NAME, "line 1: 3 or 5 numbers should stand there. Found '1\\\\t2.0'"),
        ("1\ttwo\t3\n", NAME, "line 1: 3 or 5 numbers"),
        ("1\t2\t3\n2\t3\t4\t5\t6\n", NAME, "for all solutions or for none"),
        ("1\t2\t\u00e9\n", NAME, "is no archive of COCO"),
    ],
)
def test_what_is_no_archive_is_refused(tmp_path, lines, name, message):
    with pytest.raises(ValueError, match=message):
        read_coco(folder_of(tmp_path, lines, name))


def test_a_folder_without_archives_is_refused(tmp_path):
    with pytest.raises(ValueError, match="should be a folder of COCO's"):
        read_coco(tmp_path)
