"""One look for all figures, and one way to save them."""

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from lib.paths import results_dir

DPI = 300
TEXT_WIDTH = 7.2  # inches, two journal columns

plt.rcParams.update(
    {
        "font.size": 8,
        "axes.titlesize": 8,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "figure.constrained_layout.use": True,
        "svg.hashsalt": "infrared",  # the same figure gives the same bytes
        "image.cmap": "gray",
        "image.interpolation": "nearest",
    }
)


def save(figure: Figure, profile: str, name: str, vector: bool = False) -> Figure:
    """Write results/<profile>/figures/<name>.png, or .svg for lines; returns the figure.

    The figure is closed for pyplot, so that a notebook shows it once: as the value of its cell.
    """
    folder = results_dir(profile) / "figures"
    folder.mkdir(exist_ok=True)
    if vector:
        figure.savefig(folder / f"{name}.svg", bbox_inches="tight",
                       metadata={"Date": None, "Creator": None})  # fmt: skip
    else:
        figure.savefig(folder / f"{name}.png", dpi=DPI, metadata={"Software": None})
    plt.close(figure)
    return figure


def show_grey(axes, image, title: str = "") -> None:
    """A grey image (H, W) of bytes at its true grey levels, without ticks."""
    axes.imshow(image, vmin=0, vmax=255)
    axes.set_title(title)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
