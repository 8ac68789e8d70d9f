"""The table of detections of a report, appended image by image: CSV while it runs, Parquet from it at the end."""

from pathlib import Path
from typing import BinaryIO

from anatomy import Trace


class Table:
    """Rows of ``trace.to_df()`` behind columns for the image they belong to; the first trace fixes the types."""

    def __init__(self, file: BinaryIO):
        self.file, self.schema = file, None

    def add(self, name: str, path: str, trace: Trace):
        """Append one image; returns its rows as a DataFrame."""
        import polars

        height, width = trace.image.shape[:2]
        found = trace.to_df()
        of_image = {"image": name, "path": path, "width": width, "height": height}
        frame = found.select(
            *(polars.lit(value).alias(column) for column, value in of_image.items()),
            polars.int_range(polars.len(), dtype=polars.Int64).alias("detection"),
            polars.all(),
        ).with_columns(polars.col("width", "height").cast(polars.Int64))
        header = self.schema is None
        if header:
            self.schema = dict(frame.schema)
        frame.cast(self.schema).write_csv(self.file, include_header=header)
        return frame

    def to_parquet(self, csv: Path, path: Path) -> None:
        """Make a Parquet file from the finished CSV file, row group by row group."""
        import polars

        frame = polars.scan_csv(csv, schema=self.schema, glob=False)
        try:
            frame.sink_parquet(path)
        except polars.exceptions.PolarsError as error:
            raise OSError(str(error)) from error
