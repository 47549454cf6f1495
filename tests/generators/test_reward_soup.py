"""Soups: experts learn alone from one beginning, and averages are those of their weights."""

import pytest
import torch
from asserts import assert_same_results
from inputs import ToyConstruction, ToyText

import moo
from moo.base import Setting
from moo.generators.fixed_weights import FixedWeights
from moo.generators.reward_soup import RewardSoup
from moo.metered import metered
from moo.options import resolve_options
from moo.problems.text import Text
from moo.rl.episodes import build
from moo.seeding import torch_generator
from moo.storage import read_state, write_state

BANDIT = "bandit:arms=6,num_objectives=2,layout=3"
SMALL = {"copies": 16, "hidden": 8, "layers": 1, "learning_rate": 0.03}
LETTERS = {"model": "characters", "length": 3, "copies": 8, "hidden": 6, "layers": 1}


def a_method(kind=RewardSoup, budget=10**6, problem=None, **options):
    said = resolve_options(kind.options, {**SMALL, **options}, "it")
    problem = metered(problem or moo.get_problem(BANDIT), budget, 0)
    return kind(problem, budget=budget, seed=0, device="cpu", **said)


def actor(method):
    return method.net.rows(actor_alone=True)


def test_experts_begin_as_one_policy_and_each_climbs_its_own_objective():
    soup, alone = a_method(rest=1000), a_method(FixedWeights, policies=2)
    assert all(torch.equal(part[0], part[1]) for part in actor(soup).values())
    alone.net.load_rows(soup.net.rows())
    alone._first = actor(alone)
    for _ in range(4):
        soup.step(None)
        alone.step(Setting(torch.eye(2, dtype=torch.float64)))
    assert all(torch.equal(part, actor(alone)[name]) for name, part in actor(soup).items())
    for _ in range(80):
        soup.step(None)
    rewards = moo.get_problem(BANDIT).rewards
    assert (soup.finals().objectives.diagonal() > 0.9 * rewards.amax(dim=0)).all()


def test_averages_are_those_of_a_literal_loop_and_corners_are_the_experts():
    soup = a_method(rest=1000)
    for _ in range(5):
        soup.step(None)
    wanted = torch.tensor([[1.0, 0.0], [0.3, 0.7], [0.0, 1.0]], dtype=torch.float64)
    found = soup.policies_for(wanted)
    assert found.objectives.isnan().all()
    assert torch.equal(found.preferences, wanted)
    for name, part in actor(soup).items():
        for row, (first, second) in enumerate(wanted.tolist()):
            expected = first * part[0] + second * part[1]
            torch.testing.assert_close(found.extras[f"parameters.{name}"][row], expected)
        assert torch.equal(found.extras[f"parameters.{name}"][0], part[0])


def test_averages_are_evaluated_as_they_are():
    soup = a_method(rest=3, evaluated=3, episodes=2000)
    for _ in range(3):
        told = soup.step(None)
    assert len(told) == 3
    assert told.extras["episodes"].tolist() == [2000] * 3
    rows = {name.removeprefix("parameters."): part for name, part in told.extras.items() if "parameters." in name}
    inputs = torch.ones(3, 1, 1)
    hidden = torch.tanh(inputs @ rows["actor.weights.0"] + rows["actor.biases.0"])
    chances = (hidden @ rows["actor.weights.1"] + rows["actor.biases.1"]).softmax(dim=2)[:, 0].double()
    exact = chances @ moo.get_problem(BANDIT).rewards
    assert ((told.objectives - exact).abs() < 4 * told.extras["standard_error"]).all()
    assert soup.problem.used == 3 * 32 + 3 * 2000


def test_what_cannot_be_paid_is_not_evaluated():
    soup = a_method(rest=1, evaluated=3, episodes=10, budget=32 + 29)
    assert soup.step(None).preferences.tolist() == [[1.0, 0.0], [0.0, 1.0]]  # the experts alone
    assert soup.problem.used == 32
    assert len(soup.finals()) == 2


def test_a_search_gives_the_soups_front():
    result = moo.pareto_search(
        BANDIT, "reward-soup", budget=4000, options={**SMALL, "rest": 20, "evaluated": 5}, progress=False
    )
    assert 2 <= len(result.finals) <= 5  # those of them that fresh episodes find on a front
    assert result.feasible
    inner = (result.additions.preferences > 0).all(dim=1)
    assert inner.any()


