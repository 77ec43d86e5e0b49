"""The cells of the sample hand-in `from_release`, by their ids in the student release; read as text, never run.

A student's first three parts: small networks that train in seconds, one function a plot, and what is left out stays as
released. `tests/make_handins.py` puts them into the release.
"""

# ruff: noqa: B905, F821, RUF059
# %% definitions
plt.rcParams["figure.dpi"] = 50


# %% definitions_1_1
def build_model_1_1():
    model = keras.Sequential(name="model_1_1")
    model.add(keras.Input((32, 32, 3)))
    model.add(layers.AveragePooling2D(4))
    model.add(layers.Flatten())
    for units in (48, 32, 16):
        model.add(layers.Dense(units, activation="relu"))
    model.add(layers.Dense(10, activation="softmax"))
    model.compile(optimizers.Adam(2e-3), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


# %% model_1_1
model_1_1 = run_evaluation(
    "model_1_1", build_model_1_1, evaluation_split, base_dir, train=not stop_training, epochs=20, batch_size=32
)


# %% definitions_1_2
def preprocess(images):
    grey = images.mean(axis=3, keepdims=True)
    low, high = grey.min(axis=(1, 2), keepdims=True), grey.max(axis=(1, 2), keepdims=True)
    return ((grey - low) * 255 / np.maximum(high - low, 1)).astype("uint8")


def build_model_1_2(dropout=0, batchnorm=False):
    model = keras.Sequential([keras.Input((32, 32, 1)), layers.AveragePooling2D(4), layers.Flatten()])
    for units in (48, 32, 16):
        model.add(layers.Dense(units, activation="relu"))
        if batchnorm:
            model.add(layers.BatchNormalization())
    if dropout:
        model.add(layers.Dropout(dropout))
    model.add(layers.Dense(10, activation="softmax"))
    model.compile(optimizers.Adam(2e-3), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


# %% data_1_2
X_train_grey, X_val_grey, X_test_grey = (Preprocessed(X, preprocess) for X in (X_train, X_val, X_test))
preprocessed_split = X_train_grey, X_val_grey, y_train, y_val

# %% preprocessing
plot_images(X_train_grey[:10], y_train[:10], title="grey, stretched from black to white")
plt.show()

# %% model_1_2
model_1_2 = run_evaluation(
    "model_1_2", build_model_1_2, preprocessed_split, base_dir, train=not stop_training, epochs=20, batch_size=32
)


# %% definitions_1_3
def build_model_1_3():
    return build_model_1_2(dropout=0.1, batchnorm=True)


# %% model_1_3
model_1_3 = run_evaluation(
    "model_1_3", build_model_1_3, preprocessed_split, base_dir, train=not stop_training, epochs=20, batch_size=32
)


# %% definitions_2_1
def build_model_2_1():
    model = keras.Sequential([keras.Input((32, 32, 1))])
    for number, channels in enumerate((8, 12, 16), start=1):
        model.add(layers.Conv2D(channels, 3, padding="same", activation="relu", name=f"conv{number}"))
        model.add(layers.MaxPooling2D())
    model.add(layers.Flatten())
    model.add(layers.Dense(10, activation="softmax"))
    model.compile(optimizers.Adam(3e-3), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


# %% model_2_1
model_2_1 = run_evaluation(
    "model_2_1", build_model_2_1, preprocessed_split, base_dir, train=not stop_training, epochs=10, batch_size=32
)


# %% definitions_2_2
def augment(batch, generator):
    """Up to two pixels to each side."""
    down, right = generator.integers(-2, 3, 2)
    return np.roll(batch, (down, right), axis=(1, 2))


def build_model_2_2():
    return build_model_2_1()


# %% data_2_2
augmented_split = Augmented(X_train_grey, y_train, augment), X_val_grey, y_val

# %% augmentation
moved = augment(X_train_grey[:10].astype("float32"), np.random.default_rng(1))
plot_images(moved.astype("uint8"), y_train[:10], title="moved")
plt.show()

# %% model_2_2
model_2_2 = run_evaluation(
    "model_2_2",
    build_model_2_2,
    augmented_split,
    base_dir,
    train=not stop_training,
    generator=True,
    epochs=10,
    batch_size=32,
)


# %% definitions_3_1
def plot_confusion_matrix(labels, predictions, title):
    counts = np.zeros((10, 10), int)
    np.add.at(counts, (labels, predictions), 1)
    plt.figure(figsize=(4, 4))
    plt.imshow(counts, cmap="Blues")
    plt.title(title)
    plt.xlabel("read")
    plt.ylabel("is")
    plt.show()
    return counts


# %% test_accuracy
probabilities = predict(model_2_2, X_test_grey)
read = probabilities.argmax(axis=1)
test_accuracy_3_1 = float((read == y_test).mean())
show_figures("3.1", split, test_accuracy=test_accuracy_3_1)

# %% confusion_matrix
counts = plot_confusion_matrix(y_test, read, "model_2_2, test digits")

# %% misclassifications
wrong = np.flatnonzero(read != y_test)[:10]
plot_images(X_test[wrong], [f"{y_test[i]} as {read[i]}" for i in wrong], title="misread")
plt.show()


# %% definitions_3_2
def plot_activations(model, image, layer_names):
    values = activations(model, model_input(image), layer_names)
    figure, panels = plt.subplots(len(values), 8, figsize=(6, 3))
    for row, name, maps in zip(panels, layer_names, values):
        row[0].set_title(name, fontsize=8)
        for panel, channel in zip(row, range(8)):
            panel.imshow(maps[..., channel], cmap="gray")
            panel.axis("off")
    plt.show()


# %% activations
plot_activations(model_2_2, X_test_grey[0], ["conv1", "conv2", "conv3"])


# %% definitions_3_3
def plot_activation_map(model, image, colour_image, digit):
    evidence = enlarge(class_activation_map(model, model_input(image), "conv3", digit), (32, 32))
    figure, panels = plt.subplots(1, 2, figsize=(4, 2))
    panels[0].imshow(colour_image)
    panels[1].imshow(overlay(colour_image, evidence))
    plt.show()


def plot_3_3():
    plot_activation_map(model_2_2, X_test_grey[0], X_test[0], int(read[0]))


# %% activation_map
plot_3_3()
