"""The towers in PyTorch, as its documentation would write them: nn.EmbeddingBag or torch.sparse.mm in front,
nn.Linear behind, log_softmax, fused Adam. PEER_COURSES=bag|csr chooses the course tower's first layer."""
import os
import warnings

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import peer

warnings.filterwarnings("ignore")
torch.manual_seed(1)
torch.set_num_threads(peer.threads)


class Tower(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.EmbeddingBag(peer.courses, peer.WIDTH, mode="sum")
        nn.init.normal_(self.table.weight, std=peer.WIDTH ** -0.5)
        self.bias = nn.Parameter(torch.zeros(peer.WIDTH))
        self.layers = nn.Sequential(
            nn.ReLU(), nn.Linear(peer.WIDTH, peer.HIDDEN), nn.ReLU(), nn.Linear(peer.HIDDEN, peer.EMBEDDING))

    def forward(self, courses, starts, weights):
        return self.layers(self.table(courses, starts, per_sample_weights=weights) + self.bias)

    def forward_sparse(self, rows):
        return self.layers(torch.sparse.mm(rows, self.table.weight) + self.bias)


tensor = torch.from_numpy
learner_tower, course_tower = Tower(), Tower()
course_bias = nn.Parameter(torch.zeros(peer.courses))
rows = torch.sparse_csr_tensor(
    tensor(peer.row_offsets), tensor(peer.row_columns), tensor(peer.row_values), (peer.courses, peer.courses))
bag = [tensor(x) for x in (peer.row_columns, peer.row_offsets[:-1].copy(), peer.row_values)]
rate = float(os.sys.argv[7]) if peer.mode == "train" else 1e-3
parameters = [*learner_tower.parameters(), *course_tower.parameters(), course_bias]
optimizer = torch.optim.Adam(parameters, lr=rate, fused=True)
random = np.random.default_rng(1)


def course_vectors():
    if os.environ.get("PEER_COURSES", "csr") == "csr":
        return course_tower.forward_sparse(rows)
    return course_tower(*bag)


def softmax_loss(batch, u, v):
    logits = u @ v.T + course_bias
    logits[tensor(batch.context_row), tensor(batch.context)] = -1e30
    log_p = F.log_softmax(logits, dim=1)[tensor(batch.label_row), tensor(batch.label)]
    return -(log_p * tensor(batch.label_weight)).sum() / batch.size


def sampled_loss(batch, u, v):
    negative, negative_row = batch.negatives(random)
    course = tensor(np.concatenate([batch.label, negative]))
    row = tensor(np.concatenate([batch.label_row, negative_row]))
    target = torch.zeros(len(course))
    target[:len(batch.label)] = 1
    logits = (u[row] * v[course]).sum(1) + course_bias[course]
    return F.binary_cross_entropy_with_logits(logits, target, reduction="sum") / batch.size


def step(batch):
    optimizer.zero_grad()
    u = learner_tower(tensor(batch.context), tensor(batch.context_start), tensor(batch.context_weight))
    loss = (softmax_loss if peer.loss == "softmax" else sampled_loss)(batch, u, course_vectors())
    loss.backward()
    optimizer.step()
    return loss.item()


def embeddings(courses, starts, weights):
    with torch.no_grad():
        u = learner_tower(tensor(courses), tensor(starts), tensor(weights))
        return u.numpy(), course_vectors().numpy(), course_bias.numpy()


peer.run(step, embeddings)
