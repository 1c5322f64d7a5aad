/// Earlier towers from which a training begins, instead of from random ones.
package struct WarmStart: Sendable {
    /// For the fit: towers that saw nothing at or after t_v; for the refit: nothing at or after T.
    package let fit: Towers
    package let refit: Towers
    /// By course: its number in the earlier run; nil: it is new, and starts as in any training.
    package let earlier: [Int?]

    /// - Parameters:
    ///   - ids: of the courses of this run, by number.
    ///   - earlierIds: of the earlier run's.
    package init(fit: Towers, refit: Towers, ids: [String], earlierIds: [String]) {
        // By bytes: Swift's strings are equal if they look alike.
        let number = Dictionary(
            zip(earlierIds.map { Array($0.utf8) }, earlierIds.indices), uniquingKeysWith: { first, _ in first })
        (self.fit, self.refit, earlier) = (fit, refit, ids.map { number[Array($0.utf8)] })
    }
}

extension TowerLayout {
    /// The first tensor of another layout that has no counterpart here, the number of courses left aside; nil: none.
    package func difference(from other: TowerLayout) -> String? {
        func shapes(_ layout: TowerLayout) -> [String: [Int]] {
            Dictionary(
                uniqueKeysWithValues: layout.tensors.map { tensor in
                    if tensor.name == "course.output_bias" { return (tensor.name, [tensor.rows]) }
                    if tensor.name.hasSuffix(".table") { return (tensor.name, [tensor.columns]) }
                    return (tensor.name, [tensor.rows, tensor.columns])
                })
        }
        let (own, its) = (shapes(self), shapes(other))
        return Set(own.keys).union(its.keys).sorted().first { own[$0] != its[$0] }
    }
}

extension Towers {
    /// Takes over earlier towers of the same shape, courses by their numbers there.
    /// - Precondition: `layout.difference(from:)` finds nothing.
    package mutating func begin(from other: Towers, earlier: [Int?]) {
        for tensor in layout.tensors {
            let source = other.layout.tensor(tensor.name)!
            guard let width = courseWidth(tensor) else {
                weights.replaceSubrange(tensor.range, with: other.weights[source.range])
                continue
            }
            for (course, number) in earlier.enumerated() {
                guard let number else { continue }
                for d in 0..<width {
                    weights[tensor.offset + course * width + d] = other.weights[source.offset + number * width + d]
                }
            }
        }
    }

    /// How many numbers of a tensor belong to one course; nil: it does not go by courses.
    private func courseWidth(_ tensor: TowerLayout.Tensor) -> Int? {
        if tensor.name == "course.output_bias" { return 1 }
        return tensor.name.hasSuffix(".table") ? tensor.columns : nil
    }
}
