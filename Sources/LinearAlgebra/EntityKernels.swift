import CKernels

/// One bag of features as C sees it (`lk_bag`).
package typealias BagRows = lk_bag
/// The rows of all entities of a random effect as C sees them (`lk_entities`).
package typealias EntityRows = lk_entities

/// Inner loops of random effects; contracts in ckernels_entities.h.
package enum EntityKernels {
    /// Entities that one call of `solve` takes.
    package static let lanes = Int(LK_ENTITY_LANES)

    /// Finds the features that occur in some examples and returns how many (the intercept included).
    /// - Parameters: see `lk_entity_features`.
    @inline(__always)
    package static func findFeatures(
        rows: Int, _ examples: UnsafePointer<UInt32>, _ bags: UnsafeBufferPointer<BagRows>, intercept: Int,
        into features: UnsafeMutablePointer<UInt32>, seen: UnsafeMutablePointer<UInt64>,
        summary: UnsafeMutablePointer<UInt64>
    ) -> Int {
        lk_entity_features(
            rows, examples, bags.count, bags.baseAddress, UInt32(intercept), features, seen, summary)
    }

    /// Doubles of scratch (aligned to 64 bytes) that `solve` needs for entities of at most so many rows and features.
    package static func scratchCount(rows: Int, features: Int) -> Int { lk_entity_scratch(rows, features) }

    /// Minimises the penalised loss of at most `lanes` entities, see `lk_entities_newton`; an entity's result does not
    /// depend on the others.
    /// - Parameters:
    ///   - rows, features: the most among these entities.
    ///   - local: room for one number per feature of the bags and the intercept.
    package static func solve(
        _ x: EntityRows, labels: UnsafePointer<UInt8>, weights: UnsafePointer<Float>, offsets: UnsafePointer<Double>,
        _ entities: UnsafeBufferPointer<UInt32>, weightScale: UnsafePointer<Double>, rows: Int, features: Int,
        l2: Double, decrement: Double, mostSteps: Int, alpha: UnsafeMutablePointer<Double>,
        theta: UnsafeMutablePointer<Double>, scores: UnsafeMutablePointer<Double>,
        scratch: UnsafeMutablePointer<Double>, local: UnsafeMutablePointer<UInt32>
    ) {
        precondition(entities.count >= 1 && entities.count <= lanes)
        withUnsafePointer(to: x) {
            lk_entities_newton(
                $0, labels, weights, offsets, entities.count, entities.baseAddress, weightScale, rows, features, l2,
                decrement, Int32(mostSteps), alpha, theta, scores, scratch, local)
        }
    }
}

extension EntityRows {
    /// out = X·v; v: by the entity's features; dense: room for one number per feature of the bags and the intercept.
    @inline(__always)
    package func multiply(
        _ e: Int, _ v: UnsafePointer<Double>, dense: UnsafeMutablePointer<Double>,
        into out: UnsafeMutablePointer<Double>
    ) {
        withUnsafePointer(to: self) { lk_entity_multiply($0, e, v, dense, out) }
    }

    /// g += Xᵀ·r (with `squared`: (X∘X)ᵀ·r); r: by the entity's rows.
    @inline(__always)
    package func addTransposed(
        _ e: Int, _ r: UnsafePointer<Double>, squared: Bool = false, dense: UnsafeMutablePointer<Double>,
        to g: UnsafeMutablePointer<Double>
    ) {
        withUnsafePointer(to: self) { lk_entity_transposed($0, e, r, squared ? 1 : 0, dense, g) }
    }

    /// Non-zeros of one entity, the intercept's included.
    package func nonzeroCount(_ e: Int) -> Int { withUnsafePointer(to: self) { lk_entity_nonzeros($0, e) } }

    /// X of one entity as compressed sparse rows, see `lk_entity_matrix`.
    package func matrix(
        _ e: Int, starts: UnsafeMutablePointer<Int>, columns: UnsafeMutablePointer<UInt32>,
        values: UnsafeMutablePointer<Double>, local: UnsafeMutablePointer<UInt32>
    ) {
        withUnsafePointer(to: self) { lk_entity_matrix($0, e, local, starts, columns, values) }
    }
}

extension Array where Element: BitwiseCopyable {
    /// An array of unspecified content that the caller fills: large ones come in large pages, so that filling them costs
    /// one page fault in 2 MiB.
    package init(filledLater count: Int) {
        self.init(unsafeUninitializedCapacity: count) { memory, initialized in
            if let base = memory.baseAddress { lk_expect_filling(base, count * MemoryLayout<Element>.stride) }
            initialized = count
        }
    }

    /// Zeros, in large pages if they are many.
    package init(zeros count: Int) where Element: FloatingPoint {
        self.init(filledLater: count)
        withUnsafeMutableBufferPointer { $0.update(repeating: 0) }
    }
}
