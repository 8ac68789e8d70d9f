"""What the files of a set prove alone: label files row by row, image files, images that stand there twice."""

from .copies import Copies, copy_findings, find_copies
from .pictures import ImageFile, image_findings, look_at_all
from .rows import FileTally, tally_files

__all__ = [
    "Copies",
    "FileTally",
    "ImageFile",
    "copy_findings",
    "find_copies",
    "image_findings",
    "look_at_all",
    "tally_files",
]
