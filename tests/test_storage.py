import contextlib
import math
import resource
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from asserts import assert_same_candidates
from hypothesis import given, settings
from hypothesis import strategies as st

from moo import storage
from moo.base import Candidates
from moo.storage import (
    DamagedFileError,
    read_candidates,
    read_json,
    read_state,
    refuse_other_run,
    write_candidates,
    write_file,
    write_json,
    write_state,
)

moderate = settings(max_examples=60, deadline=None)


def same(a, b):
    """Equal in value and type, all the way down; NaN equals NaN."""
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and a.dtype == b.dtype and same(a.numpy(), b.numpy())
    if isinstance(a, np.ndarray):
        whole = isinstance(b, np.ndarray) and (a.dtype, a.shape) == (b.dtype, b.shape)
        return whole and (a.tolist() == b.tolist() if a.dtype.kind == "U" else a.tobytes() == b.tobytes())
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(map(repr, a)) == list(map(repr, b)) and all(map(same, a.values(), b.values()))
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return repr(a) == repr(b) if isinstance(a, float) else a == b  # the sign of zero, NaN


# ------------------------------------------------------------------------------------------------- states
tensors = st.builds(
    lambda shape, dtype, seed: (100 * torch.randn(shape, generator=torch.Generator().manual_seed(seed))).to(dtype),
    st.lists(st.integers(0, 3), max_size=3),
    st.sampled_from([torch.bool, torch.float32, torch.float64, torch.int64, torch.uint8, torch.int32]),
    st.integers(0, 99),
)
arrays = st.builds(
    lambda values, dtype: np.array(values).astype(dtype),
    st.lists(st.integers(0, 9), max_size=4),
    st.sampled_from(["f8", "f4", "i8", "u8", "?", "U3", ">i4"]),
)
texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=5) | st.sampled_from(
    ["a.b", "a", "a.0", "", ".", "tensor", "__metadata__", "0 state", "../up", "map", "x.npy"]
)
leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**200), 2**200)
    | st.floats()
    | texts
    | tensors
    | arrays
    | st.sampled_from([math.nan, math.inf, -math.inf, -0.0, 2**64, -(2**64) - 1, 5e-324])
)
keys = texts | st.integers() | st.booleans() | st.none() | st.tuples(st.integers(), texts)
trees = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.just(())
        | st.dictionaries(texts, inner, max_size=3)
        | st.dictionaries(keys, inner, max_size=3)
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(trees)
def test_a_state_reads_back_exactly(tmp_path_factory, tree):
    folder = tmp_path_factory.mktemp("state") / "state"
    write_state(folder, tree)
    assert same(read_state(folder), tree), (read_state(folder), tree)


def test_a_state_is_a_copy_of_what_shares_memory_or_needs_a_gradient(tmp_path):
    base = torch.arange(6.0, requires_grad=True)
    tree = {"whole": base, "part": base[::2], "turned": base.reshape(2, 3).T, "again": base}
    write_state(tmp_path / "s", tree)
    found = read_state(tmp_path / "s")
    assert all(torch.equal(found[key], value) and not found[key].requires_grad for key, value in tree.items())
    found["whole"][0] = 9
    assert found["again"][0] == 0


