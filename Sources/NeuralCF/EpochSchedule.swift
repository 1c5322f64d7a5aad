import LinearAlgebra

/// The steps of an epoch. A step takes examples of one co-watch snapshot only, so that the course tower runs once;
/// the n examples of a snapshot make ⌈n/batch⌉ steps, and step k takes of shard s the positions
/// [⌊k·n_s/S⌋, ⌊(k+1)·n_s/S⌋) of its seeded permutation: each example once, all shards end together. Steps for which that is
/// nothing (a batch smaller than the number of shards) are left out.
package struct EpochSchedule: Sendable {
    package struct Step: Sendable {
        package var snapshot: Int32
        package var examples: [Example]

        package init(snapshot: Int32, examples: [Example]) { (self.snapshot, self.examples) = (snapshot, examples) }
    }

    private let groups: [(snapshot: Int32, shards: [[Example]], steps: Int)]
    /// (group, k) in the order in which they are taken.
    private let order: [(group: Int, k: Int)]

    package var stepCount: Int { order.count }

    package init(shards: [[Example]], batch: Int, epoch: Int, seed: UInt64) {
        let key = RandomKey(seed: seed, purpose: "ncf.permutation")
        let snapshots = Set(shards.lazy.joined().map(\.snapshot)).sorted()
        groups = snapshots.map { snapshot in
            let members = shards.enumerated().map { index, list in
                var kept = list.filter { $0.snapshot == snapshot }
                var random = key.stream(epoch, (Int(snapshot) + 1) << 32 | index)
                random.shuffle(&kept)
                return kept
            }
            let count = members.reduce(0) { $0 + $1.count }
            return (snapshot, members, (count + batch - 1) / batch)
        }
        var all = groups.enumerated().flatMap { index, group in
            (0..<group.steps).filter { k in group.shards.contains { !Self.range(k, $0.count, group.steps).isEmpty } }
                .map { (group: index, k: $0) }
        }
        var random = RandomKey(seed: seed, purpose: "ncf.steps").stream(epoch)
        random.shuffle(&all)
        order = all
    }

    package func step(_ index: Int) -> Step {
        let (group, k) = order[index]
        let (snapshot, shards, steps) = groups[group]
        return Step(snapshot: snapshot, examples: shards.flatMap { $0[Self.range(k, $0.count, steps)] })
    }

    private static func range(_ k: Int, _ count: Int, _ steps: Int) -> Range<Int> {
        k * count / steps..<(k + 1) * count / steps
    }
}
