"""The one place that says where each printed number comes from, and which notebook shows it.

TABLES maps every cell of the papers' tables to a metric of an experiment; NOTEBOOKS lists the
notebooks in the order they run, with what each reads. The workflow, the notebooks, `lib.verify` and
the report all go by these. A new table is a CSV in data/reported, a row in TABLES, a notebook.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from lib.papers import reported
from lib.training.experiments import EXPERIMENTS

PRINTED_METRICS = ("AG", "IE", "PSNR", "SSIM")  # rows of 2D-GAN's Tables 3 to 7
# last AG and IE, of which more is not better, each beside how far from the reference's it is
SHOWN_METRICS = ("PSNR", "PSNR structure", "SSIM", "LPIPS", "AG", "AG distance", "IE",
                 "IE distance")
TRANSLATION_METRICS = ("PSNR", "SSIM")  # GN_CycleGAN's Tables 2 and 3

# by data set, what a network has to beat in PSNR and SSIM before these say anything of it
BASELINES = {
    "enhancement": ("Input", "tone_map"),
    "sober_drunk": ("Sober-Drunk-input", "Sober-Drunk-tone_map"),
    "enhancement_wide": ("Input-wide", "tone_map-wide"),
    "flir_infrared": ("FLIR-infrared-input", "FLIR-infrared-tone_map"),
    "osu_infrared": ("OSU-infrared-input", "OSU-infrared-tone_map"),
    "flir": ("visible-FLIR", "mean-FLIR"),
    "osu": ("visible-OSU", "mean-OSU"),
}

# printed numbers that choices of ours were fitted to: to agree with them says nothing
FITTED = ("2dgan/table2/*/FLOPs (G)", "2dgan/table2/*/Parameters (M)", "2dgan/table3/*/OG",
          "2dgan/table7/*/Original image")


@dataclass(frozen=True)
class Cell:
    """A printed number as ours: a metric of an experiment, of one example image or over all.
    `example`: 0 to 2 for 2D-GAN's Img1 to Img3 (Table 3), None for the mean over the test
    images."""

    experiment: str
    metric: str
    example: int | None = None


@dataclass(frozen=True)
class Table:
    """A printed table: (row, column) as in data/reported -> where ours comes from. `counted`: of
    networks without training or images (2D-GAN's Table 2), no cells."""

    paper: str
    item: str
    cells: dict[tuple[str, str], Cell] = field(default_factory=dict)
    counted: bool = False

    @property
    def experiments(self) -> tuple[str, ...]:
        """The experiments that its numbers come from, in the order of EXPERIMENTS."""
        used = {cell.experiment for cell in self.cells.values()}
        return tuple(name for name in EXPERIMENTS if name in used)


def _by_column(
    item: str, columns: dict[str, str], metrics: Iterable[str] = PRINTED_METRICS
) -> Table:
    """A table of 2D-GAN with a metric a row. `columns`: printed column -> experiment."""
    return Table("2dgan", item, {(metric, column): Cell(experiment, metric)
                                 for metric in metrics for column, experiment in columns.items()})


METHODS = {  # 2D-GAN's Table 3: printed column -> experiment
    "OG": "Input", "HE": "HE", "CLAHE": "CLAHE", "GF": "GF", "SSR": "SSR", "MSR": "MSR",
    "TIECNN": "TIECNN", "FUnIE": "FUnIE-GAN", "Ours": "C5",
}
COMPONENTS = {name: name for name in ("C1", "C2", "C3", "C4", "C5")}  # Table 4
ATTENTION = {"Pixel attention": "pixel_attention", "Multi-head attention": "multi_head_attention",
             "Cross-level attention": "C5"}  # Table 5
# Table 6: its ticks add one loss a column, its prose has one loss a column
LOSSES = {"L1": "L1", "L2": "L2", "L3": "L3", "L4": "L4", "L5": "C5"}
LOSSES_BY_PROSE = {"L1": "L1", "L2": "L2-prose", "L3": "L3-prose", "L4": "L4-prose", "L5": "C5"}
FACES = {"Original image": "Sober-Drunk-input", "After enhancement": "Sober-Drunk"}  # Table 7
GENERATORS = {  # GN_CycleGAN's Table 2: printed row -> experiment without its data set
    **{f"CycleGAN+{name}": name
       for name in ("unet_128", "unet_256", "resnet_6blocks", "resnet_9blocks")},
    "CUT": "CUT", "Ours(GN_CycleGAN)": "GN_CycleGAN",
}
PARTS = {  # Table 3
    "Baseline(CycleGAN)": "unet_128-FLIR", "CycleGAN+ResNet": "resnet_9blocks-FLIR",
    "CycleGAN+ResNet+CBAM": "CBAM_CycleGAN-FLIR", "Ours (GN_CycleGAN)": "GN_CycleGAN-FLIR",
}

TABLES = {
    (table.paper, table.item): table
    for table in (
        Table("2dgan", "table2", counted=True),
        Table("2dgan", "table3", {
            (f"Img{k + 1}.{metric}", column): Cell(experiment, metric, k)
            for k in range(3) for metric in PRINTED_METRICS
            for column, experiment in METHODS.items()}),
        _by_column("table4", COMPONENTS),
        _by_column("table5", ATTENTION),
        _by_column("table6", LOSSES),
        _by_column("table7", FACES),
        Table("gn_cyclegan", "table2", {
            (row, f"{printed}.{metric}"): Cell(f"{name}-{data}", metric)
            for row, name in GENERATORS.items()
            for printed, data in (("OSU", "OSU"), ("Flir", "FLIR"))
            for metric in TRANSLATION_METRICS}),
        Table("gn_cyclegan", "table3", {
            (row, metric): Cell(experiment, metric)
            for row, experiment in PARTS.items() for metric in TRANSLATION_METRICS}),
    )
}


@dataclass(frozen=True)
class Notebook:
    """A notebook; `name` is its file's and its target's name.

    `tables`: (paper, item) that it records, the runs of which it reads; `experiments`: further runs
    that it reads, patterns such as "L[2-4]*" will do; `data`: data sets that it reads, by key;
    `after`: notebooks whose results it reads; `on_request`: it runs where --only names it.
    """

    name: str
    title: str
    tables: tuple[tuple[str, str], ...] = ()
    experiments: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    on_request: bool = False

    def reads(self) -> tuple[str, ...]:
        """The experiments whose runs it reads, in the order of EXPERIMENTS. Raises ValueError for a
        pattern that no experiment has."""
        for pattern in self.experiments:
            if not any(fnmatchcase(name, pattern) for name in EXPERIMENTS):
                raise ValueError(f"{self.name} reads experiment {pattern}, which is not in "
                                 "lib/training/experiments.py")
        of_tables = {name for table in self.tables for name in TABLES[table].experiments}
        return tuple(name for name in EXPERIMENTS if name in of_tables
                     or any(fnmatchcase(name, pattern) for pattern in self.experiments))


def trained(paper: str) -> tuple[str, ...]:
    """What is trained for a paper's tables: L5 as C5, which it is; searches are notebooks'."""
    return tuple(
        name for name, one in EXPERIMENTS.items()
        if one.network and one.paper == paper and one.steps_divisor == 1 and name != "L5"
    )


_LESSONS = (  # these need no run, and nothing waits for them
    Notebook("01_lesson_2dgan", "lesson: 2D-GAN, part by part",
             data=("enhancement", "flir_infrared")),
    Notebook("03_lesson_gn_cyclegan", "lesson: GN_CycleGAN, part by part", data=("flir",)),
    Notebook("04_playground", "playground: try it out with sliders", data=("enhancement", "flir")),
)
_TABLES = (
    Notebook("00_environment_and_reported", "environment, and what both papers report"),
    Notebook("02_audit", "do the papers agree with themselves?", data=("enhancement",)),
    Notebook("10_2dgan_data", "2D-GAN: enhancement data, Fig. 5", data=("enhancement",)),
    Notebook("11_train_2dgan", "2D-GAN: how its models are trained",
             experiments=trained("2dgan"), data=("enhancement",)),
    Notebook("12_2dgan_table3", "2D-GAN: Table 3, Figs. 7 to 9", (("2dgan", "table3"),),
             ("tone_map", "*-infrared*")),
    Notebook("13_2dgan_table4", "2D-GAN: Table 4, Figs. 10 and 11", (("2dgan", "table4"),),
             ("Input", "tone_map", "undo_*", "*-wide")),
    Notebook("14_2dgan_table5", "2D-GAN: Table 5", (("2dgan", "table5"),),
             ("Input", "tone_map", "summed_attention", "C3-unweighted")),
    Notebook("15_2dgan_table6", "2D-GAN: Table 6", (("2dgan", "table6"),),
             ("Input", "tone_map", "L[2-4]-prose", "L2-mean-score")),
    Notebook("16_2dgan_table7", "2D-GAN: Table 7, Figs. 6 and 12", (("2dgan", "table7"),),
             ("Sober-Drunk*", "*recorded-faces*"), data=("sober_drunk",)),
    Notebook("17_2dgan_table2", "2D-GAN: Table 2, complexity", (("2dgan", "table2"),)),
    Notebook("18_2dgan_architecture", "2D-GAN: Figs. 1 to 4, attention maps", experiments=("C5",)),
    Notebook("19_2dgan_search", "2D-GAN: loss weights, searched on validation images",
             experiments=("search-2dgan-*",), on_request=True),
    Notebook("20_gn_data", "GN_CycleGAN: visible and infrared pairs", data=("flir", "osu")),
    Notebook("21_train_gn_cyclegan", "GN_CycleGAN: how its models are trained",
             experiments=trained("gn_cyclegan"), data=("flir",)),
    Notebook("22_gn_table2", "GN_CycleGAN: Table 2, Figs. 4 and 5", (("gn_cyclegan", "table2"),),
             ("visible-*", "mean-*")),
    Notebook("23_gn_table3", "GN_CycleGAN: Table 3, Fig. 8", (("gn_cyclegan", "table3"),),
             ("*-lsgan-FLIR", "*-log10-FLIR", "visible-FLIR", "mean-FLIR")),
    Notebook("24_gn_stability", "GN_CycleGAN: Figs. 6 and 7, stress test",
             experiments=("unet_128-FLIR", "CBAM_CycleGAN-FLIR", "GN_CycleGAN-FLIR",
                          "*-stress-FLIR")),
    Notebook("25_gn_architecture", "GN_CycleGAN: networks, Figs. 1 to 3"),
    Notebook("26_gn_search", "GN_CycleGAN: readings of its losses, searched on MSRS",
             experiments=("search-gn-*",), on_request=True),
    Notebook("27_precision", "do trainings in bf16 end where those in fp32 do?",
             experiments=("precision-*",), on_request=True),
)
_SUMMARY = Notebook("90_summary", "summary of both papers",
                    after=tuple(nb.name for nb in _TABLES if not nb.on_request))
NOTEBOOKS = tuple(sorted((*_LESSONS, *_TABLES, _SUMMARY), key=lambda notebook: notebook.name))


def notebook_of(paper: str, item: str) -> str:
    """The notebook that records a table's numbers, empty where none does."""
    return next((nb.name for nb in NOTEBOOKS if (paper, item) in nb.tables), "")


def printed_of(experiment: str) -> dict[str, float]:
    """What the papers print for an experiment as means over images, by metric; of several tables
    the first."""
    found: dict[str, float] = {}
    for (paper, item), table in TABLES.items():
        for printed, cell in table.cells.items():
            if cell.experiment == experiment and cell.example is None:
                found.setdefault(cell.metric, float(reported.printed(paper, item, *printed)))
    return found
