"""Draws digits of house numbers that pass for SVHN's, for use where the real ones are few or missing.

A digit is made as a real one came about: a number is chosen (`house_numbers`), mounted on a house in some typeface
(`signs`), given materials and light (`painting`), photographed by a modest camera and cut out by SVHN's crop rule
(`camera`). Every digit is from a house of its own, so no split of them leaks.

`python -m svhn.drawn.drawing` is the worker of `draw`: it draws the blocks that its input names, until that ends.
"""

import os
import subprocess
import sys
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from numbers import Integral
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import cv2
import numpy as np

from svhn.digits import IMAGE_SHAPE, Digits
from svhn.drawn.camera import SIDE, photograph
from svhn.drawn.house_numbers import house_number
from svhn.drawn.painting import paint
from svhn.drawn.signs import view_sign
from svhn.errors import SVHNError
from svhn.progress import progress_bar

# The number of the digits' edition. Raise it when a change of the code draws other digits. Pixels identify digits less
# well: another kind of processor may round them differently.
EDITION = 1
# The number of digits that a worker draws at a time, and the number from which on it pays to start workers.
BLOCK, ENOUGH = 250, 2000
_ENDED = "a process that was drawing digits ended; free some memory, or draw with one worker"
# A legible digit: the least difference in grey levels, and the least correlation between its shape and the image.
LEAST_STEP, LEAST_AGREEMENT, TRIES = 14.0, 0.45, 3


def draw(n: int, seed: int = 0, workers: int | None = None) -> Digits:
    """Draws `n` labelled digits; digit `i` depends on `seed` and `i` alone.

    The same seed gives the same bytes in any process and with any number of workers, and fewer digits are a prefix of
    more. Another version of OpenCV or another kind of processor may round a pixel differently. Drawn digits are
    therefore identified by number, seed and `EDITION`, not by their bytes.

    Args:
        n: The number of digits, at least 1.
        seed: The seed, at least 0.
        workers: The number of processes to draw in. None means one a processor core, or this process alone for few
            digits.

    Returns:
        Digits with `real=False`: images uint8 (n, 32, 32, 3), labels uint8 (n,).

    Raises:
        SVHNError: An argument is not a whole number in its range, or a table or typeface is missing or damaged.

    Example:
        >>> draw(100, seed=3).images.shape
        (100, 32, 32, 3)
    """
    _check_whole("the number of digits to draw", n, 1)
    _check_whole("the seed", seed, 0)
    if workers is None:
        workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        workers = workers if n >= ENOUGH else 1
    _check_whole("the number of workers", workers, 1)
    n, seed = int(n), int(seed)
    images, labels = np.empty((n, *IMAGE_SHAPE), np.uint8), np.empty(n, np.uint8)
    blocks = [(start, min(start + BLOCK, n)) for start in range(0, n, BLOCK)]
    here = ((block, *_block(seed, *block)) for block in blocks)
    drawn = _in_workers(blocks, seed, workers) if workers > 1 else here
    with progress_bar(n, "drawing digits") as bar, closing(drawn):
        for (start, stop), block_labels, block_images in drawn:
            labels[start:stop], images[start:stop] = block_labels, block_images
            bar.update(stop - start)
    return Digits(images, labels, f"drawn, seed {seed}", real=False, identity=f"drawn {n} {seed} edition {EDITION}")


def _check_whole(what: str, value: int, least: int) -> None:
    if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
        raise SVHNError(f"{what} is {value!r}; give a whole number of at least {least}")


Block = tuple[tuple[int, int], np.ndarray, np.ndarray]


