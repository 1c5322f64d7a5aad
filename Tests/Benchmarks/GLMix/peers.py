"""GLMix's solvers against LIBLINEAR, PyTorch and SciPy on the same arrays, in one run (make bench-glmix).

    peers.py BENCH FOLDER [--rows N] [--entities N]

BENCH is the Swift side (main.swift beside this file). Every objective is computed here, by one function, from each side's
coefficients. Reading and writing files is counted nowhere; building each side's own structures is.
"""
import argparse, ctypes, json, os, resource, subprocess, time
import numpy as np

def objective(offsets, columns, values, labels, w, b):
    """Sum of losses + ½‖w‖², the intercept b free, in float64."""
    products = values.astype(np.float64) * w[columns]
    z = np.add.reduceat(products, offsets[:-1]) + b
    u = np.where(labels == 1, z, -z)
    return np.logaddexp(0, -u).sum() + 0.5 * w @ w

def write(folder, **arrays):
    os.makedirs(folder, exist_ok=True)
    for name, array in arrays.items():
        array.tofile(f"{folder}/{name.replace('_', '.')}")

def ours(bench, job, folder, threads):
    out = subprocess.run([bench, job, folder, str(threads)], capture_output=True, text=True, check=True).stdout
    line = json.loads(out)
    line["theta"] = np.fromfile(f"{folder}/ours-{threads}.f64")
    return line

def fixed(bench, folder, rows, features, nonzeros):
    rng = np.random.default_rng(1)
    # popular and rare features, as dictionaries have them; distinct within a row
    columns = np.sort((features * rng.random((rows, nonzeros)) ** 3).astype(np.uint32), axis=1)
    keep = np.ones((rows, nonzeros), bool)
    keep[:, 1:] = columns[:, 1:] != columns[:, :-1]
    offsets = np.concatenate([[0], np.cumsum(keep.sum(1))]).astype(np.int64)
    columns = columns[keep]
    values = rng.normal(size=columns.size).astype(np.float32)
    truth = rng.normal(size=features) * 0.3
    z = np.add.reduceat(values * truth[columns], offsets[:-1]) - 1
    labels = (rng.random(rows) < 1 / (1 + np.exp(-z))).astype(np.uint8)
    write(folder, offsets_i64=offsets, columns_u32=columns, values_f32=values, labels_u8=labels,
          features_i64=np.array([features]))
    print(f"fixed effect: {rows:,} rows x {features:,} features, {columns.size:,} non-zeros, lambda 1")
    results = {}
    for threads in (1, 2):
        line = ours(bench, "fixed", folder, threads)
        theta = line["theta"]
        f = objective(offsets, columns, values, labels, theta[:-1], theta[-1])
        results[threads] = line
        print(f"  ours, {threads} threads: {line['build'] + line['solve']:.2f} s ({line['build']:.2f} building), "
              f"objective {f:.2f}, certified gap {line['gap']:.3g}, {line['steps']} steps, {line['products']} products",
              flush=True)
    from liblinear.liblinearutil import problem, parameter, train
    from scipy.sparse import csr_matrix
    x = csr_matrix((values.astype(np.float64), columns.astype(np.int32), offsets), shape=(rows, features))
    start = time.perf_counter()
    data = problem(np.where(labels == 1, 1.0, -1.0), x)
    built = time.perf_counter() - start
    model = train(data, parameter("-s 0 -c 1 -e 0.001 -B 1 -R -q"))
    total = time.perf_counter() - start
    w = np.array(model.w[: features + 1]) * (1 if model.label[0] == 1 else -1)
    f = objective(offsets, columns, values, labels, w[:-1], w[-1])
    print(f"  LIBLINEAR -s 0 -e 0.001, 1 thread: {total:.2f} s ({built:.2f} building), objective {f:.2f}")
    for threads in (1, 2):
        own = results[threads]
        print(f"  ratios, ours with {threads} threads: {total / (own['build'] + own['solve']):.1f}, without building "
              f"{(total - built) / own['solve']:.1f}", flush=True)

def gradient(x, y, theta):
    """Largest gradient norm over entities; x: E × m × n, theta: E × n, lambda 1."""
    worst = 0.0
    for at in range(0, len(x), 20000):
        part = slice(at, at + 20000)
        a = x[part].astype(np.float64)
        p = 1 / (1 + np.exp(-np.einsum("emn,en->em", a, theta[part])))
        g = np.einsum("emn,em->en", a, p - y[part]) + theta[part]
        worst = max(worst, np.linalg.norm(g, axis=1).max())
    return worst

