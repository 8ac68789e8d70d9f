"""Small files that want much memory or time: when they are opened, or at the first trace."""

import re
from collections import OrderedDict

import torch
from torch import nn
from ultralytics.utils import IterableSimpleNamespace

from . import opcodes as ops
from .case import Case, collect
from .networks import Written, attribute, child, save

CASES: list[Case] = []
case = collect("sizes", CASES)
UNFIT = "does not fit its weights"
FILLS = "would fill the memory"


def _tensor(name, tries, answer, size, stride, count=4, stored=16, key="0", kind="FloatStorage"):
    def build(folder):
        made = ops.tensor(ops.storage(key, kind, count), ops.numbers(*size), ops.numbers(*stride))
        return ops.archive(folder / "evil.pt", ops.entries(model=ops.EMPTY, w=made), _0=bytes(stored))

    build.__name__ = name
    case(tries, answer)(build)


_tensor("huge_shape", "a tensor of 40 GB in a file of 1 kB", "does not fit its storage", (10**5, 10**5), (10**5, 1))
_tensor("stride_zero", "the same, by strides of 0", "does not fit its storage", (10**5, 10**5), (0, 0))
_tensor("huge_storage", "a storage that claims 40 GB", "smaller than it claims", (4,), (1,), count=10**10)
_tensor("no_storage", "a storage that is not there", "is missing", (4,), (1,), key="7")
_tensor("climbing_storage", "a storage outside of the archive", "is missing", (4,), (1,), key="../../../etc/passwd")
_tensor("negative_stride", "numbers before the storage", "not made of whole numbers", (4,), (-1,))
_tensor("empty_but_long", "a tensor of 0 × 2^39 numbers", "does not fit", (0, 1 << 39), (1, 1))
_tensor("many_axes", "a tensor of 100 axes", "does not fit its storage", (1,) * 100, (1,) * 100)
_tensor(
    "odd_storage", "a storage of an unknown type", "asks for more than model classes", (1,), (1,), kind="UntypedStorage"
)


@case("one storage in 200 tensors of its whole length", "its tensors are larger than the file")
def shared_storage(folder):
    whole = torch.zeros(1 << 18)
    return save(folder / "evil.pt", optimizer=[whole[:] for _ in range(200)])


@case("lists that hold each other twice, 55 deep", "more values than a checkpoint of its size can need")
def nested_lists(folder):
    value = ["a"]
    for _ in range(55):
        value = [value, value]
    return save(folder / "evil.pt", extra=value)


@case("the same as an attribute of a layer", "more values than a checkpoint of its size can need")
def nested_tuples(folder):
    value = ("a",)
    for _ in range(40):
        value = (value, value)
    return attribute(folder / "evil.pt", "model.0", extra=value)


@case("the same as a key, whose hash takes for ever", "more values than|uses a tuple as a key")
def nested_key(folder):
    value = ("a",)
    for _ in range(26):
        value = (value, value)
    return save(folder / "evil.pt", extra=Written(OrderedDict, [(value, 1)]))


@case("the same as the name of a device, to be written out", "torch.device wrongly")
def nested_device(folder):
    value = ops.text("a")
    for _ in range(40):
        value += b"q\x00h\x00\x86"
    device = ops.name("torch", "device") + value + b"\x85R"
    return ops.archive(folder / "evil.pt", ops.entries(model=ops.EMPTY, extra=device))


@case("lists 100,000 deep", "nests more than 60 containers")
def deep_lists(folder):
    return ops.archive(folder / "evil.pt", ops.entries(model=ops.EMPTY, extra=b"]" * 100_000 + b"a" * 99_999))


@case("a list within itself", "holds a container within itself")
def list_in_itself(folder):
    value = []
    value.append(value)
    return save(folder / "evil.pt", extra=value)


@case("settings within themselves", "holds a container within itself")
def settings_in_themselves(folder):
    settings = IterableSimpleNamespace()
    settings.me = settings
    return save(folder / "evil.pt", train_args=settings)


@case("300,000 empty lists of one byte each", "more objects than a checkpoint of its size can need")
def many_lists(folder):
    return ops.archive(folder / "evil.pt", ops.entries(model=b"(" + b"]" * 300_000 + b"l"))


@case("a number of 100,000 digits", "a number is too long")
def long_number(folder):
    content = b"\x8b" + (40_000).to_bytes(4, "little") + b"\x7f" * 40_000
    return ops.archive(folder / "evil.pt", ops.entries(model=ops.EMPTY, extra=content))


@case("numbers of one hash as keys", "a key of a dictionary is a int")
def colliding_keys(folder):
    return save(folder / "evil.pt", extra={index * ((1 << 61) - 1): 0 for index in range(1, 20_000)})


