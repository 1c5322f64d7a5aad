/// A quadtree over points of the plane, for sums over all points in which far ones are taken together (Barnes & Hut
/// 1986, doi:10.1038/324446a0).
///
/// Cells lie in depth-first order with the number of the cell after their last descendant, so a walk needs no stack.
package struct QuadTree {
    package struct Cell {
        /// Centre of mass.
        package var x = 0.0
        package var y = 0.0
        package var count = 0.0
        /// Side, squared.
        package var side2 = 0.0
        /// The cell after this one's last descendant.
        package var next = 0
        /// Points of a leaf: `order[from..<to]`; empty for an inner cell.
        package var from = 0
        package var to = 0
    }

    package private(set) var cells: [Cell] = []
    /// Point numbers, those of a leaf together.
    package private(set) var order: [Int32]

    /// A cell with at most so many points is a leaf.
    private static let leafSize = 8
    /// Equal points cannot be parted.
    private static let deepest = 40

    package init(x: [Double], y: [Double]) {
        order = (0..<Int32(x.count)).map { $0 }
        let (left, right) = (x.min() ?? 0, x.max() ?? 0)
        let (low, high) = (y.min() ?? 0, y.max() ?? 0)
        let side = max(right - left, high - low)
        cells.reserveCapacity(x.count)
        build(0, x.count, left, low, side, 0, x, y)
    }

    private mutating func build(
        _ from: Int, _ to: Int, _ left: Double, _ low: Double, _ side: Double, _ depth: Int, _ x: [Double],
        _ y: [Double]
    ) {
        if from == to { return }
        let number = cells.count
        var cell = Cell()
        for at in from..<to {
            cell.x += x[Int(order[at])]
            cell.y += y[Int(order[at])]
        }
        cell.count = Double(to - from)
        cell.x /= cell.count
        cell.y /= cell.count
        cell.side2 = side * side
        if to - from <= Self.leafSize || depth == Self.deepest { (cell.from, cell.to) = (from, to) }
        cells.append(cell)
        if cell.from == cell.to {
            let half = side / 2
            let middleY = part(from, to, y, low + half)
            let below = part(from, middleY, x, left + half)
            let above = part(middleY, to, x, left + half)
            build(from, below, left, low, half, depth + 1, x, y)
            build(below, middleY, left + half, low, half, depth + 1, x, y)
            build(middleY, above, left, low + half, half, depth + 1, x, y)
            build(above, to, left + half, low + half, half, depth + 1, x, y)
        }
        cells[number].next = cells.count
    }

    /// Brings the points of `order[from..<to]` with a coordinate under the limit to the front; returns where they end.
    private mutating func part(_ from: Int, _ to: Int, _ coordinate: [Double], _ limit: Double) -> Int {
        var (front, back) = (from, to)
        while front < back {
            if coordinate[Int(order[front])] < limit {
                front += 1
            } else {
                back -= 1
                order.swapAt(front, back)
            }
        }
        return front
    }
}
