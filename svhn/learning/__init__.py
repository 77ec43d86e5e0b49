"""The life of a model: its batches, training, record and weights, evaluation and explanation.

In: a `Split`, and the notebook's networks, preprocessing and augmentation.
Out: `models/NAME.keras` and `NAME.json`, accuracy, learning curves, comparisons and activation maps.
"""
