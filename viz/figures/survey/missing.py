"""What a survey lacks for a figure, in a sentence."""

from diagnosis.surveys.tables import SurveyTables

NO_TRUTH = "This survey was made of images without labels,\nso nothing is known of right and wrong."
NO_OBJECTS = "The labels of this survey hold no object."
NO_DETECTIONS = "Nothing was detected."


def without_objects(survey: SurveyTables) -> str:
    """Why nothing can be said of objects, "" where something can."""
    if not survey.truth:
        return NO_TRUTH
    return NO_OBJECTS if survey.objects.head(1).collect().is_empty() else ""


def without_detections(survey: SurveyTables) -> str:
    """Why nothing can be said of right and wrong detections, "" where something can."""
    if not survey.truth:
        return NO_TRUTH
    return nothing_detected(survey)


def nothing_detected(survey: SurveyTables) -> str:
    """That there are no detections, "" where there are."""
    return NO_DETECTIONS if survey.detections.head(1).collect().is_empty() else ""
