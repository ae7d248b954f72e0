"""Every chart and picture in one place: functions that return a `Figure`. numpy only; tensors go in as `.numpy()`."""

from torchclinic.report.charts import bar_chart, histogram, line_chart
from torchclinic.report.pictures import heat_map, image_grid, signed_pixels

__all__ = ["bar_chart", "heat_map", "histogram", "image_grid", "line_chart", "signed_pixels"]
