// Proves that train-glmix fits shards of kind examples that a Python program wrote (its standard library alone), and
// refuses invalid ones by row and reason. The expected objective is that of the Python program's own Newton method.
import Foundation
import Shards
import Testing

/// write(folder, break): two shards and names; `break` spoils one thing. Prints the least objective.
private let python = """
    import gzip, json, math, os, random, struct, sys
    folder, spoil = sys.argv[1], sys.argv[2]
    os.makedirs(folder)
    TYPES = {"B": ("U8", 1), "i": ("I32", 4), "I": ("U32", 4), "f": ("F32", 4), "q": ("I64", 8)}

    def write(name, kind, rows, columns):
        header, body = {"__metadata__": {"kind": kind, "rows": str(rows)}}, b""
        for key, (code, values) in sorted(columns.items(), key=lambda c: -TYPES[c[1][0]][1]):
            raw = struct.pack("<%d%s" % (len(values), code), *values)
            header[key] = {"dtype": TYPES[code][0], "shape": [len(values)], "data_offsets": [len(body), len(body) + len(raw)]}
            body += raw
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        open(os.path.join(folder, name + ".safetensors.gz"), "wb").write(
            gzip.compress(struct.pack("<Q", len(text)) + text + body, mtime=0))

    def names(name, kind, texts):
        raw = [t.encode() for t in texts]
        ends = [sum(map(len, raw[:i])) for i in range(len(raw) + 1)]
        write(name, kind, len(texts), {"name": ("B", b"".join(raw)), "name.offsets": ("q", ends)})

    def f32(x):
        return struct.unpack("<f", struct.pack("<f", x))[0]

    # 300 rows, 6 learners, of whom learner 5 has no row; every fourth row has no learner: fixed effects alone. Feature 3
    # occurs once.
    rng = random.Random(5)
    rows = []
    for i in range(300):
        learner = -1 if i % 4 == 0 else rng.randrange(5)
        x = {0: f32(rng.gauss(0, 1)), 1 + i % 2: 1.0}
        if i == 17:
            x[3] = 1.0
        offset, weight = f32(rng.gauss(0, 0.5)), f32(rng.choice([0.5, 1, 2]))
        z = offset + x[0] - 0.3 + (0 if learner < 0 else (learner - 2) * 0.7)
        rows.append((1 if rng.random() < 1 / (1 + math.exp(-z)) else 0, weight, offset, learner, x))

    def shard(name, part):
        features = [j for r in part for j in sorted(r[4])]
        values = [r[4][j] for r in part for j in sorted(r[4])]
        ends = [0]
        for r in part:
            ends.append(ends[-1] + len(r[4]))
        columns = {
            "label": ("B", [r[0] for r in part]), "weight": ("f", [r[1] for r in part]),
            "offset": ("f", [r[2] for r in part]), "entity.learner": ("i", [r[3] for r in part]),
            "feature.course": ("I", features), "feature.course.offsets": ("q", ends),
            "value.course": ("f", values), "value.course.offsets": ("q", ends)}
        if name == "examples-2":
            at = 7  # the row that is spoilt
            first = ends[at]
            if spoil == "label": columns["label"][1][at] = 2
            if spoil == "weight": columns["weight"][1][at] = 0.0
            if spoil == "nan": columns["weight"][1][at] = math.nan
            if spoil == "offset": columns["offset"][1][at] = math.inf
            if spoil == "feature": features[first + 1] = 4
            if spoil == "gap": features[first + 1] = 4294967290
            if spoil == "order": features[first], features[first + 1] = features[first + 1], features[first]
            if spoil == "value": values[first] = math.nan
            if spoil == "entity": columns["entity.learner"][1][at] = -2
            if spoil == "unknown": columns["entity.learner"][1][at] = 6
            if spoil == "lists":  # as many values as rows, but row 7 has none and row 8 two
                columns["entity.learner.offsets"] = ("q", [i - (i == at + 1) for i in range(len(part) + 1)])
        write(name, "examples", len(part), columns)

    shard("examples-1", rows[:200])
    shard("examples-2", rows[200:])
    if spoil != "gap":
        names("features-of-course", "features", ["difficulty", "even", "odd", "once"])
    names("entities-of-learner", "entities", ["l%d" % i for i in range(6)])

    # b: 4 features, free intercept; per learner 4 features and an intercept, lambda 10 for all
    size = 5 + 5 * 6
    penalty = [10.0] * size
    penalty[4] = 0.0
    sparse = []
    for label, weight, offset, learner, x in rows:
        own = list(x.items()) + [(4, 1.0)]
        sparse.append(own + ([(5 + 5 * learner + j, v) for j, v in own] if learner >= 0 else []))

    def objective(t):
        total = sum(0.5 * p * v * v for p, v in zip(penalty, t))
        for (label, weight, offset, _, _), own in zip(rows, sparse):
            z = offset + sum(v * t[j] for j, v in own)
            u = z if label else -z
            total += weight * (max(-u, 0) + math.log1p(math.exp(-abs(u))))
        return total

    theta = [0.0] * size
    for _ in range(30):
        g = [p * v for p, v in zip(penalty, theta)]
        h = [[penalty[i] if i == j else 0.0 for j in range(size)] for i in range(size)]
        for (label, weight, offset, _, _), own in zip(rows, sparse):
            p = 1 / (1 + math.exp(-offset - sum(v * theta[j] for j, v in own)))
            for j, v in own:
                g[j] += weight * (p - label) * v
                for k, u in own:
                    h[j][k] += weight * p * (1 - p) * v * u
        for i in range(size):
            for r in range(i + 1, size):
                f = h[r][i] / h[i][i]
                if f:
                    for c in range(i, size):
                        h[r][c] -= f * h[i][c]
                    g[r] -= f * g[i]
        for i in reversed(range(size)):
            g[i] = (g[i] - sum(h[i][c] * g[c] for c in range(i + 1, size))) / h[i][i]
            theta[i] -= g[i]
    print(repr(objective(theta)))
    """

