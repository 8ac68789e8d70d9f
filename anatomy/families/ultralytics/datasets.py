"""What Ultralytics takes for a picture, and the folder in which it keeps data sets."""

from pathlib import Path

from ultralytics.data.utils import IMG_FORMATS
from ultralytics.utils import DATASETS_DIR

IMAGE_FORMATS: frozenset[str] = frozenset(IMG_FORMATS)  # endings, lower case, without the dot
DATASETS_FOLDER = Path(DATASETS_DIR)
