"""The table of detections of a report, appended image by image: CSV while it runs, Parquet at the end."""

from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from anatomy import Trace
from diagnosis.survey.spreadsheet import neutral

if TYPE_CHECKING:
    from polars import DataFrame, Schema


class Table:
    """Rows of ``trace.to_df()`` behind columns for the image they belong to; the first trace fixes the types.

    ``file`` gets them for people and spreadsheets, ``raw`` as they are.
    """

    def __init__(self, file: BinaryIO, raw: BinaryIO) -> None:
        self.file, self.raw = file, raw
        self.schema: Schema | None = None

    def add(self, name: str, path: str, trace: Trace) -> "DataFrame":
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
        self.schema = self.schema or frame.schema
        frame = frame.cast(self.schema)
        neutral(frame).write_csv(self.file, include_header=header)
        frame.write_csv(self.raw, include_header=header)
        return frame

    def to_parquet(self, raw: Path, path: Path) -> None:
        """Make a Parquet file from the finished raw table, which then goes, row group by row group."""
        import polars

        frame = polars.scan_csv(raw, schema=self.schema, glob=False)
        try:
            frame.sink_parquet(path)
        except polars.exceptions.PolarsError as error:
            raise OSError(str(error)) from error
        raw.unlink()
