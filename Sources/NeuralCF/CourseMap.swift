import DenseAlgebra
import LinearAlgebra

/// A map of the courses: their embeddings' first two principal components (Pearson 1901,
/// doi:10.1080/14786440109462720), by LAPACK.
///
/// Components are fixed but for their sign; it is chosen so that the coordinate of the embedding that weighs most in a
/// component (the first of several) weighs positively.
package struct CourseMap: Sendable, Equatable {
    /// C each; 0 where a course has no place.
    package let x: [Float]
    package let y: [Float]
    /// False for courses with a zero embedding: the towers know nothing of them.
    package let isPlaced: [Bool]
    /// Share of the embeddings' variance that each of the two components holds.
    package let explained: [Double]

    /// O(C·d²); memory C × d doubles.
    /// - Parameter vectors: C × d.
    /// - Throws: `EigenFailed` (values that are not finite).
    package init(vectors: Matrix) throws {
        let (count, width) = (vectors.rows, vectors.columns)
        let placed = (0..<count).filter { course in
            vectors.values[course * width..<(course + 1) * width].contains { $0 != 0 }
        }
        var isPlaced = [Bool](repeating: false, count: count)
        for course in placed { isPlaced[course] = true }
        let centred = CourseMap.centred(vectors, placed)
        var covariance = [Double](repeating: 0, count: width * width)
        centred.withUnsafeBufferPointer { x in
            covariance.withUnsafeMutableBufferPointer {
                if let x = x.baseAddress {
                    BLAS.multiply(
                        m: width, n: width, k: placed.count, x, lda: width, transposeA: true, x, ldb: width,
                        $0.baseAddress!, ldc: width)
                }
            }
        }
        let values = try SymmetricEigen.decompose(width, &covariance)
        let total = values.reduce(0, +)
        var coordinates = [[Float]](repeating: [Float](repeating: 0, count: count), count: 2)
        var shares = [0.0, 0.0]
        for component in 0..<min(2, width) where total > 0 {
            let row = width - 1 - component
            let axis = CourseMap.signed(Array(covariance[row * width..<(row + 1) * width]))
            shares[component] = max(0, values[row]) / total
            for (k, course) in placed.enumerated() {
                var sum = 0.0
                for d in 0..<width { sum += centred[k * width + d] * axis[d] }
                coordinates[component][course] = Float(sum)
            }
        }
        (x, y, explained) = (coordinates[0], coordinates[1], shares)
        self.isPlaced = isPlaced
    }

    /// placed × d, every column with mean 0.
    private static func centred(_ vectors: Matrix, _ placed: [Int]) -> [Double] {
        let width = vectors.columns
        var mean = [Double](repeating: 0, count: width)
        for course in placed { for d in 0..<width { mean[d] += Double(vectors[course, d]) } }
        for d in 0..<width { mean[d] /= Double(max(placed.count, 1)) }
        return placed.flatMap { course in (0..<width).map { Double(vectors[course, $0]) - mean[$0] } }
    }

    private static func signed(_ axis: [Double]) -> [Double] {
        var heaviest = 0
        for d in axis.indices where abs(axis[d]) > abs(axis[heaviest]) { heaviest = d }
        return axis[heaviest] < 0 ? axis.map { -$0 } : axis
    }
}
