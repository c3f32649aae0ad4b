#!/usr/bin/env python3
"""Writes the PyTorch reference numbers beside it: /usr/bin/python3 generate.py

Inputs are float32 values, results are computed in float64 from them. Every
case is judged before it is written, and one that fails stops the script.
"""

import os

# One thread and one set of instructions: sums have one order, draws the same bits.
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", OPENBLAS_CORETYPE="Haswell", ATEN_CPU_CAPABILITY="default")

import torch

import activation_cases
import layer_cases
import loss_cases
import network_cases
import norm_cases
import optimizer_cases
import training_cases
from cases import write


def main():
    torch.use_deterministic_algorithms(True)
    here = os.path.dirname(os.path.abspath(__file__))
    for module in [layer_cases, norm_cases, activation_cases, loss_cases, optimizer_cases, training_cases, network_cases]:
        for group, build in module.GROUPS.items():
            found = build()
            path = os.path.join(here, group + ".json")
            write(path, found)
            print(f"{group}: {len(found)} cases, {os.path.getsize(path)} bytes")


if __name__ == "__main__":
    main()
