"""The life of a model: its batches, training, record and weights, evaluation and explanation.

In: a `Split`, and networks, preprocessing and augmentation that the notebook defines.
Out: `models/NAME.keras` and `NAME.json`, their accuracy, learning curves and activation maps.
"""
