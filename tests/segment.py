"""Two quadratics whose Pareto set is a segment: an exact belief, for tests of learned Pareto sets."""

import torch


class Segment:
    """Minus the squared distances to two corners of a square, known exactly."""

    ends = torch.tensor([[0.2, 0.3], [0.8, 0.7]], dtype=torch.float64)
    num_outputs = 2

    def moments(self, rows):
        return -((rows[:, None] - self.ends) ** 2).sum(2)[None], torch.full((len(rows), 2), 1e-9, dtype=torch.float64)


def on_segment(preferences):
    """The solution `[k, 2]` of each preference `[k, 2]`: where both weighted shortfalls from (0, 0) are equal.

    On the segment, at a share t of it, that is `p_1 t^2 = p_2 (1 - t)^2`.
    """
    roots = preferences.sqrt()
    share = roots[:, 1] / roots.sum(dim=1)
    return Segment.ends[0] + share[:, None] * (Segment.ends[1] - Segment.ends[0])
