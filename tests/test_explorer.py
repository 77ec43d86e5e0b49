"""The explorer: one page without widgets, and the widgets in JupyterLab, in a real browser."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import numpy as np
import pytest
from conftest import ROOT, require
from PIL import Image

from svhn.data.photos import crop
from svhn.notebook.explorer import NEIGHBOURS, framed

SHOW_CHOSEN = """HTMLInputElement.prototype.click = function() {
    this.id = 'chosen'; this.style.display = 'block'; document.body.append(this);
}"""
PICTURES = "return [...document.querySelectorAll('.jp-OutputArea img')].map(picture => picture.src)"
DESCRIPTIONS = PICTURES.replace("picture.src", "picture.alt")
WIDEST = """const parts = document.querySelectorAll('.jp-OutputArea :is(img, table, .widget-slider)');
    return Math.max(...[...parts].map(part => part.getBoundingClientRect().right))"""
SHOWN = 2 + NEIGHBOURS  # the image, the evidence, and what is near
KERNEL_WAITS = "return window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"


@pytest.mark.parametrize(("left", "top", "colour"), [(0, 0, 0), (1, 0, 80), (0, 1, 160), (1, 1, 240)])
def test_a_square_is_cut_where_it_was_asked_for(left, top, colour):
    quarters = np.array([[0, 80], [160, 240]], np.uint8)
    photo = np.repeat(np.repeat(quarters, 50, axis=0), 80, axis=1)[..., np.newaxis].repeat(3, axis=2)
    cut = crop(photo, left, top, size=0.4)
    assert cut.shape == (32, 32, 3) and cut.dtype == np.uint8 and np.all(cut == colour)


def test_the_frame_goes_round_the_square_that_is_cut():
    photo = np.zeros((300, 400, 3), np.uint8)
    photo[180:240, 60:120] = 255
    square = (60 / 340, 180 / 240, 0.2)
    assert crop(photo, *square).min() == 255
    seen = framed(photo, *square).astype(int)
    assert seen.shape == (285, 380, 3)
    red = np.argwhere(seen[..., 0] > seen[..., 1] + 90)
    np.testing.assert_allclose([red.min(axis=0), red.max(axis=0)], np.array([[180, 60], [240, 120]]) * 0.95, atol=4)


@pytest.fixture
def folder(tmp_path, drawn):
    """A copy of the files that the explorer reads, so that JupyterLab saves nothing into the project."""
    for name in ("Explorer.ipynb", "Assignment3.ipynb", "answers.py"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "models").symlink_to(ROOT / "models")
    np.savez(tmp_path / "digits.npz", X=drawn.images, y=drawn.labels, real=False)
    return tmp_path


@contextlib.contextmanager
def jupyter_lab(folder):
    """The address of a JupyterLab in a folder, which a page's script may steer."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        "--allow-root",
        f"--port={port}",
        "--ip=127.0.0.1",
        "--IdentityProvider.token=",
        "--LabApp.expose_app_in_browser=True",
    ]
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "SVHN_DATA": "digits.npz",
        "JUPYTER_CONFIG_DIR": str(folder / "c"),
    }
    with (folder / "lab.log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        address = f"http://127.0.0.1:{port}"
        for _ in range(240):
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/api"):
                break
            time.sleep(0.5)
        yield address
    finally:
        process.terminate()
        process.wait(30)


def wait_for(what, seconds=300):
    """The first true value of a function."""
    for _ in range(seconds * 2):
        if found := what():
            return found
        time.sleep(0.5)
    raise AssertionError("it never came")


def test_a_digit_and_a_photo_are_read_in_jupyterlab(folder):
    driver = shutil.which("chromedriver")
    require(driver, "no chromium with its driver is installed")
    from selenium import webdriver
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    photo = folder / "house.png"
    Image.fromarray(np.random.default_rng(1).integers(0, 255, (90, 120, 3), np.uint8)).save(photo)
    options = webdriver.ChromeOptions()
    for switch in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1300,3000"):
        options.add_argument(switch)
    with (
        jupyter_lab(folder) as address,
        contextlib.closing(webdriver.Chrome(options, webdriver.ChromeService(driver))) as page,
    ):
        page.get(f"{address}/lab/tree/Explorer.ipynb")
        wait_for(lambda: page.execute_script(KERNEL_WAITS))  # Before that, to run all cells runs none.
        page.execute_script("window.jupyterapp.commands.execute('notebook:run-all-cells')")
        pictures = lambda: page.execute_script(PICTURES)  # noqa: E731
        wait_for(lambda: len(pictures()) == 2 * SHOWN)  # without widgets, and the first test digit
        first = pictures()[SHOWN]
        number = page.find_element(By.CSS_SELECTOR, ".widget-text input[type=number]")
        number.send_keys(Keys.CONTROL, "a")
        number.send_keys("3", Keys.ENTER)
        wait_for(lambda: len(shown := pictures()) == 2 * SHOWN and shown[SHOWN] != first)
        page.find_elements(By.CSS_SELECTOR, ".jp-OutputArea .lm-TabBar-tab")[-1].click()
        # The widget's input is in no page until it is asked to open the system's dialog.
        page.execute_script(SHOW_CHOSEN)
        page.find_element(By.CSS_SELECTOR, ".widget-upload").click()
        page.find_element(By.ID, "chosen").send_keys(str(photo))
        wait_for(lambda: len(pictures()) == 3 * SHOWN + 1)  # the photo itself, too
        assert all(page.execute_script(DESCRIPTIONS))
        page.execute_script("window.jupyterapp.commands.execute('application:toggle-left-area')")
        page.set_window_size(390, 3000)
        wait_for(lambda: page.execute_script(WIDEST) <= 390)
        assert not page.find_elements(By.CSS_SELECTOR, "[data-mime-type='application/vnd.jupyter.error']")
        page.save_screenshot(str(folder / "explorer.png"))
