"""Toy problems of all four kinds and toy methods, so that the whole contract is exercised in seconds."""

import functools
import itertools
import time

import numpy as np
import torch

from moo.base import Candidates, ConstructionProblem, EnvironmentProblem, Evaluation, TextProblem, VectorProblem
from moo.dominance import non_dominated
from moo.gflow.oracle import enumerated
from moo.gflow.policies import ConditionalPolicy
from moo.options import Option
from moo.rl.models import FiniteModel
from moo.seeding import torch_generator
from moo.space import Space, categorical, integer, real


class ToyVector(VectorProblem):
    """Squared distances to m corners: minimised, with a convex front; optionally constrained, noisy, mixed or failing.

    Args:
        fails: "" or what happens where the first column is below `fails_below`: "nan", "raise", "flag".
    """

    def __init__(
        self,
        num_objectives=2,
        dim=3,
        *,
        directions=None,
        constrained=False,
        infeasible=False,
        noise=0.0,
        mixed=False,
        fails="",
        fails_below=0.5,
        reference=True,
        delay=0.0,
    ):
        self.name = "toy-vector"
        self.num_objectives = num_objectives
        self.directions = directions or ("min",) * num_objectives
        columns = [real(0, 1) for _ in range(dim)]
        if mixed:
            columns[-1] = integer(0, 4)
        self.space = Space(tuple(columns))
        self.num_constraints = 2 if constrained or infeasible else 0
        self.infeasible = infeasible
        self.noise = noise
        self.stochastic = noise > 0
        self.fails, self.fails_below = fails, fails_below
        self.reference_point = self.turn(torch.full((num_objectives,), 4.0)).tolist() if reference else None
        self.delay = delay
        self.calls = []  # rows of each call: lets a test count what was really paid

    def turn(self, objectives):
        return objectives * torch.tensor([1.0 if word == "min" else -1.0 for word in self.directions])

    def evaluate(self, solutions, generator=None):
        self.calls.append(len(solutions))
        time.sleep(self.delay)
        bad = solutions[:, 0] < self.fails_below if self.fails else torch.zeros(len(solutions), dtype=torch.bool)
        if self.fails == "raise" and bad.any():
            raise ArithmeticError("the simulator crashed")
        scaled = (solutions - self.space.lower) / (self.space.upper - self.space.lower)
        corners = torch.eye(self.num_objectives, self.space.dim, dtype=torch.float64)
        objectives = ((scaled[:, None, :] - corners) ** 2).sum(dim=2)
        if self.noise:
            objectives = objectives + self.noise * torch.randn(
                objectives.shape, generator=generator, dtype=torch.float64
            )
        objectives = self.turn(objectives)
        if self.fails == "nan":
            objectives = torch.where(bad[:, None], float("nan"), objectives)
        constraints = None
        if self.num_constraints:
            margin = 0.2 - scaled[:, :1] if not self.infeasible else 1.0 + scaled[:, :1]
            constraints = torch.cat([margin, scaled[:, :1] - 0.9], dim=1)
        flags = {"failed": bad, "reasons": {3: "sensor off"}} if self.fails == "flag" else {}
        return Evaluation(objectives, constraints, **flags) if constraints is not None or flags else objectives


