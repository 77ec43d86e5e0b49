"""The sources of digits, and their split.

In: a source's name, files in `data/`, OpenML's data set 41081, or photos.
Out: `Digits` of one source, from `sources.load_digits`; their `Split`, from `protocol.split_digits`.
"""
