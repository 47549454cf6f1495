"""The claims of `moo reproduce alignment`."""

from moo.benchmarks.claims.claim import Claim

CLAIMS: tuple[Claim, ...] = (
    Claim(
        "PAMA's weights",
        "a quadratic program by scipy on random inputs",
        "PAMA's c: on the simplex and c.A = s* to 1e-12; s*^2 within 1e-12 of an independent QP on random inputs, "
        "n = 2..16; invariant to permutation",
        "moo.benchmarks.perf.gradients:pama_exact",
        quick="the same, fewer programs",
    ),
    Claim(
        "What PAMA's weights cost",
        "the bar alone",
        "solve cost, one thread: <= .02 ms scalar; <= .3 ms in all for the per-token form over 8,192 tokens; <= "
        ".15 ms PAMA-G at n <= 16; the same at 1e4 and 1e8 parameters",
        "moo.benchmarks.perf.gradients:pama_cost",
        quick="n = 2 and 16 alone",
    ),
    Claim(
        "The shortest combination of gradients, from their Gram matrix",
        "TorchJD 0.18's MGDA",
        "minimum norm on a given Gram, m = 2..16: >= 3x faster than torchjd's MGDA and exact (its relative gap is "
        "1e-3 at m = 16)",
        "moo.benchmarks.perf.gradients:shortest",
        quick="m = 2, 3, 16 alone",
    ),
    Claim(
        "Weights by influence",
        "the closed form",
        "DRW influence weights: equal the closed form to 1e-12; floor honoured",
        "moo.benchmarks.perf.gradients:influence_exact",
        quick="n = 2 and 16 alone",
    ),
    Claim(
        "A concave front by exact gradients",
        "linear preferences and DRW-2, which stay at its ends; PAMA-G without levels, which ignores preferences",
        "Fonseca-Fleming (concave), exact gradients, 11 preferences in [.05, .95]: smooth Tchebycheff (annealed), "
        "EPO, hypervolume gradient, preference-conditioned PAMA: >= 10 of 11 finals inside the front (>= .02 from "
        "its ends) and within 1e-3 of it, hypervolume >= .86 on the scale where the best 11 points reach .887, "
        "Spearman of preference and objective >= .95 (hypervolume gradient exempt), <= 5 s each. Linear and DRW-2 "
        "finals stay at the ends, and PAMA-G without a value term ignores its preference",
        "moo.benchmarks.perf.gradients:concave_front",
        quick="the same, one seed",
    ),
    Claim(
        "The hypervolume-guided factor",
        "moocore's hypervolume",
        "DRW hypervolume: equals moocore to 1e-12, points below the reference included",
        "moo.benchmarks.perf.gradients:factor_exact",
        quick="the same, 300 cases",
    ),
    Claim(
        "Where a factor of the rewards acts",
        "the same run with the factor fixed at 1",
        "DRW effect test: final parameters differ from those with the factor fixed at 1 by > 1e-3 in relative norm "
        "for every estimator where the docs say it acts, and by <= 1e-5 where they say it is inert",
        "moo.benchmarks.perf.alignment:effect",
        quick="the same, one seed, fewer steps",
    ),
    Claim(
        "Weights by influence on bandits",
        "equal weights, all that a policy passes through",
        "three-objective bandit (40 arms, rewards on the sphere's octant), mean of 5 seeds: archive hypervolume >= "
        "1.10x equal weights' at mu = .001 and .01 (the exponent is eta I / mu), >= .99x at .1 and 1",
        "moo.benchmarks.perf.alignment:influence_on_bandits",
        quick="the same, 2 seeds",
    ),
    Claim(
        "Objectives that are learned at different speeds",
        "fixed weights",
        "asynchronous saturation toy, `reward-weighting` by influence: saturated objective's weight falls below "
        ".25; steps to the front at least 5 % fewer than fixed weights",
        "moo.benchmarks.perf.alignment:saturation",
        quick="the same",
    ),
    Claim(
        "PAMA by step on bandits and n-grams",
        "fixed weights, and the other methods of its kind, at equal budget",
        "per-token PAMA against fixed weights on n-grams and bandits: reported whatever it is",
        "moo.benchmarks.perf.alignment:fronts",
        quick="the same, one seed, a twentieth of the budget",
    ),
    Claim(
        "Whether PAMA ends at a Pareto-stationary point",
        "its second theorem; the least combination of the exact gradients at the start",
        "exact-gradient min-norm value on a smooth bandit: reported whatever it is",
        "moo.benchmarks.perf.alignment:stationarity",
        quick="the same, 2 seeds, a fifth of the steps",
    ),
    Claim(
        "Policies under constraints, on bandits",
        "the best feasible arm; the best feasible mixture of arms, by a linear program",
        "constrained, bandits (exact): feasible rate > 95 % with reward within 5 % of the best feasible by exact "
        "search; multipliers settle, thresholds met within 2 %",
        "moo.benchmarks.perf.constrained:bandits",
        quick="the same, one seed",
    ),
    Claim(
        "Policies under constraints, on text",
        "sentiment alone, without constraints, at the same number of updates",
        "constrained, offline text with length <= a stated limit (30 of 40 characters) and the harmlessness classifier "
        "(at least .9) as judges: feasible rate > 95 % with reward within 5 % of the unconstrained run; multipliers "
        "settle, thresholds met within 2 %",
        "moo.benchmarks.perf.constrained_text:text",
        quick="the same, one seed, a third of the updates",
    ),
    Claim(
        "Reward soups on bandits",
        "policies trained for each preference; the line between the experts",
        "gap to the separately trained mixture and the barrier on the linear path: reported whatever they are",
        "moo.benchmarks.perf.constrained:soups",
        quick="the same, one seed, a tenth of the steps",
    ),
    Claim(
        "PAMA by step on text",
        "the policy that it begins as; equal weights, tuned with as many trials on another seed",
        "offline text, sentiment + length, 8 stated seeds; PAMA and equal weights tuned with the same number of trials "
        "on other seeds: per-token PAMA dominates the start in 8/8 and is dominated by equal weights in 0/8; win / tie "
        "/ loss with 95 % intervals is reported whatever it is",
        "moo.benchmarks.perf.text_alignment:dominance",
        quick="the same, 2 seeds, a third of the updates",
    ),
)
