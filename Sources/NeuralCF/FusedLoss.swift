import LinearAlgebra

/// Logits, loss and both gradients of blocks of learners against all candidates of a step, by tiles: the matrix of
/// batch × candidates is never written out.
///
///     S = scale·U·Vᵀ + offsets,   loss as `RowLoss` (the plain twin),   ∂U = scale·G·V,   ∂V = Gᵀ·scale·U,   G = ∂loss/∂S
///
/// A block of learners goes twice over the tiles of candidates. On the way out each tile's logits become weights E (for
/// the softmax exp(s − the row's largest so far), as in Milakov & Gimelshein 2018, arXiv:1805.02867) while they are in
/// cache, and E·V is summed; on the way back, with the rows' sums known, Eᵀ·U. A block's E stays in the last-level cache.
package struct FusedLoss {
    /// Learners of a block: a multiple of the product kernel's six rows.
    static let rows = 96
    /// Candidates of a tile, and how far its rows lie apart: 17 cache lines, so that a column falls into all sets.
    static let columns = 256
    static let stride = 272
    /// Below every logit but `RowLoss.excluded`.
    static let floor: Float = -1e20

    let loss: NCFParameters.Loss
    let rho: Double
    /// Multiplies every gradient: 1/batch.
    let share: Float
    /// The scale of u·v.
    let scale: Float
    let courses: PackedCourses
    /// V, row by row.
    let vectors: UnsafePointer<Float>

    /// A block's learners.
    struct Block {
        /// rows × embedding.
        var units: UnsafePointer<Float>
        var count: Int
        var entries: TileEntries
        /// Whether `scratch.fillOffsets` was called for every row.
        var hasOffsets: Bool
        /// Rank of each candidate in the order of publication, and per row the first rank that is no candidate yet.
        var rank: UnsafePointer<Int32>
        var firstUnpublished: [Int32]
    }

    static func tileCount(_ candidates: Int) -> Int { (Panels.padded(candidates) + columns - 1) / columns }

    private var tiles: Int { Self.tileCount(courses.count) }
    /// Columns of a tile that are computed, and those that are candidates.
    private func width(_ tile: Int) -> Int { min(Self.columns, courses.paddedCount - tile * Self.columns) }
    private func valid(_ tile: Int) -> Int { min(Self.columns, courses.count - tile * Self.columns) }

    /// - Parameters:
    ///   - unitGradient: rows × embedding, written.
    ///   - courseGradient: as `PackedCourses.byCourse`; `biasGradient`: one per candidate, padded. Added to, or written
    ///     if `isFirst`.
    /// - Returns: the sum of the rows' losses.
    func run(
        _ block: Block, _ scratch: FusedScratch, unitGradient: UnsafeMutablePointer<Float>,
        courseGradient: UnsafeMutablePointer<Float>, biasGradient: UnsafeMutablePointer<Float>?, isFirst: Bool
    ) -> Double {
        precondition(block.count <= Self.rows)
        start(block, scratch)
        var loss = 0.0
        for tile in 0..<tiles { loss += forward(tile, block, scratch) }
        loss += finish(block, scratch)
        for tile in 0..<tiles { backward(tile, block, scratch, courseGradient, biasGradient, add: !isFirst) }
        for row in 0..<block.count {
            let (out, from) = (unitGradient + row * courses.embedding, scratch.gradient.start + row * courses.depth)
            let factor = scale * scratch.rowScale[row]
            for d in 0..<courses.embedding { out[d] = factor * from[d] }
        }
        addLabels(block, scratch, unitGradient, courseGradient, biasGradient)
        return loss
    }

    private func start(_ block: Block, _ scratch: FusedScratch) {
        let (embedding, depth) = (courses.embedding, courses.depth)
        scratch.gradient.start.update(repeating: 0, count: Self.rows * depth)
        for row in 0..<block.count {
            let (from, to) = (block.units + row * embedding, scratch.units.start + row * depth)
            for d in 0..<embedding { to[d] = scale * from[d] }
            (scratch.top[row], scratch.sum[row]) = (Self.floor, 0)
        }
        scratch.labelScore.removeAll(keepingCapacity: true)
        scratch.labelScore.append(contentsOf: repeatElement(0, count: block.entries.count))
    }

    // MARK: Out: logits, weights, Σ E·V

    /// - Returns: the part of the loss that is known tile by tile.
    private func forward(_ tile: Int, _ block: Block, _ scratch: FusedScratch) -> Double {
        let (depth, width) = (courses.depth, width(tile))
        let logits = scratch.tile(tile)
        Panels.multiply(
            rows: block.count, panels: width / Panels.width, depth: depth,
            .init(scratch.units.start, row: depth, depth: 1),
            .init(courses.byCourse.start + tile * Self.columns * depth, panel: Panels.width * depth, row: Panels.width),
            add: block.hasOffsets, into: logits, panel: Panels.width, row: Self.stride)
        mask(tile, block, scratch, logits)
        var loss = 0.0
        if self.loss == .bce {
            for row in 0..<block.count { loss += Vector.logistic(width, logits + row * Self.stride) }
        } else {
            if self.loss == .sampledSoftmax { exclude(tile, block, logits, labels: true) }
            for row in 0..<block.count { raiseTop(row, width, logits + row * Self.stride, scratch) }
            for row in 0..<block.count {
                scratch.sum[row] += Vector.expSum(
                    width, logits + row * Self.stride, shift: scratch.top[row], into: logits + row * Self.stride)
                scratch.tops[tile * Self.rows + row] = scratch.top[row]
            }
        }
        Panels.multiply(
            rows: block.count, panels: depth / Panels.width, depth: width,
            .init(logits, row: Self.stride, depth: 1),
            .init(
                courses.byDimension.start + tile * Self.columns * Panels.width,
                panel: Panels.width * courses.paddedCount,
                row: Panels.width),
            add: true, into: scratch.gradient.start, panel: Panels.width, row: depth)
        return loss
    }

    /// Takes down the labels' logits and excludes what is no candidate; labels always are.
    private func mask(_ tile: Int, _ block: Block, _ scratch: FusedScratch, _ logits: UnsafeMutablePointer<Float>) {
        for at in block.entries.range(tile) where block.entries.isLabel[at] {
            scratch.labelScore[at] = logits[block.entries.row[at] * Self.stride + block.entries.column[at]]
        }
        let (width, valid) = (width(tile), valid(tile))
        for row in 0..<block.count {
            if valid < width {
                (logits + row * Self.stride + valid).update(repeating: RowLoss.excluded, count: width - valid)
            }
            Vector.fill(
                valid, logits + row * Self.stride, with: RowLoss.excluded, whereRank: block.rank + tile * Self.columns,
                atLeast: block.firstUnpublished[row])
        }
        exclude(tile, block, logits, labels: false)
        for at in block.entries.range(tile) where block.entries.isLabel[at] {
            logits[block.entries.row[at] * Self.stride + block.entries.column[at]] = scratch.labelScore[at]
        }
    }

    private func exclude(_ tile: Int, _ block: Block, _ logits: UnsafeMutablePointer<Float>, labels: Bool) {
        for at in block.entries.range(tile) where block.entries.isLabel[at] == labels {
            logits[block.entries.row[at] * Self.stride + block.entries.column[at]] = RowLoss.excluded
        }
    }

    private func raiseTop(_ row: Int, _ width: Int, _ logits: UnsafePointer<Float>, _ scratch: FusedScratch) {
        let top = Vector.max(width, logits)
        if top <= scratch.top[row] { return }
        let factor = Scalar.exp(scratch.top[row] - top)
        scratch.sum[row] *= Double(factor)
        Vector.scale(courses.depth, factor, scratch.gradient.start + row * courses.depth)
        scratch.top[row] = top
    }

    // MARK: The rows' sums are known

    /// - Returns: what the loss of the rows lacks yet. Leaves what multiplies each row's weights, and the labels' own
    ///   gradients in place of their scores.
    private func finish(_ block: Block, _ scratch: FusedScratch) -> Double {
        let entries = block.entries
        var loss = 0.0
        for row in 0..<block.count {
            let n = Double(entries.labelCount[row])
            let weight = RowLoss.power(n, -rho)
            scratch.weight[row] = weight
            switch self.loss {
            case .softmax, .auto:
                loss += weight * n * (Double(scratch.top[row]) + Scalar.log(scratch.sum[row]))
                scratch.inverse[row] = weight * n / scratch.sum[row]
            case .sampledSoftmax: scratch.inverse[row] = 0
            case .bce: scratch.inverse[row] = 1
            case .sampledBCE: preconditionFailure("scored by pairs")
            }
        }
        for at in 0..<entries.count where entries.isLabel[at] {
            loss += finishLabel(at, entries.row[at], scratch)
        }
        for row in 0..<block.count { scratch.rowScale[row] = share * Float(scratch.inverse[row]) }
        return loss
    }

    private func finishLabel(_ at: Int, _ row: Int, _ scratch: FusedScratch) -> Double {
        let (score, weight) = (Double(scratch.labelScore[at]), scratch.weight[row])
        switch self.loss {
        case .softmax, .auto:
            scratch.labelScore[at] = -share * Float(weight)
            return -weight * score
        case .sampledSoftmax:
            // The sum of the others is relative to their own top; a label may lie far above it, or below.
            let top = Double(scratch.top[row])
            let shift = max(top, score)
            let (own, below) = (Scalar.exp(score - shift), Scalar.exp(top - shift))
            let sum = scratch.sum[row] * below + own
            scratch.inverse[row] += weight * below / sum
            scratch.labelScore[at] = share * Float(weight * (own / sum - 1))
            return weight * (shift + Scalar.log(sum) - score)
        case .bce, .sampledBCE:
            scratch.labelScore[at] = -share
            return -score
        }
    }

    // MARK: Back: Eᵀ·U

    private func backward(
        _ tile: Int, _ block: Block, _ scratch: FusedScratch, _ courseGradient: UnsafeMutablePointer<Float>,
        _ biasGradient: UnsafeMutablePointer<Float>?, add: Bool
    ) {
        let (depth, width) = (courses.depth, width(tile))
        let weights = scratch.tile(tile)
        if let biasGradient, !add { (biasGradient + tile * Self.columns).update(repeating: 0, count: width) }
        for row in 0..<block.count {
            var factor = scratch.rowScale[row]
            if self.loss != .bce { factor *= Scalar.exp(scratch.tops[tile * Self.rows + row] - scratch.top[row]) }
            let (from, to) = (scratch.units.start + row * depth, scratch.scaled.start + row * depth)
            for d in 0..<depth { to[d] = factor * from[d] }
            if let biasGradient {
                Vector.addScaled(width, factor, weights + row * Self.stride, to: biasGradient + tile * Self.columns)
            }
        }
        Panels.multiply(
            rows: depth, panels: width / Panels.width, depth: block.count,
            .init(scratch.scaled.start, row: 1, depth: depth),
            .init(weights, panel: Panels.width, row: Self.stride), add: add,
            into: courseGradient + tile * Self.columns * depth, panel: Panels.width * depth, row: Panels.width)
    }

    private func addLabels(
        _ block: Block, _ scratch: FusedScratch, _ unitGradient: UnsafeMutablePointer<Float>,
        _ courseGradient: UnsafeMutablePointer<Float>, _ biasGradient: UnsafeMutablePointer<Float>?
    ) {
        let (embedding, depth, entries) = (courses.embedding, courses.depth, block.entries)
        for tile in 0..<tiles {
            for at in entries.range(tile) where entries.isLabel[at] {
                let (row, slot) = (entries.row[at], tile * Self.columns + entries.column[at])
                let gradient = scratch.labelScore[at]
                Vector.addScaled(
                    embedding, scale * gradient, vectors + slot * embedding, to: unitGradient + row * embedding)
                let panel = courseGradient + slot / Panels.width * depth * Panels.width + slot % Panels.width
                let unit = scratch.units.start + row * depth
                for d in 0..<embedding { panel[d * Panels.width] += gradient * unit[d] }
                if let biasGradient { biasGradient[slot] += gradient }
            }
        }
    }
}

