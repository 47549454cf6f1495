"""Studies of Optuna that method `bayesian` proposes for."""

import itertools
import math
import sys

import pytest

from moo.indicators import hypervolume

optuna = pytest.importorskip("optuna", reason="optuna is not installed (extra `optuna`)")

from moo.adapters.optuna import MooSampler, _column, _place, _value  # noqa: E402

optuna.logging.set_verbosity(optuna.logging.WARNING)
CHEAP = {"raw_samples": 64, "restarts": 2}


def costs(trial):
    """Two distances, both worse for a rate off .01, a count off 3 and any choice but `b`."""
    x = trial.suggest_float("x", -2, 2)
    rate = trial.suggest_float("rate", 1e-4, 1, log=True)
    count = trial.suggest_int("count", 1, 8)
    kind = trial.suggest_categorical("kind", ["a", "b", None])
    penalty = 0.3 * (math.log10(rate) + 2) ** 2 + 0.1 * (count - 3) ** 2 + (0 if kind == "b" else 0.5)
    return (x - 1) ** 2 + penalty, (x + 1) ** 2 + penalty


def studied(sampler, n=30, objective=costs, directions=("minimize", "minimize"), **said):
    study = optuna.create_study(directions=directions, sampler=sampler, **said)
    study.optimize(objective, n_trials=n, catch=(ArithmeticError,))
    return study


def reached(study):
    return float(hypervolume([trial.values for trial in study.trials if trial.values], [6, 6], directions="min"))


def params(study):
    return [trial.params for trial in study.trials]


@pytest.mark.parametrize("seed", [0, 1])
def test_thirty_trials_find_more_than_random_ones(seed):
    ours = studied(MooSampler(seed=seed, options=CHEAP))
    assert reached(ours) > 1.1 * reached(studied(optuna.samplers.RandomSampler(seed)))
    for trial in ours.trials:
        assert 1e-4 <= trial.params["rate"] <= 1
        assert trial.params["count"] in range(1, 9)
        assert trial.params["kind"] in ("a", "b", None)


def test_a_study_from_a_storage_goes_on_as_if_it_had_never_stopped(tmp_path):
    said = {"storage": f"sqlite:///{tmp_path / 'study.db'}", "study_name": "s"}
    studied(MooSampler(seed=3, startup=4, options=CHEAP), 6, **said)
    again = optuna.load_study(sampler=MooSampler(seed=3, startup=4, options=CHEAP), **said)
    again.optimize(costs, n_trials=3)
    assert params(again) == params(studied(MooSampler(seed=3, startup=4, options=CHEAP), 9))


def test_directions_are_the_studys():
    def line(trial):
        x = trial.suggest_float("x", 0, 1)
        y = trial.suggest_float("y", 0, 1)
        return x - y, -x - y  # best where y is 0, if both are maximised

    found = studied(MooSampler(startup=4, options=CHEAP), 10, line, ("maximize", "maximize"))
    assert sum(trial.params["y"] for trial in found.trials[-4:]) < 0.2


def test_what_failed_is_not_tried_again():
    def fragile(trial):
        x, y = trial.suggest_float("x", 0, 1), trial.suggest_float("y", 0, 1)
        if x > 0.9:
            raise ArithmeticError("it blew up")
        return y - x, y - 2 * x  # best at 1, 0, which fails

    study = studied(MooSampler(startup=6, options=CHEAP), 16, fragile)
    failed = [(trial.params["x"], trial.params["y"]) for trial in study.trials if trial.state.name == "FAIL"]
    assert len(failed) >= 2
    assert all(math.dist(a, b) > 0.005 for a, b in itertools.combinations(failed, 2))


def test_constraints_are_kept():
    said = {"startup": 6, "options": CHEAP, "reference_point": [3, 3]}

    def plane(trial):
        x, y = trial.suggest_float("x", 0, 1), trial.suggest_float("y", 0, 1)
        return x, y  # best at 0, 0, which is not allowed

    study = studied(MooSampler(constraints=lambda t: [1 - t.params["x"] - t.params["y"]], **said), 14, plane)
    late = [trial.params["x"] + trial.params["y"] for trial in study.trials[-6:]]
    free = [sum(trial.params.values()) for trial in studied(MooSampler(**said), 14, plane).trials[-6:]]
    assert sum(late) / 6 > 0.8
    assert sum(free) / 6 < 0.5


def test_trials_that_run_side_by_side_differ():
    study = studied(MooSampler(startup=4, options=CHEAP), 6)
    asked = [study.ask() for _ in range(3)]
    for trial in asked:
        costs(trial)
    assert len({trial.params["x"] for trial in asked}) == 3


@pytest.mark.parametrize(
    ("distribution", "values"),
    [
        (optuna.distributions.FloatDistribution(-2, 3), [-2.0, 0.25, 3.0]),
        (optuna.distributions.FloatDistribution(1e-5, 1, log=True), [1e-5, 0.01, 1.0]),
        (optuna.distributions.FloatDistribution(0, 1, step=0.25), [0.0, 0.25, 1.0]),
        (optuna.distributions.IntDistribution(1, 9), [1, 5, 9]),
        (optuna.distributions.IntDistribution(1, 9, step=4), [1, 5, 9]),
        (optuna.distributions.IntDistribution(1, 1000, log=True), [1, 30, 1000]),
        (optuna.distributions.CategoricalDistribution(["a", None, 3]), ["a", None, 3]),
    ],
)
def test_values_survive_the_way_to_a_column_and_back(distribution, values):
    column = _column("x", distribution)
    for value in values:
        place = _place(distribution, value)
        assert column.low - 1e-12 <= place <= column.high + 1e-12
        again = _value(distribution, place)
        assert type(again) is type(value)
        assert again == value or again == pytest.approx(value, rel=1e-12)


def test_a_parameter_of_some_trials_alone_is_drawn_at_random():
    def branching(trial):
        x = trial.suggest_float("x", 0, 1)
        more = trial.suggest_float("more", 0, 1) if x > 0.5 else 0.0
        return x + more, 1 - x

    study = studied(MooSampler(startup=3, options=CHEAP), 8, branching)
    assert len(study.trials) == 8


def test_one_objective_is_refused():
    with pytest.raises(ValueError, match=r"`MooSampler` is for studies of at least two objectives. Found 1"):
        optuna.create_study(sampler=MooSampler()).optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=1)


@pytest.mark.parametrize("said", [{"seed": -1}, {"startup": 0}])
def test_counts_are_checked(said):
    with pytest.raises(ValueError, match=r"should be at least"):
        MooSampler(**said)


def test_without_optuna_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna.distributions", None)
    monkeypatch.delitem(sys.modules, "moo.adapters.optuna")
    with pytest.raises(ImportError, match=r"pip install 'moo-suite\[optuna\]'"):
        __import__("moo.adapters.optuna")