def _block(seed: int, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels uint8 (n,) and images uint8 (n, 32, 32, 3) of the digits from `start` up to `stop`."""
    labels, images = np.empty(stop - start, np.uint8), np.empty((stop - start, *IMAGE_SHAPE), np.uint8)
    for i in range(start, stop):
        labels[i - start], images[i - start] = _digit(np.random.default_rng((seed, i)))
    return labels, images


def _digit(rng: np.random.Generator) -> tuple[int, np.ndarray]:
    """One label and its image, uint8 (32, 32, 3)."""
    number = house_number(rng)
    for _ in range(TRIES):
        view = view_sign(rng, number)
        image = photograph(rng, paint(rng, view), view.frame)
        if _legible(image, view.ink, view.frame.margin):
            break
    return number.digits[number.position], image


def _legible(image: np.ndarray, ink: np.ndarray, edge: int) -> bool:
    """Whether the ink can be told from its ground: nobody would have marked a digit in a photo that cannot be read."""
    shape = cv2.resize(ink[edge : len(ink) - edge, edge : len(ink) - edge], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    shape, grey = shape[3:-3, 8:-8], cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[3:-3, 8:-8]
    (shape_mean, shape_spread), (grey_mean, grey_spread) = (cv2.meanStdDev(plane) for plane in (shape, grey))
    common = cv2.mean(cv2.multiply(shape, grey, dtype=cv2.CV_32F))[0] - shape_mean.item() * grey_mean.item()
    spread = shape_spread.item() + 1e-6
    return abs(common) > LEAST_STEP * spread**2 and abs(common) > LEAST_AGREEMENT * spread * (grey_spread.item() + 1)


def _in_workers(blocks: list[tuple[int, int]], seed: int, workers: int) -> Generator[Block, None, None]:
    """Yields blocks in the order in which workers finish them.

    The processes of multiprocessing would not do: they copy this process with TensorFlow's threads in it, or run the
    caller's script a second time.
    """
    # A table or typeface that cannot be read is told here, in one line, and not by every worker.
    _block(seed, 0, 1)
    waiting: SimpleQueue[tuple[int, int]] = SimpleQueue()
    finished: SimpleQueue[Any] = SimpleQueue()
    for block in blocks:
        waiting.put(block)
    processes = [_start_worker() for _ in range(min(workers, len(blocks)))]
    with ThreadPoolExecutor(len(processes)) as threads:
        try:
            for process in processes:
                threads.submit(_serve, process, seed, waiting, finished)
            for _ in blocks:
                result = finished.get()
                if isinstance(result, Exception):
                    raise result
                yield result
        finally:
            for process in processes:
                process.kill()
                process.wait()
                assert process.stdin and process.stdout  # Both are pipes.
                with suppress(BrokenPipeError):
                    process.stdin.close()
                process.stdout.close()


def _start_worker() -> subprocess.Popen:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])}
    command = [sys.executable, "-m", "svhn.drawn.drawing"]
    # The worker has a session of its own: Ctrl-C reaches this process alone, which ends its workers.
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, start_new_session=True
    )


def _serve(process: subprocess.Popen, seed: int, waiting: SimpleQueue, finished: SimpleQueue) -> None:
    """Asks one worker for block after block, and passes on the digits that it draws."""
    assert process.stdin and process.stdout  # Both are pipes.
    try:
        while True:
            start, stop = block = waiting.get_nowait()
            process.stdin.write(f"{seed} {start} {stop}\n".encode())
            process.stdin.flush()
            size = int(np.prod(IMAGE_SHAPE)) + 1
            content = process.stdout.read((stop - start) * size)
            if len(content) < (stop - start) * size:
                raise SVHNError(_ENDED)
            rows = np.frombuffer(content, np.uint8)
            finished.put((block, rows[: stop - start], rows[stop - start :].reshape(-1, *IMAGE_SHAPE)))
    except Empty:
        return
    except BrokenPipeError:
        finished.put(SVHNError(_ENDED))
    except Exception as error:  # The thread that waits for this block is told of any error.
        finished.put(error)


def _work() -> None:
    """Reads lines of seed, start and stop; writes that block's labels, then its images."""
    cv2.setNumThreads(1)
    for line in sys.stdin:
        labels, images = _block(*map(int, line.split()))
        try:
            sys.stdout.buffer.write(labels.tobytes() + images.tobytes())
            sys.stdout.buffer.flush()
        except BrokenPipeError:  # The process that asked is gone.
            os._exit(1)


if __name__ == "__main__":
    _work()