def test_a_stored_state_goes_on_exactly(tmp_path):
    first = a_method(rest=3, evaluated=3, episodes=4)
    for _ in range(4):
        first.step(None)
    write_state(tmp_path / "state", first.state_dict())
    other = a_method(rest=3, evaluated=3, episodes=4)
    other.problem.load_state_dict(first.problem.state_dict())
    other.load_state_dict(read_state(tmp_path / "state"))
    assert torch.equal(first.finals().objectives, other.finals().objectives)
    for _ in range(3):
        one, same = first.step(None), other.step(None)
        assert torch.equal(one.objectives, same.objectives)


def test_it_takes_no_number_of_policies():
    with pytest.raises(ValueError, match="policies"):
        a_method(policies=3)


# --------------------------------------------------------------------------------------------------- the budget
def an_averaging(problem, budget):
    """A soup one step of which costs 16, and whose averages cost 30; and what the step told."""
    how = {**LETTERS, "rest": 1, "evaluated": 3, "episodes": 10, "interval": 1}
    soup = a_method(problem=problem, budget=budget, **how)
    return soup, soup.step(None)


def test_texts_that_cannot_be_paid_are_not_evaluated():
    soup, told = an_averaging(ToyText(), 16 + 29)
    assert told.preferences.tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert (soup.problem.used, soup.problem.trimmed) == (16, True)
    soup, told = an_averaging(ToyText(), 16 + 30)
    assert len(told) == 2 + 3
    assert (soup.problem.used, soup.problem.trimmed) == (46, False)


def test_of_objects_the_first_are_evaluated():
    (soup, told), (whole, all_told) = (an_averaging(ToyConstruction(), 16 + budget) for budget in (29, 30))
    assert torch.equal(told.solutions, all_told.solutions[:-1])
    assert (len(soup.finals()), len(whole.finals())) == (16, 30)  # of the experts, and of all averages
    assert (soup.problem.trimmed, whole.problem.trimmed) == (True, False)


@pytest.mark.parametrize("problem", [ToyText, ToyConstruction])
def test_a_larger_budget_goes_on_to_the_averages_that_it_could_have_paid(problem, tmp_path):
    def search(budget, **arguments):
        options = {**LETTERS, "rest": 2, "evaluated": 3, "episodes": 6, "interval": 1}
        how = {"budget": budget, "options": options, "progress": False, "reevaluations": 3}
        return moo.pareto_search(problem(), "reward-soup", **how, **arguments)

    whole = search(120)
    search(40, checkpoint=tmp_path)  # two steps of 16, and too little for 3 averages
    assert_same_results(search(120, checkpoint=tmp_path), whole)
    assert (whole.generator.finals().preferences == 0.5).any()


# --------------------------------------------------------------------------------------------------- objects
def test_averages_build_the_objects_that_they_are_evaluated_by():
    soup = a_method(problem=ToyConstruction(), rest=3, evaluated=3, episodes=5)
    for _ in range(3):
        told = soup.step(None)
    found = told.rows(slice(32, None))
    assert len(found) == 15
    assert soup.problem.used == 3 * 32 + 15
    assert found.preferences[:, 0].tolist() == [p for p in soup._lattice[:, 0].tolist() for _ in range(5)]
    net = soup._networks(3)
    with torch.no_grad():
        for name, part in net.actor.named_parameters():
            first, second = actor(soup)[f"actor.{name}"]
            for row, (p, q) in enumerate(soup._lattice.tolist()):
                part[row] = p * first + q * second
    problem = metered(ToyConstruction(), 100, 0)
    _, expected = build(problem, net, soup.observer, 5, torch_generator(0, "averages", 3), soup._lattice)
    assert torch.equal(found.solutions, expected.solutions)
    assert torch.equal(found.objectives, expected.objectives)
    assert torch.equal(soup.finals().solutions, expected.solutions)


def test_a_search_of_n_grams_finds_objects_between_the_experts():
    options = {"copies": 16, "hidden": 16, "layers": 1, "rest": 10, "evaluated": 5, "episodes": 8}
    result = moo.pareto_search("ngrams", "reward-soup", budget=400, options=options, progress=False)
    assert result.record["used"] == 400
    assert len(result.finals) == 40
    assert set(result.finals.preferences[:, 0].tolist()) == {0.0, 0.25, 0.5, 0.75, 1.0}
    assert len(result.front.extras["object"]) == len(result.front) > 0


# --------------------------------------------------------------------------------------------------- texts
def share(letters):
    return lambda prompts, completions: [sum(c in letters for c in text) for text in completions]


HALVES = {"low": share("abcdefghijklm"), "high": share("nopqrstuvwxyz")}


