"""Digits of house numbers that the project draws.

In: how many, and a seed; tables and typefaces fitted to SVHN's photos, in `fitted/`.
Out: `Digits` that are not real, from `drawing.draw`.
"""
