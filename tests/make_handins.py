"""Makes the sample hand-ins in tests/handins: a good one, one in the student release, an old and a broken one.

    .venv/bin/python tests/make_handins.py

Their networks are tiny and learned from drawn digits, so that they are small and need no download. The files are
committed; this program says where they come from. Texts are the same each time, weights nearly so.
"""

import base64
import io
import json
import pickle
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import h5py
import keras
import matplotlib.pyplot as plt
import numpy as np
from nbgrader.utils import is_solution

from svhn.course.build import build_course
from svhn.data.protocol import split_digits
from svhn.data.sources import load_digits
from svhn.digits import LUMA
from svhn.learning.batches import Preprocessed, model_input
from svhn.learning.evaluation import run_evaluation
from svhn.notebook.cells import load_definitions, read_notebook
from svhn.notebook.execution import write_notebook

ROOT = Path(__file__).parents[1]

plt.switch_backend("agg")
EPOCHS = 30
HANDINS = Path(__file__).with_name("handins")
SPLIT = split_digits(load_digits("drawn", ROOT / "data"))
ANSWERS = {
    "1.1": "Four dense layers, each narrower than the one before, read the colour images after pooling them to 8x8.",
    "1.2": "Grey images with the contrast raised help: what tells a digit is its shape and not its colour.",
    "1.3": "Batch normalisation made training faster; dropout cost accuracy in a network as small as this one.",
    "2.1": "Two convolutions of eight channels, each followed by pooling, find strokes wherever they stand.",
    "2.2": "With augmented digits the network trains longer before it overfits, and validation rises a little.",
    "3.1": "The test accuracy is close to that of validation. Most confusions are between 3 and 5, which share a bow.",
    "3.2": "The first convolution answers to edges, the second to bends and corners; place becomes less exact.",
    "3.3": "The map is brightest where the strokes of the digit end, and dark on the neighbouring digit.",
    "4.1": "A frozen base does worse than one whose last block is trained on, for its features know no digits yet.",
    "4.2": "Fifteen nearest neighbours on the embeddings do about as well as the dense head that they replace.",
}
RELEASE_ANSWERS = {
    "1.1": "I average 4x4 pixels first, then three dense layers of 48, 32 and 16 units. More only learned by heart.",
    "1.2": "Each image is made grey and stretched from black to white, since a shadow should not change what is read.",
    "1.3": "Batch normalisation after each layer and dropout of a tenth before the last one. It learns more evenly.",
    "2.1": "Three convolutions of 8, 12 and 16 channels with pooling between them, so that a digit may stand anywhere.",
    "2.2": "Digits are moved by up to two pixels. Turning them upside down would make a 9 of a 6, so I did not.",
    "3.1": "Most mistakes are digits with a neighbour in the picture, which is read instead of the middle one.",
    "3.2": "conv1 still looks like the digit, conv2 like its strokes, and in conv3 only a few places are left.",
    "3.3": "The bright places are the ends of strokes; the background counts for nothing, as I had hoped.",
}
MARKED_PLOTS = {"confusion_matrix", "misclassifications", "activations", "activation_map"}


def network(channels, pool=4, convolution=0):
    layers = [keras.Input((32, 32, channels))]
    for number in range(convolution):
        layers.append(keras.layers.Conv2D(8, 3, padding="same", activation="relu", name=f"block{number + 1}_conv"))
        layers.append(keras.layers.MaxPooling2D(name=f"block{number + 1}_pooling"))
    if not convolution:
        layers.append(keras.layers.AveragePooling2D(pool, name="pooling"))
    layers.append(keras.layers.Flatten(name="flatten"))
    layers += [keras.layers.Dense(n, activation="relu", name=f"dense_{n}") for n in (() if convolution else (24, 16))]
    model = keras.Sequential([*layers, keras.layers.Dense(10, activation="softmax", name="fc")])
    model.compile(keras.optimizers.Adam(3e-3), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def notebook(cells):
    for number, cell in enumerate(cells):
        cell |= {"id": f"cell-{number}", "metadata": {}}
        if cell["cell_type"] == "code":
            cell |= {"execution_count": number, "outputs": cell.get("outputs", [])}
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, indent=1)