@Suite struct ExamplesTests {
    let folder: String

    init() throws {
        folder = NSTemporaryDirectory() + "lectern-examples-\(UUID().uuidString)"
        try FileSystem.createFolder(folder)
        try FileSystem.write(Array(python.utf8), to: folder + "/write.py")
        // a run folder's configuration is checked against data, which examples replace
        let data = folder + "/logs"
        #expect(
            try tool("generate-logs", "--out", data, "--learners", "40", "--courses", "20", "--days", "100").code == 0)
        #expect(try tool("prepare-run", "--run", folder + "/run", "--data", data).code == 0)
    }

    private func write(_ name: String, spoil: String) throws -> Outcome {
        let made = try execute(["python3", folder + "/write.py", folder + "/" + name, spoil])
        #expect(made.code == 0, "\(made.errors)")
        return made
    }

    private func train(_ name: String) throws -> Outcome {
        try tool("train-glmix", "--run", folder + "/run", "--threads", "1", "--examples", folder + "/" + name)
    }

    @Test func fitsWhatPythonWrote() throws {
        defer { try? FileSystem.removeAll(folder) }
        // Without logs there is nothing to tune by: said, and the stated penalties stay.
        let prepared = try tool(
            "prepare-run", "--run", folder + "/run", "--data", folder + "/logs", "--set", "glmix.tune=2")
        #expect(prepared.code == 0, "\(prepared.errors)")
        let best = Double(try write("good", spoil: "").output.trimmingCharacters(in: .whitespacesAndNewlines))!
        let trained = try train("good")
        #expect(trained.code == 0 && trained.errors.contains("glmix.tune"), "\(trained.errors)")
        let (manifest, _) = try Manifest.read(stageFolder: folder + "/run/glmix")
        guard case .numbers(let passes)? = manifest.facts["model: objective per pass"],
            case .number(let gap)? = manifest.facts["model: certified gap"]
        else {
            Issue.record("no objective in \(manifest.facts)")
            return
        }
        #expect(abs(passes.last! - best) <= 1e-6 * best && gap <= 1e-6 * best)
        #expect(manifest.counts["examples read"] == 300)
        let learners = try Shard(contentsOf: folder + "/run/glmix/model/coefficients-per-learner.safetensors.gz")
        let offsets = try learners.ragged("feature", as: UInt32.self).offsets
        #expect(try learners.strings("entity").strings == ["l0", "l1", "l2", "l3", "l4", "l5"])
        #expect(offsets[6] == offsets[5] && offsets[5] > offsets[4])  // l5 has no row and no model
        #expect(try learners.ragged("variance", as: Double.self).offsets == offsets)
        let global = try Shard(contentsOf: folder + "/run/glmix/model/coefficients-global.safetensors.gz")
        #expect(try global.ragged("value", as: Double.self).values.count == 5)
        let features = try Shard(contentsOf: folder + "/run/glmix/model/features-global.safetensors.gz")
        #expect(try features.strings("name").strings == ["difficulty", "even", "odd", "once", "(intercept)"])
    }

    @Test func refusesInvalidOnesByRowAndReason() throws {
        defer { try? FileSystem.removeAll(folder) }
        let reasons = [
            "label": "row 7: label 2", "weight": "row 7: weight 0.0", "nan": "row 7: weight nan",
            "offset": "row 7: offset inf", "feature": "row 7: feature 4 of course",
            "order": "row 7: features of course",
            "value": "row 7: feature 0 of course is not finite", "entity": "row 7: learner -2",
            "unknown": "row 7: learner 6", "gap": "the largest feature number is 4294967290",
            "lists": "column \"entity.learner\": lists",
        ]
        for (spoil, reason) in reasons.sorted(by: { $0.key < $1.key }) {
            _ = try write(spoil, spoil: spoil)
            let refused = try train(spoil)
            #expect(refused.code == 65, "\(spoil): \(refused.errors)")
            #expect(refused.complaints.count == 1 && refused.errors.contains(reason), "\(spoil): \(refused.errors)")
            if spoil != "gap" { #expect(refused.errors.contains("examples-2"), "\(spoil): \(refused.errors)") }
            #expect(!FileSystem.exists(folder + "/run/glmix") && !FileSystem.exists(folder + "/run/glmix.partial"))
        }
    }
}
