"""The written answers."""

answer_q_1_1 = (
    "I average 4x4 pixels first, then three dense layers of 48, 32 and 16 units. More only learned by heart."
)

answer_q_1_2 = (
    "Each image is made grey and stretched from black to white, since a shadow should not change what is read."
)

answer_q_1_3 = (
    "Batch normalisation after each layer and dropout of a tenth before the last one. It learns more evenly."
)

answer_q_2_1 = (
    "Three convolutions of 8, 12 and 16 channels with pooling between them, so that a digit may stand anywhere."
)

answer_q_2_2 = (
    "Digits are moved by up to two pixels. Turning them upside down would make a 9 of a 6, so I did not."
)

answer_q_3_1 = (
    "Most mistakes are digits with a neighbour in the picture, which is read instead of the middle one."
)

answer_q_3_2 = (
    "conv1 still looks like the digit, conv2 like its strokes, and in conv3 only a few places are left."
)

answer_q_3_3 = (
    "The bright places are the ends of strokes; the background counts for nothing, as I had hoped."
)

answer_q_4_1 = (
    ""
)

answer_q_4_2 = (
    ""
)
