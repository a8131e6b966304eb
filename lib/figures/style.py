"""One look for all figures, and one way to save them."""

import io

import matplotlib.pyplot as plt
import PIL.Image
from IPython.display import Image
from matplotlib.figure import Figure

from lib.paths import results_dir

DPI = 200
SHOWN_DPI = 100  # in notebooks
TEXT_WIDTH = 7.2  # inches, two journal columns

plt.rc("font", size=8)
plt.rc("axes", titlesize=8)
plt.rc("axes.spines", top=False, right=False)
plt.rc("figure.constrained_layout", use=True)
plt.rc("svg", hashsalt="infrared")  # the same figure gives the same bytes
plt.rc("image", cmap="gray", interpolation="nearest")


def save(figure: Figure, profile: str, name: str, vector: bool = False) -> Figure | Image:
    """Write results/<profile>/figures/<name>.png, or .svg for lines; returns what a notebook shows:
    the figure itself for lines, else `photograph`. The figure is closed for pyplot, so that it is
    shown once, as the value of a cell."""
    folder = results_dir(profile) / "figures"
    folder.mkdir(exist_ok=True)
    if vector:
        plt.close(figure)
        figure.savefig(folder / f"{name}.svg", bbox_inches="tight",
                       metadata={"Date": None, "Creator": None})
        return figure
    figure.savefig(folder / f"{name}.png", dpi=DPI, metadata={"Software": None})
    return photograph(figure)


def photograph(figure: Figure) -> Image:
    """A figure of images as a JPEG, since notebooks are published and must stay small; closed.
    Drawn twice as large and reduced, as some lines of one pixel would be lost otherwise."""
    plt.close(figure)
    drawn, shown = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=2 * SHOWN_DPI)
    small = PIL.Image.open(drawn).convert("RGB").reduce(2)
    small.save(shown, "jpeg", quality=88, subsampling=0)
    return Image(shown.getvalue(), format="jpeg")


def show_grey(axes, image, title: str = "") -> None:
    """Bytes (H, W) at their true grey levels, or (H, W, 3) in colour, without ticks."""
    axes.imshow(image, vmin=0, vmax=255)
    axes.set(title=title, xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
