"""Evaluation: what may honestly be said about a model, computed from rows it has not seen.

The room fits folds, scores them against baselines on the same rows, and writes the card; it
knows samples and models, not versions, logs or pages.
"""
