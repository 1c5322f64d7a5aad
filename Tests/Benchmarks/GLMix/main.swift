// The solvers of GLMix on the arrays that Tests/Benchmarks/GLMix/peers.py wrote, for `make bench-glmix`:
//     bench-glmix fixed|random FOLDER THREADS
// Writes FOLDER/ours-<threads>.f64 (coefficients) and prints one line of JSON: seconds from the arrays to the laid out
// problem, seconds from there to the optimum, both also of CPU, objective, certified gap. Reading the files is not counted.
import Foundation
import GLMix
import LinearAlgebra
import Synchronization

func array<Element: BitwiseCopyable>(_ path: String, _ type: Element.Type = Element.self) throws -> [Element] {
    try Data(contentsOf: URL(fileURLWithPath: path)).withUnsafeBytes { Array($0.bindMemory(to: Element.self)) }
}

let (job, folder, threads) = (CommandLine.arguments[1], CommandLine.arguments[2], Int(CommandLine.arguments[3])!)
let offsets = try array(folder + "/offsets.i64", Int.self)
let columns = try array(folder + "/columns.u32", UInt32.self)
let values = try array(folder + "/values.f32", Float.self)
let labels = try array(folder + "/labels.u8", UInt8.self)
let entities = job == "random" ? try array(folder + "/entities.i32", Int32.self) : []
let featureCount = try array(folder + "/features.i64", Int.self)[0]

let clock = Mutex<[(wall: Double, cpu: Double)]>([])
func now() -> (wall: Double, cpu: Double) {
    var spent = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent)
    return (ProcessInfo.processInfo.systemUptime, Double(spent.tv_sec) + 1e-9 * Double(spent.tv_nsec))
}
let start = now()
let table = SparseRows(columnCount: featureCount, offsets: offsets, columns: columns, values: values)
let ones = [Float](repeating: 1, count: labels.count)
let groupings =
    job == "random"
    ? [Grouping(name: "entity", entityCount: 1 + Int(entities.max()!), entities: entities)] : []
let examples = Examples(
    labels: labels, weights: ones, offsets: [Float](repeating: 0, count: labels.count), groupings: groupings,
    bags: [FeatureBag(name: "x", table: table)])
var descent = CoordinateDescent()
descent.passes = 1
if job == "random" { (descent.jointFinish, descent.mostPasses) = (false, 1) }
descent.progress = { pass, _, _ in if pass < 0 { clock.withLock { $0.append(now()) } } }
let coordinate = Coordinate(name: "c", by: job == "random" ? "entity" : nil, bags: ["x"], l2: 1)
let (model, trace) = try descent.fit(examples, [coordinate], workers: Workers(count: threads))
let end = now()
let laidOut = clock.withLock { $0[0] }
try model.coefficients[0].values.withUnsafeBytes {
    try Data($0).write(to: URL(fileURLWithPath: folder + "/ours-\(threads).f64"))
}
let fields: [(name: String, value: Double)] = [
    ("build", laidOut.wall - start.wall), ("build_cpu", laidOut.cpu - start.cpu),
    ("solve", end.wall - laidOut.wall), ("solve_cpu", end.cpu - laidOut.cpu),
    ("objective", trace.passes.last!), ("gap", trace.gap ?? 0),
]
let numbers = fields.map { "\"\($0.name)\": \($0.value)" }.joined(separator: ", ")
print("{\(numbers), \"steps\": \(trace.jointSteps), \"products\": \(trace.jointProducts)}")