def test_averages_of_language_models_are_worth_what_enumeration_says():
    # One character each: its chances under a literal average of the weights give the exact rewards.
    soup = a_method(problem=Text(HALVES), rest=12, evaluated=3, episodes=1000, **{**LETTERS, "length": 1, "copies": 32})
    for _ in range(12):
        told = soup.step(None)
    found = told.rows(torch.nonzero(told.extras["episodes"] == 1000).flatten())
    assert len(found) == 3
    model, contexts = soup.net.model, soup.net.model.contexts([""])[None]
    scores = torch.tensor([HALVES[key]([], model.alphabet.characters) for key in HALVES], dtype=torch.float64).T
    for row, (p, q) in enumerate(found.preferences.tolist()):
        weights = {name: (p * part[0] + q * part[1])[None] for name, part in soup.net.actor.items()}
        with torch.no_grad():
            law = model.begin(weights, contexts, 1)[0][0, 0].exp().double()
        exact = law[1 : model.end] @ scores
        assert ((found.objectives[row] - exact).abs() < 4 * found.extras["standard_error"][row] + 1e-9).all()
    assert soup.problem.used == 12 * 64 + 3000
    assert torch.equal(soup.finals().objectives, found.objectives)
    by = {tuple(row): values for row, values in zip(found.preferences.tolist(), found.objectives, strict=True)}
    assert by[1.0, 0.0][0] > by[0.0, 1.0][0] + 0.1
    assert by[0.0, 1.0][1] > by[1.0, 0.0][1] + 0.1


def test_experts_with_value_heads_begin_as_one_language_model():
    soup = a_method(problem=ToyText(), estimator="ppo", **LETTERS)
    for name, part in soup.net.state_dict().items():
        assert torch.equal(part[0], part[1]), name
    soup.step(None)
    assert not torch.equal(soup.net.actor["output"][0], soup.net.actor["output"][1])


class OddOnes(ToyText):
    def score(self, prompts, completions):
        odd = torch.tensor([len(text) % 2 == 1 for text in completions])
        return torch.where(odd[:, None], float("nan"), super().score(prompts, completions))


def test_completions_without_a_score_are_dropped_from_what_averages_are_worth():
    soup = a_method(problem=OddOnes(), rest=1, evaluated=3, episodes=40, **{**LETTERS, "length": 2})
    with torch.no_grad():
        soup.net.actor["offset"][..., soup.net.model.end] += 3.0  # many end at once, some after one character
    soup.step(None)
    told = soup.finals()
    assert torch.isfinite(told.objectives).all()
    assert 0 < told.extras["dropped"].sum() < 120
    assert (told.extras["dropped"] + told.extras["episodes"]).tolist() == [40] * 3


def test_a_search_gives_the_front_of_soups_of_language_models():
    options = {**LETTERS, "rest": 2, "evaluated": 5, "episodes": 8, "interval": 10}
    result = moo.pareto_search(
        ToyText(), "reward-soup", budget=72, options=options, progress=False, reevaluations=4, seed=3
    )
    assert result.record["used"] == 72
    assert result.record["reevaluated"]
    texts = result.generator.complete(result.front, ["prompt 1"] * len(result.front))
    assert len(texts) == len(result.front) > 0


def test_the_product_of_averaged_adapters_is_that_of_averages_without_what_goes_together(tmp_path):
    pytest.importorskip("peft")
    from tiny_hub import a_model

    folder = a_model(tmp_path / "gpt2", spread=8.0)
    how = {**LETTERS, "model": folder, "lora": 2, "learning_rate": 0.05}
    soup = a_method(problem=Text({"a": share("abcde"), "f": share("fghij")}), rest=100, **how)
    before = actor(soup)
    for _ in range(3):
        soup.step(None)
    shares = torch.tensor([0.3, 0.7])
    found = soup.policies_for(shares.double()[None])
    columns = {name: part[0] for name, part in found.extras.items() if name.startswith("parameters.")}
    experts = actor(soup)
    assert {f"parameters.{name}" for name in experts} == set(columns)
    assert all("lora" in name for name in columns)
    largest = 0.0
    for name, down in experts.items():
        if "lora_A" not in name:
            continue
        other = name.replace("lora_A", "lora_B")
        up = experts[other]
        assert torch.equal(before[name][0], before[name][1])
        assert not before[other].any()
        product = columns[f"parameters.{other}"] @ columns[f"parameters.{name}"]
        products = torch.einsum("i,iab->ab", shares, up @ down)
        away = (up - columns[f"parameters.{other}"]) @ (down - columns[f"parameters.{name}"])
        together = torch.einsum("i,iab->ab", shares, away)
        torch.testing.assert_close(product, products - together, rtol=1e-4, atol=1e-6)
        largest = max(largest, float(together.abs().max()))
    assert largest > 1e-3
    soup.save_policy(found, 0, tmp_path / "saved")
    assert (tmp_path / "saved" / "adapter_model.safetensors").exists()