def plot(title):
    figure, panel = plt.subplots(figsize=(3, 2), dpi=60, layout="constrained")
    panel.imshow(np.random.default_rng(len(title)).random((4, 6)), cmap="viridis")
    panel.set(title=title, xticks=[], yticks=[])
    content = io.BytesIO()
    figure.savefig(content, metadata={"Software": None})
    plt.close(figure)
    data = {"image/png": base64.b64encode(content.getvalue()).decode(), "text/plain": "<Figure>"}
    return {"output_type": "display_data", "metadata": {}, "data": data}


def printed(*lines):
    return {"output_type": "stream", "name": "stdout", "text": "\n".join(lines) + "\n"}


def code(source, *outputs):
    return {"cell_type": "code", "source": source, "outputs": list(outputs)}


def markdown(source):
    return {"cell_type": "markdown", "source": source}


def answers_py(answers=ANSWERS):
    """With an empty text where there is no answer."""
    return '"""The written answers."""\n' + "".join(
        f'\nanswer_q_{number.replace(".", "_")} = (\n    "{answers.get(number, "")}"\n)\n' for number in ANSWERS
    )


def make_good(folder):
    definitions = load_definitions(ROOT / "Assignment3.ipynb")
    grey, vgg = definitions["contrast_grey"], definitions["vgg16_input"]
    data = {None: (SPLIT.X_train, SPLIT.X_val, SPLIT.y_train, SPLIT.y_val)}
    for function in (grey, vgg):
        views = (Preprocessed(images, function) for images in (SPLIT.X_train, SPLIT.X_val))
        data[function] = (*views, SPLIT.y_train, SPLIT.y_val)
    # No two alike: one network under two names is what grading looks for.
    recipes = {
        "model_1_1": (None, 3, 4, 0),
        "model_1_2": (grey, 1, 4, 0),
        "model_1_3": (grey, 1, 2, 0),
        "model_2_1": (grey, 1, 4, 2),
        "model_2_2": (grey, 1, 4, 2),
        "model_4_1": (vgg, 3, 4, 2),
    }
    for name, (function, channels, pool, convolution) in recipes.items():
        # 2.2 asks for the network of 2.1, which learns something else here by learning for longer.
        epochs = 10 if name == "model_2_2" else 8 if convolution else EPOCHS
        shape = {"channels": channels, "pool": pool, "convolution": convolution}
        run_evaluation(name, network, data[function], folder / "models", epochs=epochs, split=SPLIT, verbose=0, **shape)
    shutil.rmtree(folder / "models/checkpoints")
    (folder / "answers.py").write_text(answers_py(), encoding="utf-8")
    cells = [code('your_name = "Visser, Noor"\nstudent_id = "1234567"', printed("Student: Visser, Noor (1234567)"))]
    for number in ANSWERS:
        cells.append(markdown(f"### Question {number}: as asked"))
        if number in ("3.1", "3.2", "3.3"):
            cells.append(code(f"plot_{number.replace('.', '_')}()", plot(f"answer {number}")))
        if number == "4.2":
            cells.append(code("evaluate()", printed("Evaluation: 0.5550", "Last modified: 2026-03-14 15:09:26")))
    (folder / "Assignment3.ipynb").write_text(notebook(cells), encoding="utf-8")


def without_most_plots(executed):
    """Leaves out the plots outside part 3, which no person marks, to keep the sample small."""
    for cell in executed.cells:
        if cell.get("outputs") and cell.metadata.get("nbgrader", {}).get("grade_id") not in MARKED_PLOTS:
            cell.outputs = [output for output in cell.outputs if "image/png" not in output.get("data", {})]
    return executed


