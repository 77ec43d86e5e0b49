"""Digits of house numbers that the project draws.

In: a number of digits and a seed. The tables and typefaces in `fitted/` were fitted to SVHN's photos.
Out: `Digits` that are not real, from `drawing.draw`.
"""
