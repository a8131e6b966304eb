"""The figures of thermal faces of 2D-GAN: Fig. 6 (augmentation), Fig. 12 (enhancement)."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from lib.data.faces import N_IMAGES, OPERATIONS, augment, operations_of, parse
from lib.figures.enhancement import ZOOM_COLOUR, most_detailed_square
from lib.figures.style import TEXT_WIDTH, show_grey


def augmentations(image: np.ndarray, name: str, title: str) -> Figure:
    """Fig. 6: a basic image (S, S), each operation alone, and the first copies made of it.

    `name` is the image's; its copies 1 to 4 are those of the data set, by two or three operations.
    """
    face = parse(name)
    shown = [("basic image", image)]
    shown += [(operation, augment(image, name, [operation])) for operation in OPERATIONS]
    for copy in range(1, 5):
        made = face._replace(copy=copy)
        operations = operations_of(made)
        shown.append((",\n".join(operations), augment(image, made.name, operations)))
    figure, axes = plt.subplots(2, 5, figsize=(TEXT_WIDTH, 4.1))
    for k, (axis, (label, picture)) in enumerate(zip(axes.flat, shown, strict=True)):
        show_grey(axis, picture)
        axis.set_xlabel(f"({chr(97 + k)}) {label}")
    figure.suptitle(title)
    return figure


def one_of_each_person(names: Sequence[str]) -> list[int]:
    """Positions of one image of every person, their states alternating where they can."""
    faces = [parse(name) for name in names]
    chosen = []
    for k, person in enumerate(dict.fromkeys(face.person for face in faces)):
        wanted = list(N_IMAGES)[k % 2]
        own = [i for i, face in enumerate(faces) if face.person == person]
        chosen.append(min(own, key=lambda i: (faces[i].state != wanted, i)))
    return chosen


def enhanced_faces(
    rows: dict[str, np.ndarray], names: Sequence[str], title: str, zoom: int = 32
) -> Figure:
    """Fig. 12: faces side by side, each with a detail enlarged to its right.

    `rows`: label -> (N, S, S) bytes, one row of the figure each; the detail is the square of `zoom`
    pixels, in the inner half of the face, in which the last row, the reference, has most texture.
    `names`: of the N faces.
    """
    columns, reference = len(names), list(rows.values())[-1]
    margin = reference.shape[1] // 4
    width = TEXT_WIDTH / columns
    figure, axes = plt.subplots(
        len(rows), 2 * columns, figsize=(TEXT_WIDTH, len(rows) * width * 0.62 + 0.6),
        width_ratios=[2, 1] * columns, squeeze=False,
    )  # fmt: skip
    for column, name in enumerate(names):
        inner = reference[column, margin:-margin, margin:-margin]
        y, x = (margin + place for place in most_detailed_square(inner, zoom))
        for row, images in enumerate(rows.values()):
            whole, detail = axes[row, 2 * column : 2 * column + 2]
            show_grey(whole, images[column])
            outline = Rectangle((x - 0.5, y - 0.5), zoom, zoom, fill=False, color=ZOOM_COLOUR)
            whole.add_patch(outline)
            show_grey(detail, images[column][y : y + zoom, x : x + zoom])
            for spine in detail.spines.values():
                spine.set(visible=True, color=ZOOM_COLOUR)
        face = parse(name)
        axes[0, 2 * column].set_title(f"person {face.person}, {face.state}")
    for row, label in enumerate(rows):
        axes[row, 0].set_ylabel(label)
    figure.suptitle(title)
    return figure
