"""Generators: one method, one file."""

GENERATORS: dict[str, str] = {
    "nsga2": "moo.generators.evolutionary:NSGA2",
    "nsga3": "moo.generators.evolutionary:NSGA3",
    "moead": "moo.generators.evolutionary:MOEAD",
    "sms-emoa": "moo.generators.evolutionary:SMSEMOA",
    "spea2": "moo.generators.evolutionary:SPEA2",
    "mogfn": "moo.generators.mogfn:MOGFN",
    "mogfn-al": "moo.generators.mogfn_al:MOGFNAL",
    "moreinforce": "moo.generators.moreinforce:MOReinforce",
    "order-preserving": "moo.generators.order_preserving:OrderPreserving",
    "perfect-sampler": "moo.generators.perfect_sampler:PerfectSampler",
    "ppo-preference": "moo.generators.ppo_preference:PPOPreference",
    "bayesian": "moo.generators.bayesian:Bayesian",
    "pareto-set-learning": "moo.generators.pareto_set_learning:ParetoSetLearning",
    "svh-psl": "moo.generators.svh_psl:SVHPSL",
    "qlognehvi": "moo.generators.qlognehvi:QLogNEHVI",
    "c-morl": "moo.generators.cmorl:CMORL",
    "fixed-weights": "moo.generators.fixed_weights:FixedWeights",
    "smooth-tchebycheff": "moo.generators.smooth_tchebycheff:SmoothTchebycheff",
    "pama": "moo.generators.pama:PAMA",
    "constrained": "moo.generators.constrained:Constrained",
    "reward-weighting": "moo.generators.reward_weighting:RewardWeighting",
    "reward-soup": "moo.generators.reward_soup:RewardSoup",
    "morl-d": "moo.generators.morld:MORLD",
    "tabular": "moo.generators.tabular:Tabular",
    "random": "moo.generators.random_search:RandomSearch",
}

# Methods of others, by name: `moo.benchmarks.peers` enrols them when it is imported. They are found like ours, but
# never listed with ours, chosen by `method="auto"` or proposed where a method does not fit.
ENROLLED: dict[str, str] = {}
