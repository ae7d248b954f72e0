"""What one layer does in a forward, where its mode decides."""

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from torchclinic.observe.records import LayerPass


def layer_pass(module: nn.Module, path: str, tensor: Tensor | None) -> LayerPass | None:
    """Of a dropout or a BatchNorm that was called with `tensor`."""
    if isinstance(module, _BatchNorm):
        return _normalized(module, path, tensor)
    if isinstance(module, _DropoutNd) and module.p > 0:
        return LayerPass(path, "dropout", module.training, probability=module.p)
    return None


def _normalized(module: _BatchNorm, path: str, tensor: Tensor | None) -> LayerPass:
    active = module.training or module.running_mean is None
    frozen = module.affine and not any(p.requires_grad for p in module.parameters())
    values = tensor.numel() // max(1, module.num_features) if tensor is not None else 0
    rows = len(tensor) if tensor is not None and tensor.dim() else 0
    facts = LayerPass(path, "batchnorm", active, frozen, values, rows, module.running_mean is not None)
    if frozen and active:
        facts.affine_sum = sum(float(parameter.detach().sum()) for parameter in module.parameters())
    return facts
