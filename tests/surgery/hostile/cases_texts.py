"""Texts of a checkpoint that something else evaluates, imports, fetches or opens later; none may be reached."""

from .case import Case, collect, command
from .networks import attribute, network, save

CASES: list[Case] = []
case = collect("texts", CASES)


def _yaml(name, tries, answer, change):
    def build(folder):
        yaml = {key: list(value) if isinstance(value, list) else value for key, value in network().yaml.items()}
        change(yaml, folder)
        return attribute(folder / "evil.pt", "", yaml=yaml)

    build.__name__ = name
    case(tries, answer)(build)


def _row(*row):
    return lambda yaml, folder: yaml["backbone"].append(list(row))


_yaml("activation", "a text that a training evaluates", "as activation", lambda y, f: y.update(activation=command(f)))
_yaml(
    "activation_call",
    "the same as an argument",
    "as activation",
    lambda y, f: y.update(activation=f"nn.ReLU({command(f)})"),
)
_yaml(
    "activation_size",
    "an activation of 40 GB",
    "as activation",
    lambda y, f: y.update(activation="nn.Linear(100000, 100000)"),
)
_yaml(
    "activation_attention",
    "the same of torch's activations",
    "as activation",
    lambda y, f: y.update(activation="nn.MultiheadAttention(90, 1)"),
)
_yaml("activation_bytes", "the same as bytes", "as activation", lambda y, f: y.update(activation=command(f).encode()))
_yaml(
    "activation_genuine",
    "an activation as Ultralytics documents it",
    "",
    lambda y, f: y.update(activation="torch.nn.LeakyReLU(0.1)"),
)
_yaml(
    "layer_of_another_module",
    "a layer outside of Ultralytics",
    "as a layer",
    _row(-1, 1, "torchvision.ops.DeformConv2d", []),
)
_yaml("layer_by_builtin", "a name of the tasks that is no layer", "as a layer", _row(-1, 1, "eval", ["1"]))
_yaml(
    "nested_network",
    "a network as a layer, whose text is evaluated",
    "'DetectionModel' as a layer",
    lambda y, f: y["backbone"].append(
        [-1, 1, "DetectionModel", [{"activation": command(f), "nc": 1, "backbone": [[-1, 1, "Conv", [8]]], "head": []}]]
    ),
)
_yaml(
    "fetching_layer",
    "a layer whose constructor fetches weights",
    "'TorchVision' as a layer",
    _row(-1, 1, "TorchVision", [512, "resnet18", "DEFAULT"]),
)
_yaml("address_as_argument", "an address as argument of a layer", "the argument", _row(-1, 1, "Conv", ["http://x/y"]))
_yaml("huge_layer", "a layer of 10^9 channels", "with the number", _row(-1, 1, "Conv", [10**9]))
_yaml("many_repeats", "a layer repeated 10,000 times", "other than 1 to 100 times", _row(-1, 10_000, "Conv", [8]))
_yaml("row_of_text", "a row that is a text", "otherwise than by four values", lambda y, f: y["backbone"].append("Conv"))
_yaml("channels", "images of 10^4 channels", "how many channels", lambda y, f: y.update(channels=10**4))
_yaml("no_lists", "a description whose layers are a number", "by no list", lambda y, f: y.update(backbone=7))


@case("a description that is a text", "describes its network by no dictionary")
def description_is_a_text(folder):
    return attribute(folder / "evil.pt", "", yaml=command(folder))


def _names(name, tries, value, answer="names its classes wrongly"):
    def build(folder):
        return attribute(folder / "evil.pt", "", names=value)

    build.__name__ = f"names_{name}"
    case(tries, answer)(build)


_names("empty", "no class names, so that a data file is looked for", {})
_names("text", "class names that are a text", "http://localhost:9/names.yaml")
_names("far", "class names with a number far away", {0: "a", 10**9: "b"})
_names("few", "fewer names than classes", ["a"])
_names("negative", "a negative class", {-1: "a", 0: "b"})
_names("nested", "names that are lists", {0: [["a"]], 1: {"b": 1}}, answer="")


def _setting(name, tries, answer, **settings):
    def build(folder):
        return save(folder / "evil.pt", train_args=settings)

    build.__name__ = f"setting_{name}"
    case(tries, answer)(build)


_setting("data_address", "training data at an address", "", data="http://localhost:9/data.yaml")
_setting("data_platform", "training data on a platform", "", data="ul://user/data")
_setting("data_list", "training data that is a list", "", data=["http://localhost:9/data.yaml"])
_setting("imgsz", "images of 10^6 px by default", "images of no known size", imgsz=10**6)
_setting("imgsz_text", "an image size that is a text", "images of no known size", imgsz="640; import os")
_setting("single_cls", "a setting that is a list", "says what no setting can be", single_cls=[[]])
_setting(
    "foreign",
    "settings that only a training knows",
    "",
    model="http://localhost:9/x.pt",
    resume=True,
    cfg="x.yaml",
    pretrained="http://localhost:9/y.pt",
    project="/tmp/evil",
    tracker="../evil.yaml",
    source="http://localhost:9",
)


@case("a task that cannot be compared", "")
def task_is_a_list(folder):
    return attribute(folder / "evil.pt", "", task=[["detect"]])


@case("the path of another file for what comes later", "")
def other_path(folder):
    return attribute(folder / "evil.pt", "", pt_path="http://localhost:9/z.pt", args={"data": "http://localhost:9"})
