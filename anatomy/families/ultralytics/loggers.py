"""The loggers that an Ultralytics training may have active, and how each takes scalars."""

import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

HOME = "ultralytics.utils.callbacks."
Scalars = Mapping[str, float]
Log = Callable[[Scalars, int], Any]


def _tensorboard(module: ModuleType, trainer: Any) -> Log | None:
    writer = module.WRITER
    if writer is None:
        return None
    return lambda scalars, step: [writer.add_scalar(name, value, step) for name, value in scalars.items()]


def _wandb(module: ModuleType, trainer: Any) -> Log | None:
    run = module.wb.run if module.wb else None
    if run is None:
        return None
    run.define_metric("watch/*", step_metric="watch/step")  # its own steps are counted by what Ultralytics logs
    return lambda scalars, step: run.log({**scalars, "watch/step": step})


def _mlflow(module: ModuleType, trainer: Any) -> Log | None:
    if not module.mlflow or not getattr(trainer, "_mlflow_active", False):
        return None
    return lambda scalars, step: module.mlflow.log_metrics(metrics=dict(scalars), step=step)


def _comet(module: ModuleType, trainer: Any) -> Log | None:
    experiment = module.comet_ml.get_running_experiment() if module.comet_ml else None
    if experiment is None:
        return None
    return lambda scalars, step: experiment.log_metrics(dict(scalars), step=step)


# the file of Ultralytics' callbacks that holds a logger: how it takes scalars, or None where it logs nothing
LOGGERS: dict[str, Callable[[ModuleType, Any], Log | None]] = {
    "tensorboard": _tensorboard,
    "wb": _wandb,
    "mlflow": _mlflow,
    "comet": _comet,
}


def active_loggers(trainer: Any) -> dict[str, Log]:
    """The loggers of this training, by name: those whose callbacks it has, as far as they log."""
    homes = {getattr(call, "__module__", "") for calls in trainer.callbacks.values() for call in calls}
    found = {}
    for name, make in LOGGERS.items():
        log = make(sys.modules[HOME + name], trainer) if HOME + name in homes else None
        if log is not None:
            found[name] = log
    return found