def test_the_state_of_adam_goes_on_identically(tmp_path):
    """Its keys are integers: as text they would load without their moments and without a word."""

    def fresh():
        weights = torch.ones(3, requires_grad=True)
        return weights, torch.optim.Adam([weights], lr=0.1)

    def advance(weights, adam):
        for _ in range(3):
            adam.zero_grad()
            (weights**2 * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
            adam.step()

    weights, adam = fresh()
    advance(weights, adam)
    write_state(tmp_path / "s", {"weights": weights, "adam": adam.state_dict()})
    state, (again, adam_again) = read_state(tmp_path / "s"), fresh()
    with torch.no_grad():
        again.copy_(state["weights"])
    adam_again.load_state_dict(state["adam"])
    advance(weights, adam)
    advance(again, adam_again)
    assert torch.equal(weights, again)


def test_scalars_of_numpy_become_python_numbers(tmp_path):
    write_state(tmp_path / "s", [np.float64(0.1), np.int64(3), np.bool_(True), np.float32(0.5)])
    assert same(read_state(tmp_path / "s"), [0.1, 3, True, 0.5])


@pytest.mark.parametrize(
    ("tree", "place", "kind"),
    [
        ({"a": {"b": [1, object()]}}, "state.a.b.1", "object"),
        ({"a": {1, 2}}, "state.a", "set"),
        ([b"bytes"], "state.0", "bytes"),
        ({"f": len}, "state.f", "builtin_function_or_method"),
        ({"c": 1j}, "state.c", "complex"),
        ({3: {"x": Path("p")}}, r"state.0.*", "PosixPath"),
        ({"a": {"b": np.array([None, {}], dtype=object)}}, "state.a.b", "ndarray"),
    ],
)
def test_what_cannot_be_stored_is_named_by_its_place(tmp_path, tree, place, kind):
    with pytest.raises(TypeError, match=rf"tensors, arrays and JSON values. `{place}` is an? .*{kind}"):
        write_state(tmp_path / "s", tree)
    assert not (tmp_path / "s").exists()


def test_no_state_reads_as_none(tmp_path):
    assert read_state(tmp_path / "s") is None


def test_nothing_is_pickled_on_disk(tmp_path):
    write_state(tmp_path / "s", {"a": np.arange(3), "t": torch.ones(2), "text": np.array(["x"])})
    write_candidates(tmp_path / "c.npz", record(3))
    assert {path.suffix for path in tmp_path.rglob("*") if path.is_file()} == {".json", ".npz", ".safetensors"}
    for path in tmp_path.rglob("*.npz"):
        with np.load(path, allow_pickle=False) as file:
            assert all(file[name].dtype.kind != "O" for name in file.files)


# ------------------------------------------------------------------------------------------------- one or the other
def test_a_state_replaces_the_old_one_whole(tmp_path):
    write_state(tmp_path / "s", {"a": np.arange(3)})
    write_state(tmp_path / "s", {"b": 1})
    assert read_state(tmp_path / "s") == {"b": 1}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s"]


@pytest.mark.parametrize("first", [False, True])
def test_killed_between_the_two_renames_the_old_state_is_there(tmp_path, first):
    """Then the folder is gone, the old one waits under another name, and the new one may be whole beside it."""
    write_state(tmp_path / "s", {"old": torch.ones(3)})
    (tmp_path / "s").rename(tmp_path / ".s.old")
    write_state(tmp_path / "other", {"new": 1})
    shutil.copytree(tmp_path / "other", tmp_path / ".s.tmp")
    if first:
        assert torch.equal(read_state(tmp_path / "s")["old"], torch.ones(3))
    write_state(tmp_path / "s", {"newer": 2})
    assert read_state(tmp_path / "s") == {"newer": 2}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "s"]