class ToyEnvironment(EnvironmentProblem):
    """A corridor: a small treasure near on the left, a large one far on the right; each step costs one."""

    def __init__(self, num_objectives=2, *, slip=0.0, continuous=False, nan_at=None):
        self.name = "toy-environment"
        self.num_objectives = num_objectives
        self.directions = ("max",) * num_objectives
        self.observation_space = Space((integer(-12, 12, "position"),))
        self.action_space = Space((real(-1, 1, "push"),) if continuous else (categorical(["left", "right"], "push"),))
        self.gamma, self.max_steps = 0.9, 12
        self.slip, self.stochastic = slip, slip > 0
        self.nan_at = nan_at

    def reset(self, n, generator=None):
        return torch.zeros(n, 2, dtype=torch.float64)  # position, steps

    def observe(self, state):
        return state[:, :1]

    def action_mask(self, state):
        return None if self.action_space.columns[0].kind == "real" else torch.ones(len(state), 2, dtype=torch.bool)

    def step(self, state, actions, generator=None):
        move = torch.where(actions.reshape(len(state), -1)[:, 0] > 0, 1.0, -1.0).to(torch.float64)
        if self.slip:
            slipped = torch.rand(len(state), generator=generator, dtype=torch.float64) < self.slip
            move = torch.where(slipped, -move, move)
        state = torch.stack([state[:, 0] + move, state[:, 1] + 1], dim=1)
        place = state[:, 0]
        terminated = (place <= -2) | (place >= 6)
        treasure = (place <= -2).double() + 10 * (place >= 6).double()
        cost = torch.full_like(treasure, -1.0)
        rewards = torch.stack([treasure, cost, place.abs() / 6, move, -place][: self.num_objectives], dim=1)
        if self.nan_at is not None:
            rewards = torch.where((place == self.nan_at)[:, None], float("nan"), rewards)
        return state, rewards, terminated, state[:, 1] >= self.max_steps


class ToyConstruction(ConstructionProblem):
    """Words of up to `length` letters over "abc" and an end mark; the objectives are shares of letters."""

    def __init__(self, num_objectives=2, length=4):
        self.name = "toy-construction"
        self.num_objectives = num_objectives
        self.directions = ("max",) * num_objectives
        self.length = length
        self.num_actions, self.max_steps = 4, length + 1
        self.feature_sizes = (5,) * (length + 1)
        self.reference_point = [-0.1] * num_objectives

    def start(self, n):
        return torch.full((n, self.length + 1), -1, dtype=torch.int64)

    def _filled(self, state):
        return (state >= 0).sum(dim=1)

    def step(self, state, actions):
        place = self._filled(state)
        state = state.clone()
        state[torch.arange(len(state)), place] = actions
        return state, actions == 3

    def undo(self, state, actions):
        state = state.clone()
        state[torch.arange(len(state)), self._filled(state) - 1] = -1
        return state

    def action_mask(self, state):
        letters = (self._filled(state) < self.length)[:, None].expand(-1, 3)
        return torch.cat([letters, torch.ones(len(state), 1, dtype=torch.bool)], dim=1)

    def backward_mask(self, state):
        last = state.gather(1, (self._filled(state) - 1).clamp(min=0)[:, None]).squeeze(1)
        return torch.nn.functional.one_hot(last.clamp(min=0), 4).bool() & (self._filled(state) > 0)[:, None]

    def features(self, state):
        return state + 1

    def evaluate(self, solutions, generator=None):
        shares = [(solutions == letter).sum(dim=1) / self.length for letter in (0, 1, 2)]
        shares += [shares[0] * shares[1], shares[1] * shares[2]]
        return torch.stack(shares[: self.num_objectives], dim=1).to(torch.float64)

    def decode(self, solutions):
        return ["".join("abc$"[letter] for letter in row if letter >= 0) for row in solutions.tolist()]

    @functools.cached_property
    def oracle(self):
        words = [word for length in range(self.length + 1) for word in itertools.product(range(3), repeat=length)]
        states = torch.tensor([[*word, 3, *[-1] * (self.length - len(word))] for word in words])
        place = {tuple(state): i for i, state in enumerate(states.tolist())}
        objectives = self.evaluate(states)
        front = torch.unique(objectives[non_dominated(objectives)], dim=0)
        return enumerated(objectives, states, lambda s: torch.tensor([place[tuple(row)] for row in s.tolist()]), front)


class ToyText(TextProblem):
    """Completions scored by their share of vowels and of the letter z."""

    def __init__(self, num_objectives=2, *, fails=False):
        self.name = "toy-text"
        self.num_objectives = num_objectives
        self.directions = ("max",) * num_objectives
        self.fails = fails

    def prompts(self, n, generator):
        numbers = torch.randint(0, 10, (n,), generator=generator).tolist()
        return [f"prompt {number}" for number in numbers]

    def score(self, prompts, completions):
        shares = [
            [sum(c in group for c in text) / max(len(text), 1) for group in ("ae", "z", "x", "az", "ex")]
            for text in completions
        ]
        scores = torch.tensor(shares, dtype=torch.float64).reshape(len(completions), 5)[:, : self.num_objectives]
        return torch.full_like(scores, float("nan")) if self.fails else scores


