import CKernels

/// One bag of features as C sees it (`lk_bag`).
package typealias BagRows = lk_bag
/// The rows of all entities of a random effect as C sees them (`lk_entities`).
package typealias EntityRows = lk_entities

/// Inner loops of random effects; contracts in ckernels_entities.h.
package enum EntityKernels {
    /// Entities that one call of `solve` takes.
    package static let lanes = Int(LK_ENTITY_LANES)

    /// Lays out one entity's rows and returns how many distinct features it has (the intercept included).
    /// - Parameters: see `lk_entity_layout`.
    @inline(__always)
    package static func layOut(
        rows: Int, _ examples: UnsafePointer<UInt32>, _ bags: UnsafeBufferPointer<BagRows>, intercept: Int,
        starts: UnsafePointer<Int>, columns: UnsafeMutablePointer<UInt32>, values: UnsafeMutablePointer<Float>,
        features: UnsafeMutablePointer<UInt32>, seen: UnsafeMutablePointer<UInt64>,
        summary: UnsafeMutablePointer<UInt64>, local: UnsafeMutablePointer<UInt32>
    ) -> Int {
        lk_entity_layout(
            rows, examples, bags.count, bags.baseAddress, UInt32(intercept), starts, columns, values, features, seen,
            summary, local)
    }

    /// Doubles of scratch (aligned to 64 bytes) that `solve` needs for entities of at most so many rows and features.
    package static func scratchCount(rows: Int, features: Int) -> Int { lk_entity_scratch(rows, features) }

    /// Minimises the penalised loss of at most `lanes` entities, see `lk_entities_newton`; an entity's result does not
    /// depend on the others.
    /// - Parameters: rows, features: the most among these entities.
    package static func solve(
        _ x: EntityRows, _ entities: UnsafeBufferPointer<UInt32>, weightScale: UnsafePointer<Double>, rows: Int,
        features: Int, l2: Double, decrement: Double, mostSteps: Int, alpha: UnsafeMutablePointer<Double>,
        theta: UnsafeMutablePointer<Double>, scores: UnsafeMutablePointer<Double>,
        scratch: UnsafeMutablePointer<Double>
    ) {
        precondition(entities.count >= 1 && entities.count <= lanes)
        withUnsafePointer(to: x) {
            lk_entities_newton(
                $0, entities.count, entities.baseAddress, weightScale, rows, features, l2, decrement, Int32(mostSteps),
                alpha, theta, scores, scratch)
        }
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
}
