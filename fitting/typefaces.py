"""Packs the digits of freely licensed fonts into `svhn/drawn/fitted/typefaces.zip`, with a table of their origins.

    npm install @fontsource/roboto ...                       # the families of fitting/typefaces.txt
    apt-get download fonts-texgyre && dpkg -x ... extracted
    python fitting/typefaces.py node_modules/@fontsource extracted/usr/share/texmf/fonts/opentype

It needs fonttools, which drawing does not. Of each font only the outlines of 0..9 remain. Left out, with a line that
says so, are fonts whose digits are of unequal height, as old-style figures are: no house number has those.
"""

import argparse
import csv
import io
import json
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from fontTools import subset
from fontTools.pens.boundsPen import BoundsPen
from fontTools.ttLib import TTFont

from svhn.files import atomic_path

ROOT = Path(__file__).resolve().parents[1]

PACKED = ROOT / "svhn" / "drawn" / "fitted" / "typefaces.zip"
TABLE = ROOT / "svhn" / "drawn" / "fitted" / "typefaces.csv"
CHOSEN = Path(__file__).with_name("typefaces.txt")
# A fixed time stamp, so that packing the same fonts again gives the same file.
TIMESTAMP = (2020, 1, 1, 0, 0, 0)


class Typeface(NamedTuple):
    """A font file and its row of the table."""

    name: str
    file: Path
    kind: str
    licence: str
    source: str


def typefaces(chosen: Path, fontsource: Path, texgyre: Path) -> Iterator[Typeface]:
    """The fonts that the list names: lines of kind, family and weights; `tg` stands before TeX Gyre's styles."""
    for line in chosen.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        kind, family, *styles = line.split()
        for style in styles:
            if family.startswith("texgyre"):
                file = texgyre / f"{family}-{style}.otf"
                yield Typeface(f"{family}-{style}", file, kind, "GUST Font License 1.0", "Debian fonts-texgyre")
                continue
            package = json.loads((fontsource / family / "package.json").read_text(encoding="utf-8"))
            file = fontsource / family / "files" / f"{family}-latin-{style}-normal.woff"
            source = f"npm {package['name']} {package['version']}"
            yield Typeface(f"{family}-{style}", file, kind, package["license"], source)


def digits_only(file: Path, name: str) -> tuple[bytes, str]:
    """The font with the outlines of 0..9 alone, and its copyright line.

    Raises:
        ValueError: Its digits are of unequal height.
    """
    font = TTFont(file)
    copyright_line = " ".join((font["name"].getDebugName(0) or "").split())
    glyphs, characters = font.getGlyphSet(), font.getBestCmap()
    heights = []
    for digit in range(10):
        pen = BoundsPen(glyphs)
        glyphs[characters[ord("0") + digit]].draw(pen)
        heights.append((pen.bounds[1], pen.bounds[3]))
    tallest = max(top for _, top in heights)
    if min(top for _, top in heights) < 0.9 * tallest or min(bottom for bottom, _ in heights) < -0.12 * tallest:
        raise ValueError("its digits are of unequal height")
    options = subset.Options(hinting=False, layout_features=[], name_IDs=[], notdef_outline=False, glyph_names=False)
    options.drop_tables += ["GSUB", "GPOS", "GDEF", "kern", "meta", "STAT", "gasp", "DSIG", "FFTM", "post"]
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=[ord("0") + digit for digit in range(10)])
    subsetter.subset(font)
    # Licences may reserve a family's name for unchanged fonts, so the rest of the font has another name.
    font["name"].setName(f"House number digits, {name}", 4, 3, 1, 0x409)
    font.flavor = None
    packed = io.BytesIO()
    font.save(packed)
    return packed.getvalue(), copyright_line


def main() -> None:
    """Packs the fonts and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("fontsource", type=Path, help="node_modules/@fontsource")
    parser.add_argument("texgyre", type=Path, help="the folder of TeX Gyre's .otf files")
    options = parser.parse_args()
    rows = []
    with (
        atomic_path(PACKED) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as out,
    ):
        for typeface in typefaces(CHOSEN, options.fontsource, options.texgyre):
            try:
                content, copyright_line = digits_only(typeface.file, typeface.name)
            except (OSError, ValueError) as error:
                print(f"left out: {typeface.name}: {error}", file=sys.stderr)
                continue
            out.writestr(zipfile.ZipInfo(typeface.name, TIMESTAMP), content, zipfile.ZIP_DEFLATED, 9)
            rows.append((typeface.name, typeface.kind, typeface.licence, typeface.source, copyright_line))
    with atomic_path(TABLE) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([("name", "kind", "licence", "source", "copyright"), *rows])
    families = {row[0].rpartition("-")[0] for row in rows}
    print(f"{len(rows)} fonts of {len(families)} families, {PACKED.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
