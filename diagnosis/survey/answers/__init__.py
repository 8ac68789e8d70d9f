"""What can be asked of a survey: every answer is a function of its tables; and exports of them."""

from .coco import CocoExport, to_coco
from .comparison import CHANGES, SurveyComparison, compare
from .confidence_bins import calibration, calibration_error
from .csv_tables import to_csv
from .error_counts import duplicates, errors
from .fiftyone_dataset import to_fiftyone
from .lower_thresholds import rescue
from .miss_reasons import reasons
from .recall_precision import precision, recall

__all__ = [
    "CHANGES",
    "CocoExport",
    "SurveyComparison",
    "calibration",
    "calibration_error",
    "compare",
    "duplicates",
    "errors",
    "precision",
    "reasons",
    "recall",
    "rescue",
    "to_coco",
    "to_csv",
    "to_fiftyone",
]
