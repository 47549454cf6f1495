"""Generators: one method, one file."""

GENERATORS: dict[str, str] = {
    "nsga2": "moo.generators.evolutionary:NSGA2",
    "nsga3": "moo.generators.evolutionary:NSGA3",
    "moead": "moo.generators.evolutionary:MOEAD",
    "sms-emoa": "moo.generators.evolutionary:SMSEMOA",
    "spea2": "moo.generators.evolutionary:SPEA2",
    "mogfn": "moo.generators.mogfn:MOGFN",
    "moreinforce": "moo.generators.moreinforce:MOReinforce",
    "order-preserving": "moo.generators.order_preserving:OrderPreserving",
    "perfect-sampler": "moo.generators.perfect_sampler:PerfectSampler",
    "ppo-preference": "moo.generators.ppo_preference:PPOPreference",
    "bayesian": "moo.generators.bayesian:Bayesian",
    "pareto-set-learning": "moo.generators.pareto_set_learning:ParetoSetLearning",
    "svh-psl": "moo.generators.svh_psl:SVHPSL",
    "qlognehvi": "moo.generators.qlognehvi:QLogNEHVI",
    "c-morl": "moo.generators.cmorl:CMORL",
    "tabular": "moo.generators.tabular:Tabular",
    "random": "moo.generators.random_search:RandomSearch",
}
