"""PyTorch: python3 pytorch.py --rows matmul/256,conv-a/dw,step/cnn [--device cuda] [--mode graph]

Modes of the training step: eager; compile (torch.compile, from 2.0); graph (the whole
step as one CUDA graph). TF32 is off everywhere.
"""
import argparse
import json
import platform
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F

SHAPES = {'a': (64, 1, 28, 8, 5, 0), 'b': (64, 8, 12, 16, 5, 0), 'c': (32, 16, 14, 32, 3, 1), 'd': (8, 32, 28, 64, 3, 1)}

parser = argparse.ArgumentParser()
parser.add_argument('--rows', default='')
parser.add_argument('--sample', default='300ms')
parser.add_argument('--device', default='cpu', choices=['cpu', 'cuda'])
parser.add_argument('--mode', default='eager', choices=['eager', 'compile', 'graph'])
parser.add_argument('--threads', type=int, default=2)
args = parser.parse_args()
sample = float(args.sample[:-2]) / 1e3
cuda = args.device == 'cuda'
if args.mode == 'graph' and not cuda:
    sys.exit('--mode graph needs --device cuda')
if args.mode == 'compile' and not hasattr(torch, 'compile'):
    sys.exit(f'--mode compile: PyTorch {torch.__version__} has no torch.compile')
torch.set_num_threads(args.threads)
torch.backends.cuda.matmul.allow_tf32 = False
torch.backends.cudnn.allow_tf32 = False
torch.backends.cudnn.benchmark = True


def word(stream, n):
    """The generator of bench/values.go, as 32-bit words."""
    h = (np.arange(1, n + 1, dtype=np.uint64) * 2654435761 + stream * 2246822519) & 0xffffffff
    h = (h ^ h >> 16) * 3266489917 & 0xffffffff
    return h ^ h >> 13


def values(stream, *shape):
    v = ((word(stream, int(np.prod(shape))) >> 24).astype(np.float32) - 128) / 128
    return torch.from_numpy(v.reshape(shape)).to(args.device)


def sums(y):
    y = y.detach().cpu().numpy().astype(np.float64).ravel()
    weights = ((word(0, y.size) >> 24).astype(np.float64) - 128) / 128
    return [float(y.sum()), float((y * weights).sum()), float(np.abs(y).sum())]


def wait():
    if cuda:
        torch.cuda.synchronize()


def measure(run):
    """Milliseconds of one run, in as many as fill the sample."""
    def runs(n):
        start = time.perf_counter()
        for _ in range(n):
            run()
        wait()
        return time.perf_counter() - start
    for _ in range(3):
        runs(1)
    n = max(1, int(sample / runs(1)))
    n = max(1, int(n * sample / runs(n)))
    return 1e3 * runs(n) / n


def show(**line):
    print(json.dumps(line), flush=True)


def operation(row):
    kind, what = row.split('/')
    if kind == 'matmul':
        a, b = values(1, int(what), int(what)), values(2, int(what), int(what))
        run = lambda: torch.mm(a, b)
    elif kind == 'linear':
        x, w, dy = values(1, 64, 784), values(2, 128, 784), values(3, 64, 128)
        run = {'y': lambda: F.linear(x, w), 'dx': lambda: torch.mm(dy, w), 'dw': lambda: torch.mm(dy.t(), x)}[what]
    else:
        n, c, size, k, r, pad = SHAPES[kind[5:]]
        out = size + 2 * pad - r + 1
        x, w, dy = values(1, n, c, size, size), values(2, k, c, r, r), values(3, n, k, out, out)

        def gradient(i):
            wanted = [j == i for j in range(3)]
            return torch.ops.aten.convolution_backward(dy, x, w, None, [1, 1], [pad, pad], [1, 1], False, [0, 0], 1, wanted)[i]
        run = {'y': lambda: F.conv2d(x, w, padding=pad), 'dx': lambda: gradient(0), 'dw': lambda: gradient(1)}[what]
    with torch.no_grad():
        show(row=row, ms=measure(run), sums=sums(run()))


def step(row):
    """Trains the networks of bench.Model on the images of bench.Images."""
    if row == 'step/cnn':
        model = torch.nn.Sequential(
            torch.nn.Conv2d(1, 8, 5), torch.nn.ReLU(), torch.nn.MaxPool2d(2),
            torch.nn.Conv2d(8, 16, 5), torch.nn.ReLU(), torch.nn.MaxPool2d(2), torch.nn.Flatten(), torch.nn.Linear(256, 10))
    else:
        model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10))
    model = model.to(args.device)
    with torch.no_grad():
        stream = 10
        for name, p in model.named_parameters():
            p.zero_()
            if name.endswith('weight'):
                p.copy_(values(stream, *p.shape) / 8)
                stream += 1
    x = torch.from_numpy(((word(1, 64 * 784) >> 24) / 255).astype(np.float32).reshape(64, 1, 28, 28)).to(args.device)
    y = torch.from_numpy((word(2, 64) >> 8).astype(np.int64) % 10).to(args.device)
    options = {'capturable': True} if args.mode == 'graph' else {}
    adam = torch.optim.Adam(model.parameters(), lr=1e-3, **options)
    wait()
    start = time.perf_counter()
    forward = torch.compile(model) if args.mode == 'compile' else model

    def train():
        adam.zero_grad(set_to_none=args.mode != 'graph')
        loss = F.cross_entropy(forward(x), y)
        loss.backward()
        adam.step()
        return loss.detach()

    losses = [float(train())]
    first = 1e3 * (time.perf_counter() - start)
    losses += [float(train()), float(train())]
    run = train
    if args.mode == 'graph':
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                train()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            train()
        run = graph.replay
    show(row=row, ms=measure(run), first_ms=first, loss=sum(losses) / len(losses))


name, driver = platform.processor() or platform.machine(), ''
if cuda:
    name, driver = torch.cuda.get_device_name(), f'CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}'
show(system={
    'name': 'PyTorch', 'version': torch.__version__, 'adapter': name, 'driver': driver,
    'runtime': f'{args.mode}, {args.threads} threads, Python {platform.python_version()}, {platform.system().lower()}/{platform.machine()}'})
for row in args.rows.split(','):
    if row.startswith('step/'):
        step(row)
    elif row:
        operation(row)