/// Labels and courses that are no candidates of a block's learners, tile by tile.
struct TileEntries {
    private var offsets: [Int]
    private(set) var row: [Int]
    /// Within the tile.
    private(set) var column: [Int]
    private(set) var isLabel: [Bool]
    private(set) var labelCount: [Int]

    var count: Int { row.count }
    func range(_ tile: Int) -> Range<Int> { offsets[tile]..<offsets[tile + 1] }

    /// - Parameters:
    ///   - labels, excluded: courses of each row.
    ///   - slots: where each course lies among the candidates; negative: nowhere.
    init(labels: ArraySlice<[UInt32]>, excluded: ArraySlice<[UInt32]>, slots: [Int32], candidates: Int) {
        offsets = [Int](repeating: 0, count: FusedLoss.tileCount(candidates) + 1)
        labelCount = labels.map(\.count)
        for list in [labels, excluded] {
            for courses in list {
                for course in courses where slots[Int(course)] >= 0 {
                    offsets[Int(slots[Int(course)]) / FusedLoss.columns + 1] += 1
                }
            }
        }
        for tile in 1..<offsets.count { offsets[tile] += offsets[tile - 1] }
        let total = offsets[offsets.count - 1]
        row = [Int](repeating: 0, count: total)
        column = row
        isLabel = [Bool](repeating: false, count: total)
        var next = offsets
        for (list, label) in [(labels, true), (excluded, false)] {
            for (index, courses) in list.enumerated() {
                for course in courses where slots[Int(course)] >= 0 {
                    let slot = Int(slots[Int(course)])
                    let at = next[slot / FusedLoss.columns]
                    next[slot / FusedLoss.columns] += 1
                    (row[at], column[at], isLabel[at]) = (index, slot % FusedLoss.columns, label)
                }
            }
        }
    }
}

