import CKernels

/// Products over panels of 16 columns, for operands that stay packed or in cache; single-threaded, same bits on every
/// CPU that has fused multiply-add.
package enum Panels {
    /// Columns of a panel.
    package static let width = 16

    /// The least multiple of 16 that is ≥ count.
    @inline(__always)
    package static func padded(_ count: Int) -> Int { (count + width - 1) / width * width }

    /// Where element (i, k) of a left factor lies: `start[i·row + k·depth]`.
    package struct Left {
        var start: UnsafePointer<Float>
        var row: Int
        var depth: Int

        package init(_ start: UnsafePointer<Float>, row: Int, depth: Int) {
            (self.start, self.row, self.depth) = (start, row, depth)
        }
    }

    /// Where a panel and, in it, a row of 16 columns begins: `start[p·panel + i·row]`.
    package struct Right {
        var start: UnsafePointer<Float>
        var panel: Int
        var row: Int

        package init(_ start: UnsafePointer<Float>, panel: Int, row: Int) {
            (self.start, self.panel, self.row) = (start, panel, row)
        }
    }

    /// C[rows × 16·panels] (+)= A[rows × depth]·B[depth × 16·panels]; C lies as `Right` says, beginning at `c`.
    @inline(__always)
    package static func multiply(
        rows: Int, panels: Int, depth: Int, _ a: Left, _ b: Right, add: Bool, into c: UnsafeMutablePointer<Float>,
        panel: Int, row: Int
    ) {
        lk_product(
            rows, panels, depth, a.start, a.row, a.depth, b.start, b.panel, b.row, c, panel, row, add ? 1 : 0)
    }
}
