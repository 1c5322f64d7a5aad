import LinearAlgebra

/// The gradient of t-SNE's objective KL(P ‖ Q), q_ij = w_ij / Z, w_ij = 1 / (1 + ‖y_i − y_j‖²), Z = Σ_{i≠j} w_ij:
///
///     ∂KL/∂y_i = 4·(Σ_j p_ij·w_ij·(y_i − y_j) − Σ_j w_ij²·(y_i − y_j) / Z)
///
/// The first sum runs over P's entries, the second over a quadtree (van der Maaten 2014, section 4.2): a cell of side s at
/// distance d counts as one point if s < θ·d; θ = 0 is exact.
package struct MapGradient {
    package let affinities: SparseRows
    package let theta: Double
    package let workers: Workers

    package init(affinities: SparseRows, theta: Double, workers: Workers) {
        (self.affinities, self.theta, self.workers) = (affinities, theta, workers)
    }

    /// Points of a work item.
    private static let block = 256

    /// - Parameters:
    ///   - x, y: the points, N each.
    ///   - exaggeration: factor on P.
    ///   - gx, gy: the gradient.
    /// - Returns: Z.
    @discardableResult
    package func evaluate(
        x: [Double], y: [Double], exaggeration: Double = 1, into gx: inout [Double], _ gy: inout [Double]
    ) -> Double {
        let n = x.count
        precondition(y.count == n && gx.count == n && gy.count == n && affinities.rowCount == n)
        let tree = QuadTree(x: x, y: y)
        // Per point: Σ_j w_ij and the unscaled repulsion.
        var (z, rx, ry) = (gx, gx, gy)
        let blocks = (n + Self.block - 1) / Self.block
        z.withUnsafeMutableBufferPointer { z in
            rx.withUnsafeMutableBufferPointer { rx in
                ry.withUnsafeMutableBufferPointer { ry in
                    nonisolated(unsafe) let (z, rx, ry) = (z, rx, ry)
                    workers.forEach(blocks) { block in
                        for at in block * Self.block..<min(n, (block + 1) * Self.block) {
                            let i = Int(tree.order[at])  // neighbours in the plane one after the other
                            (z[i], rx[i], ry[i]) = repulsion(i, x, y, tree)
                        }
                    }
                }
            }
        }
        let total = treeSum(z)
        gx.withUnsafeMutableBufferPointer { gx in
            gy.withUnsafeMutableBufferPointer { gy in
                nonisolated(unsafe) let (gx, gy) = (gx, gy)
                workers.forEach(blocks) { block in
                    for i in block * Self.block..<min(n, (block + 1) * Self.block) {
                        let (ax, ay) = attraction(i, x, y)
                        gx[i] = 4 * (exaggeration * ax - rx[i] / total)
                        gy[i] = 4 * (exaggeration * ay - ry[i] / total)
                    }
                }
            }
        }
        return total
    }

    private func attraction(_ i: Int, _ x: [Double], _ y: [Double]) -> (x: Double, y: Double) {
        var (ax, ay) = (0.0, 0.0)
        for at in affinities.range(i) {
            let j = Int(affinities.columns[at])
            let (dx, dy) = (x[i] - x[j], y[i] - y[j])
            let pull = Double(affinities.values[at]) / (1 + dx * dx + dy * dy)
            ax += pull * dx
            ay += pull * dy
        }
        return (ax, ay)
    }

    private func repulsion(
        _ i: Int, _ x: [Double], _ y: [Double], _ tree: QuadTree
    ) -> (z: Double, x: Double, y: Double) {
        let theta2 = theta * theta
        let (px, py) = (x[i], y[i])
        var (z, rx, ry) = (0.0, 0.0, 0.0)
        tree.cells.withUnsafeBufferPointer { cells in
            var number = 0
            while number < cells.count {
                let cell = cells[number]
                let (dx, dy) = (px - cell.x, py - cell.y)
                let distance2 = dx * dx + dy * dy
                if cell.side2 < theta2 * distance2 {
                    let w = 1 / (1 + distance2)
                    let mass = cell.count * w
                    z += mass
                    rx += mass * w * dx
                    ry += mass * w * dy
                    number = cell.next
                } else if cell.from < cell.to {
                    for at in cell.from..<cell.to {
                        let j = Int(tree.order[at])
                        if j == i { continue }
                        let (dx, dy) = (px - x[j], py - y[j])
                        let w = 1 / (1 + dx * dx + dy * dy)
                        z += w
                        rx += w * w * dx
                        ry += w * w * dy
                    }
                    number = cell.next
                } else {
                    number += 1
                }
            }
        }
        return (z, rx, ry)
    }
}
