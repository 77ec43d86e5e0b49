"""What the pages say: their links lead somewhere, and the commands, settings and sources they name are there."""

import re
import shlex
from collections import defaultdict
from dataclasses import fields

import pytest
from conftest import ROOT

from svhn.errors import SVHNError
from svhn.options import make_parser
from svhn.settings import Settings, variable_of

PAGES = sorted(path for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("*/README.md")])
named = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


@named
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if not target.startswith("http") and target != "models/README.md":  # `make publish` writes that one.
            assert (page.parent / target).exists(), target


@named
def test_commands_are_ones_that_there_are(page):
    text = page.read_text(encoding="utf-8")
    parser = make_parser(defaultdict(lambda: print))
    for line in re.findall(r"(?:^|/)python -m svhn (.+)$", text, re.M):
        words = shlex.split(line.partition("   #")[0], comments=True)
        if words and "--help" not in words and "COMMAND" not in words:
            parser.parse_args(words)
    rules = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    assert set(re.findall(r"(?:^|`|\S=\S+ )make ([a-z]+)\b", text, re.M)) <= rules


def test_the_readme_fits_and_has_a_place_for_the_results():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 120
    assert re.search(r"<!-- results -->\n.*<!-- /results -->", text, re.S)


def test_every_setting_is_described():
    text = (ROOT / "docs/training.md").read_text(encoding="utf-8")
    for setting in (entry.name for entry in fields(Settings)):
        assert f"| `--{setting}` | `{variable_of(setting)}` |" in text


def test_every_source_of_digits_is_described():
    from svhn.data.sources import load_digits

    with pytest.raises(SVHNError) as caught:
        load_digits("nonsense")
    sources = re.search(r"use (.+?), or the path", str(caught.value))[1].split(", ")
    text = (ROOT / "docs/digits.md").read_text(encoding="utf-8")
    assert len(sources) >= 6
    for source in sources:
        assert f"| `{source}` |" in text
