"""lm-evaluation-harness on our models: its tasks, our generator and likelihoods.

Of lm_eval nothing is imported before a harness task runs; the extra `eval` brings it.
"""