@case("numbers of one hash in a set", "uses a int as a key")
def colliding_members(folder):
    return save(folder / "evil.pt", extra={index * ((1 << 61) - 1) for index in range(1, 2_000)})


@case("10,050 modules of ten bytes each", "more than 10000 modules|more objects than")
def many_modules(folder):
    modules = {str(index): nn.Identity() for index in range(10_050)}
    return save(folder / "evil.pt", lambda net: vars(net.model)["_modules"].update(modules))


@case("a module within itself", "puts a Sequential into a Sequential, and elsewhere too")
def module_in_itself(folder):
    return save(folder / "evil.pt", lambda net: net.model._modules.update({"7": net.model}))


@case("modules that hold each other twice, 22 deep: four million passes", "and elsewhere too")
def modules_twice(folder):
    block = nn.Sequential(nn.Identity())
    for _ in range(22):
        block = nn.Sequential(block, block)
    return child(folder / "evil.pt", "model.0", "act", block)


def _claim(where, tries, answer, **values):
    def build(folder):
        return attribute(folder / "evil.pt", where, **values)

    build.__name__ = re.sub(r"\W+", "_", tries).lower()
    case(tries, answer)(build)


_claim("model.0.conv", "Conv2d.padding of 20,000 px", UNFIT, padding=(20_000, 20_000))
_claim(
    "model.0.conv", "Conv2d.dilation, and padding, of 20,000 px", FILLS, dilation=(20_000,) * 2, padding=(39_000,) * 2
)
_claim("model.0.conv", "Conv2d.out_channels of 10^9", UNFIT, out_channels=10**9)
_claim("model.0.conv", "Conv2d.stride of 0", UNFIT, stride=(0, 0))
_claim(
    "model.0.conv",
    "Conv2d pads by a list that is not its padding",
    UNFIT,
    padding_mode="constant",
    _reversed_padding_repeated_twice=[20_000] * 4,
)
_claim("model.0.bn", "BatchNorm2d.num_features of 10^9", UNFIT, num_features=10**9)
_claim("model.3", "Upsample.scale_factor of 4,000", FILLS, scale_factor=4000.0)
_claim("model.3", "Upsample.size of 50,000 px", FILLS, size=(50_000, 50_000), scale_factor=None)
_claim("model.3", "Upsample.scale_factor that is no number", "do not fit each other", scale_factor=float("nan"))
_claim("model.4", "Concat of one feature 5,000 times", FILLS, f=[1] * 5_000)
_claim("model.4", "Concat of a feature that is not there", "do not fit each other", f=[-1, 77])
_claim("model.5", "RepConv.c1 of 10^8, the length of a loop of its fusion", UNFIT, c1=10**8)
_claim("model.6", "Detect.nc of 10^9", "2 names for 1000000000 classes", nc=10**9)
_claim("model.6", "Detect.nl of 10^9", "without one stride for each level", nl=10**9)
_claim("model.6", "Detect.reg_max of 10^9", "do not fit each other", reg_max=10**9)
_claim("model.6", "Detect.stride of 10^6 px", "strides that are not from 1 to 256", stride=torch.tensor([4.0, 1e6]))
_claim("model.6", "Detect.stride of 0", "strides that are not from 1 to 256", stride=torch.zeros(2))
_claim("model.6", "Detect.stride that is no tensor", "is not whole", stride=[4, 8])
_claim(
    "",
    "a stride of the network to which images are padded",
    "strides that are not from 1 to 256",
    stride=torch.tensor([1e6]),
)
_claim("", "a list of layers to keep that is a number", "do not fit each other", save=5)


def _layer(name, tries, answer, make):
    def build(folder):
        def change(net):
            added = make()
            added.i, added.f, added.type = 3, -1, "x"
            net.model[3] = added

        return save(folder / "evil.pt", change)

    build.__name__ = name
    case(tries, answer)(build)


_layer("adaptive_pool", "AdaptiveAvgPool2d to 50,000 px", FILLS, lambda: nn.AdaptiveAvgPool2d(50_000))
_layer("zero_pad", "ZeroPad2d of 50,000 px", FILLS, lambda: nn.ZeroPad2d(50_000))
_layer("many_upsamplings", "twenty upsamplings by 2", FILLS, lambda: nn.Sequential(*[nn.Upsample(scale_factor=2)] * 20))
_layer("transposed_stride", "ConvTranspose2d.stride of 5,000 px", FILLS, lambda: nn.ConvTranspose2d(8, 8, 1, 5000))
_layer(
    "many_channels",
    "a convolution from 1 to 60,000 channels",
    FILLS,
    lambda: nn.Sequential(nn.Conv2d(8, 1, 1), nn.Upsample(scale_factor=8), nn.Conv2d(1, 60_000, 1)),
)
_layer(
    "unfolding", "a layer that multiplies a picture: Unfold", "asks for more than model classes", lambda: nn.Unfold(9)
)