@pytest.mark.parametrize("rename", [0, 1])
def test_an_error_at_either_rename_leaves_the_old_state(tmp_path, monkeypatch, rename):
    write_state(tmp_path / "s", {"old": 1})
    calls, really = [], Path.rename

    def failing(self, target):
        calls.append(self)
        if len(calls) == rename + 1:
            raise OSError(5, "Input/output error", str(self))
        return really(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(OSError, match="Input/output error"):
        write_state(tmp_path / "s", {"new": 2})
    monkeypatch.undo()
    assert read_state(tmp_path / "s") == {"old": 1}


def test_leftovers_of_a_kill_while_writing_are_harmless(tmp_path):
    write_state(tmp_path / "s", {"old": 1})
    (tmp_path / ".s.tmp").mkdir()
    (tmp_path / ".s.tmp" / "tree.json").write_text("{")
    assert read_state(tmp_path / "s") == {"old": 1}
    write_state(tmp_path / "s", {"new": 2})
    assert read_state(tmp_path / "s") == {"new": 2}


@moderate
@given(trees)
def test_the_same_state_is_the_same_bytes(tmp_path_factory, tree):
    folder = tmp_path_factory.mktemp("state")
    for name in ("one", "two"):
        write_state(folder / name, tree)
    for path in (folder / "one").iterdir():
        assert path.read_bytes() == (folder / "two" / path.name).read_bytes(), path.name


def test_the_same_rows_and_values_are_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        write_candidates(tmp_path / f"{name}.npz", record(5))
        write_json(tmp_path / f"{name}.json", {"b": 1, "a": [0.1, None]})
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()


# ------------------------------------------------------------------------------------------------- rows
def record(n, seed=0):
    stream = torch.Generator().manual_seed(seed)
    return Candidates.of(
        torch.rand(n, 2, 2, generator=stream),
        torch.rand(n, 2, generator=stream, dtype=torch.float64),
        reason=np.array([f'é, "{i}"\n' for i in range(n)], dtype=str),
        failed=torch.rand(n, generator=stream) < 0.5,
        id=torch.arange(n),
        **{"parameters.w.b": torch.rand(n, 3, generator=stream)},
    )


@pytest.mark.parametrize("n", [0, 1, 7])
def test_rows_read_back_exactly_texts_included(tmp_path, n):
    write_candidates(tmp_path / "c.npz", record(n))
    found = read_candidates(tmp_path / "c.npz")
    assert_same_candidates(found, record(n))
    assert list(found.extras) == list(record(n).extras)
    assert found.solutions.dtype == torch.float32
    assert isinstance(found.extras["reason"], np.ndarray)


@pytest.mark.parametrize("value", [0.1, -0.0, 1e-320, math.nan, math.inf, 2**80, "é😀\n\0", [None, True, {}]])
def test_json_values_read_back_exactly(tmp_path, value):
    write_json(tmp_path / "x.json", {"value": value})
    assert same(read_json(tmp_path / "x.json")["value"], value)


def test_json_keeps_the_order_of_its_keys(tmp_path):
    write_json(tmp_path / "x.json", {"b": 1, "a": 2})
    assert list(read_json(tmp_path / "x.json")) == ["b", "a"]


# ------------------------------------------------------------------------------------------------- damage
def assert_damaged_or_whole(read, path, expected, equal):
    """Reading gives what was written or names the damaged file; nothing in between."""
    try:
        found = read(path)
    except DamagedFileError as error:
        assert str(path) in str(error)  # noqa: PT017
        assert "damaged" in str(error)  # noqa: PT017
        assert "Delete it and run again." in str(error)  # noqa: PT017
        return "damaged"
    assert equal(found, expected)
    return "whole"


def same_rows(a, b):
    with contextlib.suppress(AssertionError):
        assert_same_candidates(a, b)
        return True
    return False


@pytest.mark.parametrize("keep", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_torn_rows_are_noticed(tmp_path, keep):
    path = tmp_path / "c.npz"
    write_candidates(path, record(40))
    raw = path.read_bytes()
    path.write_bytes(raw[: int(keep * len(raw))])
    with pytest.raises(DamagedFileError, match=r"c\.npz is damaged \(.*\). Delete it and run again."):
        read_candidates(path)


def test_a_flipped_bit_in_rows_is_noticed(tmp_path):
    path = tmp_path / "c.npz"
    write_candidates(path, record(40))
    raw = path.read_bytes()
    contents = raw.index(b"PK\x01\x02")  # behind them stands the table of contents
    outcomes = set()
    for place in range(0, contents, 7):
        path.write_bytes(raw[:place] + bytes([raw[place] ^ 4]) + raw[place + 1 :])
        outcomes.add(assert_damaged_or_whole(read_candidates, path, record(40), same_rows))
    assert "damaged" in outcomes


def test_other_files_are_no_rows(tmp_path):
    np.savez(tmp_path / "other.npz", x=np.arange(3))
    np.savez(tmp_path / "short.npz", solutions=np.zeros((2, 1)), objectives=np.zeros((1, 2)), preferences=np.zeros(2))
    (tmp_path / "text.npz").write_text("hello")
    for name in ("other", "short", "text"):
        with pytest.raises(DamagedFileError, match=f"{name}.npz is damaged"):
            read_candidates(tmp_path / f"{name}.npz")
    with pytest.raises(FileNotFoundError, match=r"none.npz"):
        read_candidates(tmp_path / "none.npz")


@pytest.mark.parametrize("name", ["tree.json", "arrays.npz", "tensors.safetensors"])
def test_a_torn_state_is_noticed_at_every_length(tmp_path, name):
    tree = {"t": torch.rand(3), "a": np.arange(2), "n": [1, 2.5, (None,)]}
    write_state(tmp_path / "s", tree)
    raw = (tmp_path / "s" / name).read_bytes()
    for length in range(len(raw)):
        (tmp_path / "s" / name).write_bytes(raw[:length])
        found = assert_damaged_or_whole(read_state, tmp_path / "s", tree, same)
        assert found == "damaged" or length == len(raw) - 1  # the line's end


@pytest.mark.parametrize("name", ["tree.json", "arrays.npz", "tensors.safetensors"])
def test_a_state_without_one_of_its_files_is_damaged(tmp_path, name):
    write_state(tmp_path / "s", {"t": torch.rand(3), "a": np.arange(2)})
    (tmp_path / "s" / name).unlink()
    with pytest.raises(DamagedFileError, match="is damaged"):
        read_state(tmp_path / "s")


@pytest.mark.parametrize("text", ["", "{", '{"a": 1', "\xff", '{"a": 1}}'])
def test_damaged_json_is_named(tmp_path, text):
    (tmp_path / "x.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(DamagedFileError, match=r"x\.json is damaged \(.*\). Delete it and run again."):
        read_json(tmp_path / "x.json")


# ------------------------------------------------------------------------------------------------- a disk that is full
@contextlib.contextmanager
def no_file_above(size):
    """Writing beyond this many bytes fails, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize(
    ("name", "write", "small", "large"),
    [
        ("x.json", write_json, [1], list(range(9999))),
        ("c.npz", write_candidates, record(1), record(999)),
        ("s", write_state, {"a": 1}, {"a": list(range(9999))}),
        ("s", write_state, {"a": 1}, {"a": np.random.default_rng(0).random(9999)}),
        ("s", write_state, {"a": 1}, {"a": torch.rand(9999)}),
    ],
    ids=["json", "rows", "tree", "arrays", "tensors"],
)
@pytest.mark.parametrize("room", [0, 100, 4096, 6000])
def test_on_a_full_disk_the_error_names_the_file_and_the_old_one_is_whole(tmp_path, name, write, small, large, room):
    def contents():
        return {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    write(tmp_path / name, small)
    before = contents()
    with no_file_above(room), pytest.raises(OSError, match=rf"could not be written: .*File too large.*{name}"):
        write(tmp_path / name, large)
    assert contents() == before


def test_the_error_of_a_state_names_a_file_that_people_can_find(tmp_path):
    write_state(tmp_path / "s", {"a": 1})
    with no_file_above(1000), pytest.raises(OSError, match="File too large") as caught:
        write_state(tmp_path / "s", {"a": np.zeros(9999)})
    assert Path(caught.value.filename) == tmp_path / "s" / "arrays.npz"


@pytest.mark.parametrize("when", ["open", "write", "replace"])
def test_an_error_at_any_moment_leaves_the_old_file(tmp_path, monkeypatch, when):
    path = tmp_path / "x.json"
    write_json(path, {"old": 1})

    def fail(*arguments, **options):
        raise OSError(28, "No space left on device")

    if when != "write":
        monkeypatch.setattr(storage.Path, when, fail)
    with pytest.raises(OSError, match=r"\[Errno 28\] could not be written: No space left on device: .*x\.json"):
        write_file(path, fail if when == "write" else lambda file: file.write(b"new"))
    monkeypatch.undo()
    assert read_json(path) == {"old": 1}
    assert [found.name for found in tmp_path.iterdir()] == ["x.json"]


def test_an_error_that_is_no_disk_error_leaves_the_old_file_and_no_other(tmp_path):
    write_json(tmp_path / "x.json", {"old": 1})
    with pytest.raises(TypeError, match="not JSON serializable"):
        write_json(tmp_path / "x.json", {"new": object()})
    with pytest.raises(ZeroDivisionError):
        write_file(tmp_path / "x.json", lambda file: (file.write(b"n"), 1 / 0))
    assert read_json(tmp_path / "x.json") == {"old": 1}
    assert [found.name for found in tmp_path.iterdir()] == ["x.json"]


def test_a_folder_that_is_missing_is_named(tmp_path):
    with pytest.raises(OSError, match=r"could not be written: No such file or directory: .*none/x\.json"):
        write_json(tmp_path / "none" / "x.json", {})


# ------------------------------------------------------------------------------------------------- another run
def test_another_run_is_refused_and_the_message_says_what_differs(tmp_path):
    config = {"method": "nsga2", "seed": 1, "options": {"population": 20}, "budget": 100}
    refuse_other_run(tmp_path, config)
    refuse_other_run(tmp_path / "none", config)
    write_json(tmp_path / "cell.json", {"format": 1, **config})
    refuse_other_run(tmp_path, {**config, "budget": 200})
    with pytest.raises(
        ValueError, match=r"holds another run \(seed: 1 there, 2 now; options: \{'population': 20\} there"
    ):
        refuse_other_run(tmp_path, {**config, "seed": 2, "options": {"population": 30}})
    with pytest.raises(ValueError, match=r"Choose another folder, or make the same call as before to go on with it."):
        refuse_other_run(tmp_path, {**config, "method": "random"})


def test_a_smaller_run_does_not_replace_a_larger_one_that_is_finished(tmp_path):
    config = {"method": "nsga2", "seed": 1, "budget": 100}
    write_json(tmp_path / "cell.json", {"format": 1, **config})
    refuse_other_run(tmp_path, {**config, "budget": 50})  # nothing is finished there yet
    write_json(tmp_path / "record.json", {})
    refuse_other_run(tmp_path, config)
    refuse_other_run(tmp_path, {**config, "budget": 200})
    with pytest.raises(ValueError, match=r"finished with a larger budget, 100; 50 would replace it. Choose"):
        refuse_other_run(tmp_path, {**config, "budget": 50})


def test_long_values_that_differ_are_quoted_by_their_beginning(tmp_path):
    write_json(tmp_path / "cell.json", {"space": list(range(1000)), "seed": 1})
    with pytest.raises(ValueError, match=r"space: \[0, 1, 2, [0-9, ]*\.\.\. there, None now; seed: 1 there") as caught:
        refuse_other_run(tmp_path, {"space": None, "seed": 2})
    assert len(str(caught.value)) < 400


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "f").write_text("")
    with pytest.raises(ValueError, match=r"A folder is needed for the run's data. .*f is a file."):
        refuse_other_run(tmp_path / "f", {})