def make_from_release(folder):
    """Does a student's work: fills in cells and answers, trains the first three parts, executes the notebook."""
    text = Path(__file__).with_name("student_cells.py").read_text(encoding="utf-8")
    parts = re.split(r"^# %% (\w+)\n", text, flags=re.M)
    solutions = dict(zip(parts[1::2], parts[2::2], strict=True))
    with tempfile.TemporaryDirectory() as temporary:
        work = build_course(Path(temporary) / "course", ROOT / "Assignment3.ipynb")
        notebook = read_notebook(work / "Assignment3.ipynb")
        for cell in notebook.cells:
            if cell.cell_type == "code" and "parameters" in cell.metadata.get("tags", []):
                cell.source = cell.source.replace("LAST NAME, FIRST NAME", "Bakker, Sam").replace("0000000", "2345678")
            if is_solution(cell) and cell.metadata.nbgrader.grade_id in solutions:
                name = cell.metadata.nbgrader.grade_id
                # The imports stay; every other stub makes room.
                kept = cell.source.replace("# YOUR CODE HERE", "").rstrip() if name == "definitions" else ""
                cell.source = f"{kept}\n{solutions[name].strip()}".strip()
        write_notebook(notebook, work / "Assignment3.ipynb")
        (work / "answers.py").write_text(answers_py(RELEASE_ANSWERS), encoding="utf-8")
        models = [f"--model={name}" for name in solutions if name.startswith("model_")]
        for command in (["train", "--extend", "0", *models], ["run"]):
            subprocess.run([sys.executable, "-m", "svhn", *command], cwd=work, check=True)
        (folder / "models").mkdir(parents=True)
        write_notebook(
            without_most_plots(read_notebook(work / "output/Assignment3.ipynb")), folder / "Assignment3.ipynb"
        )
        shutil.copy(work / "answers.py", folder)
        for path in work.glob("models/model_*.*"):
            shutil.copy(path, folder / "models")


def keras_2_config(shape):
    """A network's description as TensorFlow 2.x wrote it: no InputLayer, the input's shape in the first layer."""
    always = {"trainable": True, "dtype": "float32"}
    pooling = {"name": "pooling", **always, "batch_input_shape": [None, *shape], "pool_size": [4, 4]}
    pooling |= {"padding": "valid", "strides": [4, 4], "data_format": "channels_last"}
    flatten = {"name": "flatten", **always, "data_format": "channels_last"}
    layers = [{"class_name": "AveragePooling2D", "config": pooling}, {"class_name": "Flatten", "config": flatten}]
    for name, units in (("dense_24", 24), ("dense_16", 16), ("fc", 10)):
        config = {
            "name": name,
            **always,
            "units": units,
            "use_bias": True,
            "activation": "softmax" if name == "fc" else "relu",
            "kernel_initializer": {"class_name": "GlorotUniform", "config": {"seed": None}},
            "bias_initializer": {"class_name": "Zeros", "config": {}},
            "kernel_regularizer": None,
        }
        layers.append({"class_name": "Dense", "config": config})
    return {
        "class_name": "Sequential",
        "config": {"name": "sequential_3", "layers": layers, "build_input_shape": [None, *shape]},
    }


def write_keras_2(path, config, model, whole):
    """Weights as Keras 2 stored them, the network's description with them where `whole`."""
    with h5py.File(path, "w") as file:
        root = file.create_group("model_weights") if whole else file
        if whole:
            file.attrs["model_config"] = json.dumps(config)
        root.attrs.update({"keras_version": "2.3.0-tf", "backend": "tensorflow"})
        root.attrs["layer_names"] = np.array([layer.name for layer in model.layers], "S")
        for layer in model.layers:
            group = root.create_group(layer.name)
            names = [f"{layer.name}/{part}" for part in ("kernel:0", "bias:0")][: len(layer.weights)]
            group.attrs["weight_names"] = np.array(names, "S30")
            for name, values in zip(names, layer.get_weights(), strict=True):
                group[name] = values


