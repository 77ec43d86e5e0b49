"""The written answers."""

answer_q_1_1 = (
    "Four dense layers, each narrower than the one before, read the colour images after pooling them to 8x8."
)

answer_q_1_2 = (
    "Grey images with the contrast raised help: what tells a digit is its shape and not its colour."
)

answer_q_1_3 = (
    "Batch normalisation made training faster; dropout cost accuracy in a network as small as this one."
)

answer_q_2_1 = (
    "Two convolutions of eight channels, each followed by pooling, find strokes wherever they stand."
)

answer_q_2_2 = (
    "With augmented digits the network trains longer before it overfits, and validation rises a little."
)

answer_q_3_1 = (
    "The test accuracy is close to that of validation. Most confusions are between 3 and 5, which share a bow."
)

answer_q_3_2 = (
    "The first convolution answers to edges, the second to bends and corners; place becomes less exact."
)

answer_q_3_3 = (
    "The map is brightest where the strokes of the digit end, and dark on the neighbouring digit."
)

answer_q_4_1 = (
    "A frozen base does worse than one whose last block is trained on, for its features know no digits yet."
)

answer_q_4_2 = (
    "Fifteen nearest neighbours on the embeddings do about as well as the dense head that they replace."
)
