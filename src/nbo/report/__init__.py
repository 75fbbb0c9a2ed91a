"""What a model is, how good it is and whom it names, as one page that people can read and print."""

from nbo.report.charts import (
    calibration_svg,
    charts_for_tracking,
    families_svg,
    gains_svg,
    slices_svg,
)
from nbo.report.render import render_report

__all__ = [
    "calibration_svg",
    "charts_for_tracking",
    "families_svg",
    "gains_svg",
    "render_report",
    "slices_svg",
]
