"""Which globals of a pickle are torch's own data types, and what is to be said about the others."""

from torchclinic.checkpoints.dtypes import ITEM_SIZES, STORAGES, TORCH_NAMES
from torchclinic.checkpoints.machine import Global

# What torch.load(weights_only=True) accepts without being told: containers, storages, rebuild functions.
_OWN = frozenset(
    """
    collections.OrderedDict collections.defaultdict collections.Counter builtins.set __builtin__.set
    builtins.dict __builtin__.dict builtins.bytearray _codecs.encode torch.Size torch.Tensor torch.device
    torch.nn.parameter.Parameter torch.nn.Parameter torch._tensor._rebuild_from_type_v2
    torch.serialization._get_layout torch._utils._rebuild_tensor torch._utils._rebuild_tensor_v2
    torch._utils._rebuild_tensor_v3 torch._utils._rebuild_parameter torch._utils._rebuild_parameter_with_state
    torch._utils._rebuild_qtensor torch._utils._rebuild_sparse_tensor torch._utils._rebuild_nested_tensor
    torch._utils._rebuild_meta_tensor_no_storage torch._utils._rebuild_wrapper_subclass
    torch._utils._rebuild_device_tensor_from_numpy torch._utils._rebuild_device_tensor_from_cpu_tensor
    """.split()
)
_OWN |= {f"torch.{name}" for name in (*ITEM_SIZES, *STORAGES, *TORCH_NAMES)}
_OWN |= {f"torch.storage.{name}" for name in (*STORAGES, "UntypedStorage", "TypedStorage")}
_OWN |= {"torch.per_tensor_affine", "torch.per_channel_affine", "torch.FloatTensor", "torch.LongTensor"}

# Modules that run commands or code, or hand out everything else.
_POWERFUL = frozenset(
    """
    os posix nt subprocess sys builtins __builtin__ importlib imp runpy shutil socket ctypes _ctypes pickle
    _pickle dill cloudpickle joblib code codeop pty commands multiprocessing threading asyncio webbrowser urllib
    requests http ftplib smtplib tempfile pathlib io pip site operator functools types marshal timeit cProfile
    profile pdb bdb doctest unittest copyreg inspect linecache zipimport pkgutil signal atexit
    """.split()
)
_POWERFUL_TORCH = ("torch.hub", "torch.load", "torch.serialization", "torch.utils.cpp_extension", "torch.ops", "torch.jit")


def is_own(name: Global) -> bool:
    return str(name) in _OWN


def is_powerful(name: Global) -> bool:
    """Whether the module can run commands or code, or hands out everything (getattr, operator)."""
    root = name.module.partition(".")[0]
    return root in _POWERFUL or f"{name}".startswith(_POWERFUL_TORCH) or name.module == "(computed)"


def reason(name: Global, called: bool) -> str:
    """Why this global is named: what unpickling would do with it."""
    if name.module == "(computed)":
        return "its name is computed while unpickling, which nothing but an attack needs"
    if is_powerful(name):
        act = "would be called" if called else "would be imported"
        return f"{act} by unpickling, and can run code of the file's choosing"
    if name.module.startswith("__torch__"):
        return "is a class compiled into this TorchScript archive"
    root = name.module.partition(".")[0]
    if root == "numpy":
        return "is a NumPy value; torch.load(weights_only=True) refuses it unless it is allowed by name"
    act = "called" if called else "imported"
    return f"would be imported from the installed {root} and {act}; torch.load(weights_only=True) refuses it"
