"""The sources of digits, and their split.

In: the name of a source (files in `data/`, OpenML's data set 41081, drawn digits), or photos.
Out: `Digits` from `sources.load_digits`, and their `Split` from `protocol.split_digits`.
"""