/// What one thread reuses from block to block.
final class FusedScratch {
    let candidates: Int
    /// E: per tile rows × stride.
    private let weights: FloatBuffer
    /// scale·U, the same times each row's factor at a tile, and Σ E·V: rows × depth.
    let units: FloatBuffer
    let scaled: FloatBuffer
    let gradient: FloatBuffer
    /// Largest logit so far; after each tile (tiles × rows); Σ exp(s − top).
    var top = [Float](repeating: 0, count: FusedLoss.rows)
    var tops: [Float]
    var sum = [Double](repeating: 0, count: FusedLoss.rows)
    /// n^−ρ, what multiplies exp(s − top) in the gradient, and that over the batch.
    var weight = [Double](repeating: 0, count: FusedLoss.rows)
    var inverse = [Double](repeating: 0, count: FusedLoss.rows)
    var rowScale = [Float](repeating: 0, count: FusedLoss.rows)
    /// Of every entry that is a label: its logit, then its gradient.
    var labelScore: [Float] = []

    init(candidates: Int, depth: Int) {
        self.candidates = candidates
        let tiles = FusedLoss.tileCount(candidates)
        weights = FloatBuffer(tiles * FusedLoss.rows * FusedLoss.stride)
        units = FloatBuffer(FusedLoss.rows * depth)
        scaled = FloatBuffer(FusedLoss.rows * depth)
        gradient = FloatBuffer(FusedLoss.rows * depth)
        tops = [Float](repeating: 0, count: tiles * FusedLoss.rows)
    }

    @inline(__always)
    func tile(_ tile: Int) -> UnsafeMutablePointer<Float> { weights.start + tile * FusedLoss.rows * FusedLoss.stride }

    /// Sets the offsets of a row's logits from one value per candidate.
    func setOffsets(_ row: Int, _ offsets: UnsafePointer<Float>, count: Int) {
        var at = 0
        while at < count {
            let width = min(FusedLoss.columns, count - at)
            let out = tile(at / FusedLoss.columns) + row * FusedLoss.stride
            out.update(from: offsets + at, count: width)
            // Padding of the last panel.
            (out + width).update(repeating: 0, count: Panels.padded(width) - width)
            at += width
        }
    }
}
