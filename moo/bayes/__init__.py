"""What methods of Bayesian optimization share: surrogates, improvement over a front, the search for its maximum."""
