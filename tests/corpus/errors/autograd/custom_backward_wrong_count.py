import torch


class LeakyClip(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, low, high):
        ctx.save_for_backward(x)
        ctx.low, ctx.high = low, high
        return x.clamp(low, high)

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        inside = (x >= ctx.low) & (x <= ctx.high)
        return torch.where(inside, grad_output, 0.01 * grad_output)


layer = torch.nn.Linear(4, 4)
activations = LeakyClip.apply(layer(torch.randn(9, 4)), -1.0, 1.0)
activations.sum().backward()
