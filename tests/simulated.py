"""Small environments of Gymnasium with vector rewards, for the tests of its adapter."""

import os
import signal
import time

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete


class Drift(gymnasium.Env):
    """A place on a line, pushed and blown about; each step draws, so that a seed decides more than the beginning.

    Rewards are the place, and what the push cost. Beyond 3 it ends. At step `at` of an episode it does `what`.
    """

    metadata = {"render_modes": []}

    def __init__(self, what="", at=-1, discrete=False, entries=2, bounded=False):
        bound = 10.0 if bounded else np.inf
        self.observation_space = Box(-bound, bound, (2,), np.float64)
        self.action_space = Discrete(3, start=-1) if discrete else Box(-1, 1, (1,), np.float32)
        self.reward_space = Box(-np.inf, np.inf, (2,))
        self.what, self.at, self.discrete, self.entries = what, at, discrete, entries

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place, self.steps = self.np_random.normal(), 0
        return self._seen(), {}

    def step(self, action):
        self.steps += 1
        if self.steps == self.at:
            self._misbehave()
        push = float(action) if self.discrete else float(action[0])
        self.place += 0.5 * push + 0.1 * self.np_random.normal()
        reward = np.array([self.place, -abs(push), 0.0][: self.entries])
        if self.what == "nan" and self.steps == self.at:
            reward[0] = np.nan
        return self._seen(), reward, bool(self.place > 3), False, {}

    def _seen(self):
        return np.array([self.place, np.sin(self.place)])

    def _misbehave(self):
        if self.what == "raise":
            raise ZeroDivisionError("nothing to divide by")
        if self.what == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.what == "hang":
            time.sleep(600)


def drift(**options):
    """What makes one of those, as `FromGymnasium` takes it."""

    def make():
        return Drift(**options)

    return make
