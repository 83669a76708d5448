"""A speaker file of VocalTractLab taken apart and put together again: another mouth, other targets.

A speaker file is XML: an anatomy in cm and degrees, the tract shapes that gestures aim at (19
parameters each), and the glottis. Another person is speaker JD3 with all lengths along an axis
times a factor, front to back, height and width apart, a palate more or less domed and a larynx that
stands higher or lower, as children, women and men differ (Fitch and Giedd 1999).
"""

from __future__ import annotations

import csv
import importlib.util
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

NAMES = (
    "HX", "HY", "JX", "JA", "LP", "LD", "VS", "VO", "TCX", "TCY", "TTX", "TTY", "TBX", "TBY",
    "TRX", "TRY", "TS1", "TS2", "TS3",
)  # fmt: skip
AT = {name: k for k, name in enumerate(NAMES)}
FORWARD = ("HX", "JX", "LP", "TCX", "TTX", "TBX", "TRX")  # parameters that are lengths, in cm
HEIGHT = ("HY", "LD", "TCY", "TTY", "TBY", "TRY")
JAW_LOWEST = -15.0  # degrees; JD3's file ends at -7, about 13 mm
TARGETS = Path(__file__).with_name("targets.csv")

Shape = NDArray[np.float64]
Shapes = dict[str, Shape]


@dataclass(frozen=True)
class Size:
    """How large a tract is beside JD3's.

    Attributes
    ----------
    forward, height, width : float
        Factors on lengths from back to front, on heights, and across.
    palate : float
        Factor on the height of the palate's dome alone.
    larynx_cm : float
        How much lower the larynx stands, before ``height``.
    """

    forward: float = 1.0
    height: float = 1.0
    width: float = 1.0
    palate: float = 1.0
    larynx_cm: float = 0.0

    @property
    def factors(self) -> Shape:
        """Return a factor for each of the parameters, [19]."""
        return np.array(
            [
                self.forward if name in FORWARD else self.height if name in HEIGHT else 1.0
                for name in NAMES
            ]
        )


def jd3() -> ET.Element:
    """Return the speaker that comes with VocalTractLab, without loading the library."""
    package = importlib.util.find_spec("vocaltractlab_cython")
    assert package is not None and package.origin is not None
    return ET.parse(Path(package.origin).parent / "resources" / "JD3.speaker").getroot()


def read_targets() -> Shapes:
    """Return the shapes that a population starts from; see `studies.targets`."""
    with TARGETS.open(encoding="utf-8", newline="") as file:
        return {
            row["shape"]: np.array([float(row[name]) for name in NAMES])
            for row in csv.DictReader(file)
        }


def shapes(root: ET.Element) -> Shapes:
    """Return the tract shapes of a speaker."""
    return {
        shape.get("name", ""): np.array([float(p.get("value", "")) for p in shape])
        for shape in found(root, ".//vocal_tract_model/shapes")
    }


def put_shapes(root: ET.Element, table: Mapping[str, Shape]) -> None:
    """Replace the tract shapes of a speaker."""
    box = found(root, ".//vocal_tract_model/shapes")
    for shape in list(box):
        box.remove(shape)
    for name, values in table.items():
        shape = ET.SubElement(box, "shape", name=name)
        for key, value in zip(NAMES, values, strict=True):
            ET.SubElement(shape, "param", name=key, value=f"{value:.4f}")


def found(element: ET.Element, path: str) -> ET.Element:
    """Return the element at a path, which every speaker file has."""
    inner = element.find(path)
    if inner is None:
        raise RuntimeError(f"VocalTractLab's speaker file has no {path}")
    return inner


def resize(root: ET.Element, size: Size) -> None:
    """Give a speaker another size, its shapes with it."""
    x, y, z = size.forward, size.height, size.width
    g = (x * y) ** 0.5
    anatomy = found(root, ".//anatomy")

    def multiply(path: str, **factors: float) -> None:
        for element in [anatomy] if not path else anatomy.findall(path):
            for name, factor in factors.items():
                element.set(name, f"{float(element.get(name, '')) * factor:.5f}")

    row = {"x": x, "z": z, "teeth_height": y, "top_teeth_width": z, "bottom_teeth_width": z}
    multiply("palate/*", **row, palate_height=y * size.palate)
    multiply("jaw/*", **row, jaw_height=y)
    multiply(
        "jaw", fulcrum_x=x, fulcrum_y=y, rest_pos_x=x, rest_pos_y=y, tooth_root_length=y
    )  # fmt: skip
    multiply("lips", width=z)
    multiply("tongue/tip", radius=g)
    multiply("tongue/body", radius_x=x, radius_y=y)
    multiply("tongue/root", trx_intercept=x, try_intercept=y)
    multiply("velum", uvula_width=z, uvula_height=y, uvula_depth=x, max_nasal_port_area=g * g)
    multiply("pharynx", fulcrum_x=x, fulcrum_y=y, top_rib_y=y)
    multiply("pharynx", upper_depth=z, lower_depth=z, back_side_width=z)
    multiply("larynx", upper_depth=z, lower_depth=z)
    multiply("larynx", epiglottis_width=x, epiglottis_height=y, epiglottis_depth=z)
    multiply("piriform_fossa", length=y, volume=x * y * z)
    multiply("subglottal_cavity", length=g)
    multiply("nasal_cavity", length=x)
    for outline in [*anatomy.findall("velum/*"), *anatomy.findall("larynx/*")]:
        points = np.array(outline.get("points", "").split(), float).reshape(-1, 2) * (x, y)
        outline.set("points", " ".join(f"{value:.4f}" for value in points.ravel()))
    factors, lower = size.factors, size.larynx_cm * y
    for parameter in anatomy.findall("param"):
        name = parameter.get("name", "")
        low, high, neutral = (
            float(parameter.get(key, "")) * factors[AT[name]] for key in ("min", "max", "neutral")
        )
        if name == "HY":
            low, high, neutral = low - max(lower, 0), high - min(lower, 0), neutral - lower
        if name == "JA":
            low = JAW_LOWEST
        for key, value in (("min", low), ("max", high), ("neutral", neutral)):
            parameter.set(key, f"{value:.4f}")
    table = {name: values * factors for name, values in shapes(root).items()}
    for values in table.values():
        values[AT["HY"]] -= lower
    put_shapes(root, table)
