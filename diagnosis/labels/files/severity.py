"""What each problem of the files is worth, and how it is mended."""

from typing import NamedTuple


class Fault(NamedTuple):
    """A finding about files: ``code`` of ``CODES``, severity, ``what`` was found in plural, and how to ``mend`` it."""

    code: str
    severity: str
    what: str
    mend: str


FAULTS = {
    "missing_image": Fault(
        "missing_image", "error", "images are listed but not there", "Fetch them, or take them off the list."
    ),
    "duplicate_image": Fault("duplicate_image", "warning", "images are listed twice", "List each once."),
    "not_an_image": Fault(
        "not_an_image", "warning", "lines of a list name no image", "Take them out, or give the file its ending."
    ),
    "missing_file": Fault(
        "missing_file",
        "warning",
        "images have no label file, so that they count as without objects",
        "Label them, or write an empty file where there is nothing to be labelled.",
    ),
    "empty_file": Fault(
        "empty_files",
        "warning",
        "label files are empty",
        "Was the export cut off? Images without objects are of use, but rarely as most of a set.",
    ),
    "orphan": Fault(
        "orphan", "warning", "label files belong to no image", "Fetch the images, or mend the names of the files."
    ),
    "folder": Fault("folder", "error", "folders stand where label files belong", "Remove them."),
    "unreadable": Fault("unreadable", "error", "label files cannot be opened", "Give the right to read them."),
    "undecodable": Fault(
        "undecodable", "error", "label files are not UTF-8, and Ultralytics leaves their images out", "Write them anew."
    ),
    "wrong_columns": Fault(
        "wrong_columns",
        "error",
        "rows have a number of columns that no kind of label has",
        "A box has five: class id, centre x y, width, height.",
    ),
    "mixed_rows": Fault(
        "mixed_rows",
        "error",
        "files hold boxes and polygons, and Ultralytics leaves their images out",
        "Make polygons of all objects, or boxes of all.",
    ),
    "not_a_number": Fault("not_a_number", "error", "rows hold text", "Columns are numbers, with spaces between them."),
    "not_finite": Fault("not_finite", "error", "rows hold NaN or infinity", "Look for a division by 0 in the export."),
    "class_negative": Fault(
        "class_negative", "error", "class ids are below 0", "Ids count from 0; are these counted from 1, less 2?"
    ),
    "class_not_whole": Fault(
        "class_not_whole", "error", "class ids have a fraction", "The class id is the first column; is another first?"
    ),
    "class_unknown": Fault(
        "class_unknown",
        "error",
        "class ids are beyond the names",
        "Ids count from 0. Mend the ids, or complete the names.",
    ),
    "empty_box": Fault(
        "empty_box", "error", "boxes have no width or height", "Remove these rows, or draw the boxes anew."
    ),
    "outside": Fault(
        "outside", "error", "boxes leave the image, and Ultralytics leaves their images out", "Clip them to [0, 1]."
    ),
    "barely_outside": Fault("outside", "warning", "boxes leave the image by less than 1 %", "Clip them to [0, 1]."),
    "off_image": Fault(
        "off_image", "error", "boxes lie off the image altogether", "Are these px, or the labels of other images?"
    ),
    "duplicate_row": Fault(
        "duplicates", "warning", "rows stand twice in their file", "Keep each once, as Ultralytics does."
    ),
    "image_unknown": Fault(
        "image_unknown", "error", "annotations are about images that the file does not list", "List the images."
    ),
    "bad_annotation": Fault(
        "bad_annotation", "error", "annotations or images lack what COCO asks for", "Write the file anew."
    ),
}
