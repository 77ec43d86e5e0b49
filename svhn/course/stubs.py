"""The stubs that students find in place of solutions, by the cell's id in nbgrader; read as text, never run."""

# %% definitions
import svhn.backend

svhn.backend.load_keras()  # First: quietly, and as fast as the processor can.

import functools

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import layers, optimizers

import answers
import svhn.learning.comparison
import svhn.learning.evaluation
from svhn.backend import print_versions
from svhn.data.protocol import extend_training, split_digits
from svhn.data.sources import load_digits
from svhn.digits import model_input
from svhn.learning.batches import Augmented, Preprocessed, predict
from svhn.learning.comparison import Variant
from svhn.learning.explanation import activations, class_activation_map, layer_cam
from svhn.learning.figures import enlarge, overlay, plot_images, plot_network, plot_reliability, show_plot
from svhn.learning.reliability import expected_calibration_error
from svhn.learning.vgg16 import vgg16_base
from svhn.notebook.results import show_answer, show_figures, show_results
from svhn.settings import Settings

svhn.learning.figures.use_style()


# %% training
# What your trainings share, if you like: optimizer, loss, learning rate, and metrics=["accuracy"].


# %% definitions_1_1
def build_model_1_1():
    """Returns a compiled dense network for colour images, which reach it as float32 (n, 32, 32, 3), 0..1.

    Three layers or more, each narrower than the one before.
    """


# %% model_1_1
# model_1_1 = run_evaluation("model_1_1", build_model_1_1, evaluation_split, base_dir, train=not stop_training,
#                            epochs=10, batch_size=32)


# %% definitions_1_2
def preprocess(images):
    """Returns uint8 images (n, 32, 32, 3) as grey ones, uint8 (n, 32, 32, 1)."""


def build_model_1_2():
    """Returns the network of 1.1 for grey images."""


# %% data_1_2
# X_train_grey, X_val_grey, X_test_grey = (Preprocessed(X, preprocess) for X in (X_train, X_val, X_test))
# preprocessed_split = X_train_grey, X_val_grey, y_train, y_val


# %% preprocessing
# Show some of the preprocessed digits: plot_images(...)


# %% model_1_2
# model_1_2 = run_evaluation("model_1_2", build_model_1_2, preprocessed_split, base_dir, train=not stop_training,
#                            epochs=10, batch_size=32)


# %% definitions_1_3
def build_model_1_3():
    """Returns the network of 1.2, regularised."""


# %% model_1_3
# model_1_3 = run_evaluation("model_1_3", build_model_1_3, preprocessed_split, base_dir, train=not stop_training,
#                            epochs=10, batch_size=32)


# %% comparison_1_3
# What is each technique worth?
# variants = {"none": Variant(build_model_1_2, preprocessed_split), "dropout": Variant(..., preprocessed_split)}
# run_comparison("comparison_1_3", variants, "none", base_dir, train=not stop_training, epochs=5)


# %% definitions_2_1
def build_model_2_1():
    """Returns a compiled sequential convolutional network for grey images."""


# %% model_2_1
# model_2_1 = run_evaluation("model_2_1", build_model_2_1, preprocessed_split, base_dir, train=not stop_training,
#                            epochs=10, batch_size=32)


# %% definitions_2_2
def augment(batch, generator):
    """Returns a batch, float32 (n, 32, 32, 1), 0..1, with each image altered; `generator` is NumPy's."""


def build_model_2_2():
    """Returns the network of 2.1."""


# %% data_2_2
# augmented_split = Augmented(X_train_grey, y_train, augment), X_val_grey, y_val


# %% augmentation
# Show some training digits, several times each, as augmented: plot_images(...)


# %% model_2_2
# model_2_2 = run_evaluation("model_2_2", build_model_2_2, augmented_split, base_dir, train=not stop_training,
#                            generator=True, epochs=10, batch_size=32)


# %% comparison_2_2
# What is each alteration worth?
# variants = {"unaltered": Variant(..., preprocessed_split), "all": Variant(..., augmented_split)}
# run_comparison("comparison_2_2", variants, "unaltered", base_dir, train=not stop_training, epochs=5)


# %% definitions_3_1
def plot_confusion_matrix(labels, predictions, title):
    """Draws how often each digit was read as which, and returns the counts (10, 10)."""


def plot_misclassifications(images, labels, probabilities, digit, title):
    """Draws the misread images of one digit with what they were read as."""


# %% test_accuracy
# test_accuracy_3_1 = ...
# show_figures("3.1", split, test_accuracy=test_accuracy_3_1)


# %% reliability
# Can the probabilities be believed? plot_reliability({"model_2_2": predict(model_2_2, X_test_grey)}, y_test)


# %% confusion_matrix
# plot_confusion_matrix(...)


# %% misclassifications
# plot_misclassifications(...)


# %% definitions_3_2
def plot_activations(model, image, layer_names):
    """Draws what an image activates in convolutions at several depths."""


# %% activations
# plot_activations(model_2_2, X_test_grey[0], [...])


# %% definitions_3_3
def plot_activation_map(model, image, colour_image, digit):
    """Draws the class activation map of the last convolution, laid over the image."""


def plot_3_3():
    """Draws the class activation map of the first test example."""


# %% activation_map
# plot_3_3()


# %% finer_maps
# Where finer layers see evidence, for digits read right and wrong: layer_cam(model_2_2, image, [...], digit)


# %% definitions_4_1
def build_model_4_1():
    """Returns VGG16's convolutional base, `vgg16_base(settings.imagenet)`, with a dense head, compiled.

    Some of the base's blocks are frozen.
    """


# %% data_4_1
# VGG16 sees images after keras.applications.vgg16.preprocess_input.
# vgg_split = ..., ..., y_train, y_val


# %% trainable
# Print which layers are trainable.


# %% model_4_1
# model_4_1 = run_evaluation("model_4_1", build_model_4_1, vgg_split, base_dir, train=not stop_training,
#                            epochs=5, batch_size=32)


# %% comparison_4_1
# A frozen base against one whose last blocks are trained.
# variants = {"frozen": Variant(..., vgg_split), "block 5": Variant(..., vgg_split)}
# run_comparison("comparison_4_1", variants, "frozen", base_dir, train=not stop_training)


# %% definitions_4_2
def store_embeddings(base, images, part):
    """Stores what a convolutional base makes of the images of a part: "train", "validation" or "test"."""


def load_embedding(part):
    """Returns the stored embeddings of a part, float32 (n, units)."""


def generate_pipeline():
    """Returns a scikit-learn pipeline that classifies embeddings."""


def evaluate_pipeline(pipeline):
    """Selects and fits the pipeline; returns its accuracy on validation and test."""


# %% store_embeddings
# for part, images in (("train", X_train), ("validation", X_val), ("test", X_test)):
#     store_embeddings(..., images, part)


# %% neighbours
# Which number of neighbours, distance and reduction read most validation digits?


# %% embeddings
# pipeline_4_2 = generate_pipeline()
# validation_4_2, evaluation_4_2 = evaluate_pipeline(pipeline_4_2)
# show_figures("4.2", split, validation_accuracy=validation_4_2, test_accuracy=evaluation_4_2)
