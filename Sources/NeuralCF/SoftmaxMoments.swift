import LinearAlgebra

/// Softmax over all courses for one example of the linear fit, with first and second moments of the features:
/// loss log Z, gradient E[f], Hessian E[f fᵀ] − E[f] E[f]ᵀ. Scratch of one thread.
struct SoftmaxMoments: ~Copyable {
    let courses: Int
    let scores: UnsafeMutablePointer<Float>
    private let exps: UnsafeMutablePointer<Float>
    private let product: UnsafeMutablePointer<Float>
    private var logSum = 0.0
    private var sum = 0.0

    init(courses: Int) {
        self.courses = courses
        scores = .allocate(capacity: courses)
        exps = .allocate(capacity: courses)
        product = .allocate(capacity: courses)
    }

    deinit {
        scores.deallocate()
        exps.deallocate()
        product.deallocate()
    }

    /// scores = Σ_h w_h·feature_h
    func setTrend(_ features: FloatBuffer, _ weights: [Double]) {
        scores.update(repeating: 0, count: courses)
        for h in 0..<Trend.featureCount {
            Vector.addScaled(courses, Float(weights[h]), features.start + h * courses, to: scores)
        }
    }

    /// Leaves courses out.
    func mask(_ courses: [UInt32]) { for course in courses { scores[Int(course)] = RowLoss.excluded } }

    mutating func normalise() {
        let top = Vector.max(courses, scores)
        sum = Vector.expSum(courses, scores, shift: top, into: exps)
        logSum = Double(top) + Scalar.log(sum)
    }

    /// - Parameter wide: the last feature, or nil where it is 0.
    func moments(_ features: FloatBuffer, wide: UnsafeMutablePointer<Float>?) -> SecondOrder {
        let size = Trend.featureCount + 1
        var result = SecondOrder(size: size)
        result.loss = logSum
        let columns = (0..<size).map { $0 < Trend.featureCount ? features.start + $0 * courses : wide }
        for i in 0..<size {
            guard let a = columns[i] else { continue }
            for c in 0..<courses { product[c] = exps[c] * a[c] }
            result.gradient[i] = Double(Vector.dot(courses, exps, a)) / sum
            for j in 0...i {
                guard let b = columns[j] else { continue }
                result.hessian[i * size + j] = Double(Vector.dot(courses, product, b)) / sum
            }
        }
        for i in 0..<size {
            for j in 0...i {
                let covariance = result.hessian[i * size + j] - result.gradient[i] * result.gradient[j]
                result.hessian[i * size + j] = covariance
                result.hessian[j * size + i] = covariance
            }
        }
        return result
    }

    /// Takes weight·(score of the label) off the loss and its features off the gradient.
    func subtractLabel(
        _ course: Int, _ weight: Double, _ features: FloatBuffer, wide: UnsafeMutablePointer<Float>?,
        _ weights: [Double], from term: inout SecondOrder
    ) {
        for i in 0..<Trend.featureCount + 1 {
            let value =
                i < Trend.featureCount ? Double(features.start[i * courses + course]) : Double(wide?[course] ?? 0)
            term.loss -= weight * weights[i] * value
            term.gradient[i] -= weight * value
        }
    }
}