class ToyConditional:
    """A conditional method: a linear map from preference to solution, moved towards what scored best."""

    kinds = ("vector",)
    columns = ("real", "integer", "categorical")
    encodings = ()
    max_objectives = None
    constraints = True
    uses_preferences = True
    schedules_by_budget = False
    options = {
        "round": Option(3, low=1, high=100, help="preferences of a setting"),
        "rounds": Option(2, low=1, high=100, help="steps that a setting stays in force"),
        "tries": Option(6, low=2, high=100, help="rows drawn for each preference"),
        "width": Option(0.3, low=0.0, high=1.0, changes=True, help="standard deviation of the draws"),
    }
    finished = ""

    def __init__(self, problem, *, budget, seed, device, initial=None, round, rounds, tries, width):
        self.problem, self.seed, self.device = problem, seed, device
        self.preferences_per_round, self.rounds, self.tries, self.width = round, rounds, tries, width
        shape = (problem.num_objectives, problem.space.dim)
        self.map = 0.2 * torch.randn(shape, generator=torch_generator(seed, "map"), dtype=torch.float64)
        self.steps, self.left = 0, 0

    @property
    def wants_setting(self):
        return self.left == 0

    def _solutions(self, preferences, stream, width):
        unit = torch.sigmoid(4 * preferences @ self.map)
        unit = unit + width * torch.randn(unit.shape, generator=stream, dtype=torch.float64)
        return self.problem.space.from_unit(unit.clamp(0, 1))

    def step(self, setting):
        self.left = (self.left or self.rounds) - 1
        width = setting.hyperparameters.get("width", self.width)
        followed = setting.preferences.repeat_interleave(self.tries, dim=0)
        n = self.problem.affordable(len(followed))
        stream = torch_generator(self.seed, "draws", self.steps)
        self.steps += 1
        solutions = self._solutions(followed, stream, width)[:n]
        rows = torch.arange(len(setting.preferences)).repeat_interleave(self.tries)[:n]
        told = self.problem.evaluate(solutions, preferences=followed[:n], extras={"setting_row": rows})
        fine = told.rows(~told.failed)
        if len(fine):
            score = (fine.objectives * fine.preferences).sum(dim=1)
            best = fine.rows(score.argsort(descending=True)[: max(1, len(fine) // 4)])
            unit = (best.solutions - self.problem.space.lower) / (self.problem.space.upper - self.problem.space.lower)
            self.map = self.map + 0.05 * best.preferences.T @ (unit - torch.sigmoid(4 * best.preferences @ self.map))
        return told

    def finals(self):
        return None

    def sample(self, preferences, seed=0):
        return self._solutions(preferences, torch_generator(seed, "sample"), self.width)

    def state_dict(self):
        return {"map": self.map, "steps": self.steps, "left": self.left}

    def load_state_dict(self, state):
        self.map, self.steps, self.left = state["map"], state["steps"], state["left"]


class ToyWriter:
    """A text method: policies that draw letters from a softmax, trained by REINFORCE with Adam."""

    kinds = ("text",)
    columns = ()
    encodings = ()
    max_objectives = None
    constraints = False
    uses_preferences = True
    schedules_by_budget = False
    options = {"batch": Option(8, low=2, high=100, help="completions of each policy in a step")}
    letters = "abcexz"
    finished = ""
    preferences_per_round = 4

    def __init__(self, problem, *, budget, seed, device, initial=None, batch):
        self.problem, self.seed, self.batch = problem, seed, batch
        self.logits = torch.zeros(self.preferences_per_round, len(self.letters), requires_grad=True)
        self.adam = torch.optim.Adam([self.logits], lr=0.3)
        self.steps, self.wants_setting = 0, True

    def step(self, setting):
        self.wants_setting = False  # one setting for the whole run: each policy keeps its preference
        policies, batch = self.problem.affordable(self.preferences_per_round, self.batch), self.batch
        if policies * batch > self.problem.remaining:
            batch = self.problem.remaining
        stream = torch_generator(self.seed, "letters", self.steps)
        chances = self.logits[:policies].softmax(dim=1)
        drawn = torch.multinomial(chances.repeat_interleave(batch, dim=0).detach(), 5, True, generator=stream)
        texts = ["".join(self.letters[i] for i in row) for row in drawn.tolist()]
        scores, failed = self.problem.score(self.problem.prompts(len(texts)), texts)
        objectives = scores.reshape(policies, batch, -1).mean(dim=1)
        utility = (scores * setting.preferences[:policies].repeat_interleave(batch, dim=0)).sum(dim=1)
        advantage = utility.reshape(policies, batch) - utility.reshape(policies, batch).mean(dim=1, keepdim=True)
        logs = chances.log().repeat_interleave(batch, dim=0).gather(1, drawn).sum(dim=1)
        if not failed.any():
            self.adam.zero_grad()
            (-(advantage.reshape(-1).float() * logs).mean()).backward()
            self.adam.step()
        first, self.steps = self.steps * self.preferences_per_round, self.steps + 1
        failed = failed.reshape(policies, batch).any(dim=1)
        return Candidates.of(
            torch.arange(first, first + policies)[:, None],
            objectives,
            setting.preferences[:policies],
            failed=failed,
            reason=np.where(failed.numpy(), "a score was not finite", ""),
            used=torch.full((policies,), self.problem.used),
            **{"parameters.logits": self.logits.detach()[:policies].clone()},
        )

    def finals(self):
        return None

    def state_dict(self):
        return {
            "logits": self.logits.detach(),
            "adam": self.adam.state_dict(),
            "steps": self.steps,
            "wants_setting": self.wants_setting,
        }

    def load_state_dict(self, state):
        with torch.no_grad():
            self.logits.copy_(state["logits"])
        self.adam.load_state_dict(state["adam"])
        self.steps, self.wants_setting = state["steps"], state["wants_setting"]


def small_policy(problem, *, flow=True, backward=True, condition_size=3, seed=0):
    """A small conditional policy for a construction problem."""
    return ConditionalPolicy(
        problem.feature_sizes,
        problem.num_actions,
        condition_size,
        hidden=16,
        layers=2,
        flow=flow,
        backward=backward,
        generator=torch.Generator().manual_seed(seed),
    )


def finite_model(successors, chances, rewards, ends, start=0):
    """Nested lists `[s, a, k]` as a model."""
    float64 = {"dtype": torch.float64}
    return FiniteModel(
        torch.tensor(successors),
        torch.tensor(chances, **float64),
        torch.tensor(rewards, **float64),
        torch.tensor(ends),
        start,
    )


def random_finite_model(seed, places=3, actions=2, outcomes=2, m=2):
    """Tables at random; outcomes of an action lead to different places, some of them are impossible."""
    stream = np.random.default_rng(seed)
    shape = (places, actions, outcomes)
    successors = stream.permuted(np.broadcast_to(np.arange(places), (*shape[:2], places)), axis=2)[:, :, :outcomes]
    chances = stream.integers(0, 4, shape) + np.eye(outcomes, dtype=int)[0]
    chances = chances / chances.sum(axis=2, keepdims=True)
    rewards = stream.integers(-3, 4, (*shape, m)).astype(float)
    ends = stream.random(shape) < 0.25
    return FiniteModel(*(torch.from_numpy(table.copy()) for table in (successors, chances, rewards, ends)), start=0)


TOY_GENERATORS = {"toy-conditional": "inputs:ToyConditional", "toy-writer": "inputs:ToyWriter"}
TOY_PROBLEMS = {"vector": ToyVector, "environment": ToyEnvironment, "construction": ToyConstruction, "text": ToyText}
