import copy

import torch
from torch import nn

from archlab.training.optimizer import MAX_GRADIENT_NORM, FlatAdamW, flatten, gradient_of


def test_optimising_the_flat_parameter_optimises_the_network() -> None:
    torch.manual_seed(0)
    ours = nn.Sequential(nn.Conv2d(3, 8, 3), nn.GroupNorm(2, 8), nn.SiLU(), nn.Conv2d(8, 2, 1))
    theirs = copy.deepcopy(ours)
    our_optimizer = FlatAdamW(ours.parameters(), 0.01)
    their_optimizer = torch.optim.AdamW(theirs.parameters(), lr=0.01)
    for _ in range(5):
        images = torch.randn(4, 3, 6, 6)
        for network in (ours, theirs):
            torch.autograd.backward(100 * network(images.to(memory_format=torch.channels_last)).square().mean())
        assert nn.utils.clip_grad_norm_(theirs.parameters(), MAX_GRADIENT_NORM) > MAX_GRADIENT_NORM
        our_optimizer.step()
        their_optimizer.step()
        their_optimizer.zero_grad()
    torch.testing.assert_close(dict(ours.state_dict()), dict(theirs.state_dict()), rtol=1e-4, atol=1e-6)


def test_gradients_are_parts_of_one_and_add_up() -> None:
    used, unused = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(3))
    flat = flatten([used, unused])
    for factor in (1.0, 5.0):
        torch.autograd.backward((factor * used).sum())
    assert gradient_of(flat).tolist() == [6, 6, 0, 0, 0]
    assert used.grad is not None
    assert used.grad.data_ptr() == gradient_of(flat).data_ptr()


def test_a_step_leaves_no_gradient_to_the_next() -> None:
    first, second = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(3))
    optimizer = FlatAdamW([first, second], 0.01)
    for parameter in (first, second):
        torch.autograd.backward(parameter.square().sum())
        optimizer.step()
        assert all(gradient is not None and not gradient.any() for gradient in (first.grad, second.grad))