def torch_newton(x, y, threads):
    """Newton's method on all entities of a batch at once, until every gradient norm is below 1e-6. Of the variants tried
    (order n or, with fewer rows than features, order m by Woodbury's identity; Cholesky or LU; batches of 500 to 10,000)
    this is the fastest, by a factor of 7 over order n."""
    import torch
    torch.set_num_threads(threads)
    x, y = torch.from_numpy(x), torch.from_numpy(y)
    theta = torch.zeros(len(x), x.shape[2], dtype=torch.float64)
    start, start_cpu = time.perf_counter(), time.process_time()
    eye = torch.eye(x.shape[1], dtype=torch.float64)
    for at in range(0, len(x), 10000):
        a, t, b = x[at:at + 10000].double(), theta[at:at + 10000], y[at:at + 10000].double()
        transposed = a.transpose(1, 2).contiguous()
        kernel = torch.bmm(a, transposed)
        for _ in range(30):
            p = torch.sigmoid(torch.bmm(a, t.unsqueeze(2)).squeeze(2))
            g = torch.bmm(transposed, (p - b).unsqueeze(2)).squeeze(2) + t
            if g.norm(dim=1).max() < 1e-6:
                break
            root = (p * (1 - p)).sqrt()
            system = kernel * root.unsqueeze(2) * root.unsqueeze(1) + eye
            v = root * torch.bmm(a, g.unsqueeze(2)).squeeze(2)
            u = torch.cholesky_solve(v.unsqueeze(2), torch.linalg.cholesky(system)).squeeze(2)
            t -= g - torch.bmm(transposed, (root * u).unsqueeze(2)).squeeze(2)
    return time.perf_counter() - start, time.process_time() - start_cpu, theta.numpy()

def scipy_each(x, y, sample):
    """Seconds for all entities, from those of a sample, each by L-BFGS with its gradient."""
    from scipy.optimize import minimize
    def fun(t, a, s):
        u = s * (a @ t)
        return np.logaddexp(0, -u).sum() + 0.5 * t @ t, a.T @ (-s / (1 + np.exp(u))) + t
    chosen = np.linspace(0, len(x) - 1, sample).astype(int)
    start = time.perf_counter()
    for e in chosen:
        minimize(fun, np.zeros(x.shape[2]), (x[e].astype(np.float64), 2.0 * y[e] - 1), jac=True, method="L-BFGS-B",
                 options={"gtol": 1e-7, "ftol": 1e-15, "maxiter": 1000})
    return (time.perf_counter() - start) * len(x) / sample

def random_effects(bench, folder, entities, m, n):
    rng = np.random.default_rng(2)
    x = np.ones((entities, m, n + 1), np.float32)  # the last column is the intercept
    x[:, :, :n] = rng.normal(size=(entities, m, n))
    truth = rng.normal(size=(entities, n + 1)) * 0.5
    y = (rng.random((entities, m)) < 1 / (1 + np.exp(-np.einsum("emn,en->em", x, truth)))).astype(np.uint8)
    rows = entities * m
    write(folder, offsets_i64=np.arange(rows + 1, dtype=np.int64) * n,
          columns_u32=np.tile(np.arange(n, dtype=np.uint32), rows), values_f32=np.ascontiguousarray(x[:, :, :n]),
          labels_u8=y, entities_i32=np.repeat(np.arange(entities, dtype=np.int32), m), features_i64=np.array([n]))
    print(f"random effects: {entities:,} entities x {m} rows x {n} features and an intercept, lambda 1")
    results = {}
    for threads in (1, 2):
        line = ours(bench, "random", folder, threads)
        worst = gradient(x, y, line["theta"].reshape(entities, n + 1))
        results[threads] = line
        print(f"  ours, {threads} threads: {line['solve']:.2f} s ({line['solve_cpu']:.2f} of CPU) solving, "
              f"{line['build']:.2f} s ({line['build_cpu']:.2f}) laying out, largest gradient {worst:.2g}", flush=True)
    peer = {}
    for threads in (1, 2):
        peer[threads], cpu, theta = torch_newton(x, y, threads)
        print(f"  PyTorch, batched Newton, {threads} threads: {peer[threads]:.2f} s ({cpu:.2f} of CPU), "
              f"largest gradient {gradient(x, y, theta):.2g}; by CPU {cpu / results[threads]['solve_cpu']:.1f} times ours "
              f"solving, {cpu / (results[threads]['solve_cpu'] + results[threads]['build_cpu']):.1f} with laying out",
              flush=True)
    each = scipy_each(x, y, 400)
    print(f"  SciPy L-BFGS, entity by entity, 1 thread: {each:.1f} s (from 400 entities)")
    for threads in (1, 2):
        own = results[threads]
        for name, took in (("solving", own["solve"]), ("laying out and solving", own["solve"] + own["build"])):
            print(f"  ratios, ours with {threads} threads {name}: PyTorch {peer[threads] / took:.1f}, "
                  f"SciPy {each / took:.0f}", flush=True)

if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("bench")
    options.add_argument("folder")
    options.add_argument("--rows", type=int, default=2_000_000)
    options.add_argument("--entities", type=int, default=200_000)
    options = options.parse_args()
    fixed(options.bench, options.folder + "/fixed", options.rows, 50_000, 20)
    random_effects(options.bench, options.folder + "/random", options.entities, 10, 30)
