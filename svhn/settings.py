"""The environment variables that settings come from."""

# Which digits, how many drawn ones to train on as well, and how much longer than its recipe says a training is.
SOURCE_VARIABLE, EXTENSION_VARIABLE, LENGTH_VARIABLE = "SVHN_DATA", "SVHN_EXTEND", "SVHN_LENGTH"
# Where the weights lie of the network that softens the labels.
TEACHER_VARIABLE = "SVHN_TEACHER"