def make_old(folder):
    folder.mkdir()
    for name, shape in (("model_1_1", (32, 32, 3)), ("model_1_2", (32, 32, 1))):
        inputs = [model_input(X) if shape[2] == 3 else model_input(X) @ LUMA for X in (SPLIT.X_train, SPLIT.X_val)]
        train, val = (X.reshape(len(X), *shape) for X in inputs)
        # The outputs of old hand-ins are OpenML's class indices: index 9 is the digit 0.
        y_train, y_val = ((y.astype(int) - 1) % 10 for y in (SPLIT.y_train, SPLIT.y_val))
        keras.utils.set_random_seed(1)
        model = network(shape[2])
        history = model.fit(train, y_train, validation_data=(val, y_val), epochs=EPOCHS, verbose=0).history
        # As ReduceLROnPlateau left it in the histories of its day.
        history["lr"] = [np.float32(3e-3)] * EPOCHS
        (folder / f"{name}.p").write_bytes(pickle.dumps(history, protocol=3))
        config, whole = keras_2_config(shape), name == "model_1_1"
        write_keras_2(folder / f"{name}.h5", config, model, whole)
        if not whole:
            (folder / f"{name}.json").write_text(json.dumps(config | {"keras_version": "2.3.0-tf"}), encoding="utf-8")
    written = "".join(
        f"answer_q_{number.replace('.', '_')} = '''{text}'''\n"
        for number, text in ANSWERS.items()
        if number.startswith("1")
    )
    (folder / "solution.py").write_text(
        f"# Group 7\nimport keras\n\nyour_name = 'Jansen' + ', ' + 'Bo'\nstudent_id = 7654321\n\n{written}",
        encoding="utf-8",
    )


def make_broken(folder, good):
    (folder / "models").mkdir(parents=True)
    (folder / "Assignment3.ipynb").write_text('{"cells": [{"cell_type": "code", "source": ["your_', encoding="utf-8")
    (folder / "answers.py").write_bytes(
        "your_name = 'Dvořák'\n".encode()
        + b"answer_q_1_1 = 'Na\xefve, but it trains.'\n"
        + b"answer_q_1_2 = ' '.join(word for word in ('put', 'together'))\n"
        + f"answer_q_1_3 = '{'Dropout helped. ' * 40}'\n".encode()
        + b"answer_q_2_1 = '''   '''\n"
    )
    record = json.loads((good / "models/model_1_1.json").read_text(encoding="utf-8"))
    curves = record["learning_curves"]

    def broken(name, keep_model=True, **changed):
        text = json.dumps(record | {"name": name, "learning_curves": curves | changed})
        (folder / f"models/{name}.json").write_text(text, encoding="utf-8")
        if keep_model:
            shutil.copy(good / "models/model_1_1.keras", folder / f"models/{name}.keras")

    broken("model_1_1", val_accuracy=[float("nan"), *curves["val_accuracy"][1:]])
    broken("model_1_2", val_loss=curves["val_loss"][:-3])
    broken("model_1_3")
    whole = (good / "models/model_1_1.keras").read_bytes()
    (folder / "models/model_1_3.keras").write_bytes(whole[: len(whole) // 2])
    broken("model_2_1", keep_model=False)
    (folder / "models/model_2_2.json").write_text('{"learning_curves": {"loss": [', encoding="utf-8")


if __name__ == "__main__":
    shutil.rmtree(HANDINS, ignore_errors=True)
    make_good(HANDINS / "good")
    make_from_release(HANDINS / "from_release")
    make_old(HANDINS / "old_layout")
    make_broken(HANDINS / "broken", HANDINS / "good")
    print(f"{sum(path.stat().st_size for path in HANDINS.rglob('*') if path.is_file()):,} bytes in {HANDINS}")
