import copy

import torch
from torch import nn

from archlab.training.optimizer import flatten, gather_gradients


def test_optimising_the_flat_parameter_optimises_the_network() -> None:
    torch.manual_seed(0)
    ours = nn.Sequential(nn.Conv2d(3, 8, 3), nn.GroupNorm(2, 8), nn.SiLU(), nn.Conv2d(8, 2, 1))
    theirs, parameters = copy.deepcopy(ours), list(ours.parameters())
    flat = flatten(parameters)
    our_optimizer = torch.optim.AdamW([flat], lr=0.01)
    their_optimizer = torch.optim.AdamW(theirs.parameters(), lr=0.01)
    for _ in range(5):
        images = torch.randn(4, 3, 6, 6)
        for network in (ours, theirs):
            torch.autograd.backward(network(images.to(memory_format=torch.channels_last)).square().mean())
        gather_gradients(flat, parameters)
        norm = nn.utils.clip_grad_norm_(flat, 0.1)
        torch.testing.assert_close(norm, nn.utils.clip_grad_norm_(theirs.parameters(), 0.1))
        our_optimizer.step()
        their_optimizer.step()
        their_optimizer.zero_grad()
    torch.testing.assert_close(dict(ours.state_dict()), dict(theirs.state_dict()), rtol=1e-4, atol=1e-6)


def test_what_has_no_gradient_gets_none_from_earlier_steps() -> None:
    used, unused = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(3))
    flat = flatten([used, unused])
    for factor in (1.0, 5.0):
        torch.autograd.backward((factor * used).sum())
        gather_gradients(flat, [used, unused])
        assert flat.grad is not None
        assert flat.grad.tolist() == [factor, factor, 0, 0, 0]
        assert used.grad is None
