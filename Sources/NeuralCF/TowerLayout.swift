import LinearAlgebra

/// Where each tensor of the two towers lies in one flat buffer of weights.
///
/// Per tower: `table` (C × width), `bias` (width), then per fully connected layer `weight` (in × out) and `bias` (out).
/// width is the first of `hidden`, or `embedding` if there is none. Also `learner.decay` (a, b) with decaying input,
/// `learner.attention.…` with attention, and `course.output_bias` (C) with dot output.
package struct TowerLayout: Sendable, Equatable {
    package struct Tensor: Sendable, Equatable {
        package var name: String
        package var rows: Int
        package var columns: Int
        package var offset: Int
        package var count: Int { rows * columns }
        package var range: Range<Int> { offset..<offset + count }
    }

    package enum Side: String, Sendable { case learner, course }

    package let courseCount: Int
    /// Widths from the first layer's output to the embedding.
    package let dimensions: [Int]
    package private(set) var tensors: [Tensor] = []

    package var width: Int { dimensions[0] }
    package var embedding: Int { dimensions[dimensions.count - 1] }
    package var weightCount: Int { tensors.last.map { $0.offset + $0.count } ?? 0 }

    package init(courseCount: Int, parameters: NCFParameters) {
        self.courseCount = courseCount
        dimensions = parameters.hidden + [parameters.embedding]
        for side in [Side.learner, .course] {
            add("\(side).table", courseCount, width)
            add("\(side).bias", 1, width)
            for layer in 1..<max(dimensions.count, 1) {
                add("\(side).dense.\(layer).weight", dimensions[layer - 1], dimensions[layer])
                add("\(side).dense.\(layer).bias", 1, dimensions[layer])
            }
            if side == .learner && parameters.learnerInput == .decay { add("learner.decay", 1, 2) }
            if side == .learner && parameters.learnerInput == .attention {
                add("learner.attention.query", 2, width)
                add("learner.attention.age", 2, Attention.bucketCount)
                add("learner.attention.gate", 1, 1)
            }
        }
        if parameters.output == .dot { add("course.output_bias", 1, courseCount) }
    }

    private mutating func add(_ name: String, _ rows: Int, _ columns: Int) {
        tensors.append(Tensor(name: name, rows: rows, columns: columns, offset: weightCount))
    }

    package func tensor(_ name: String) -> Tensor? { tensors.first { $0.name == name } }

    /// Everything of a tower but its table: summed over blocks.
    func small(_ side: Side) -> Range<Int> {
        let names = tensors.filter {
            $0.name.hasPrefix("\(side).") && $0.name != "\(side).table" && $0.name != "course.output_bias"
        }
        return names.first!.offset..<(names.last!.offset + names.last!.count)
    }
}

/// The two towers: what training finds and the shards hold.
package struct Towers: Sendable, Equatable {
    package let layout: TowerLayout
    package let parameters: NCFParameters
    /// As the layout says.
    package var weights: [Float]

    package init(layout: TowerLayout, parameters: NCFParameters, weights: [Float]) {
        precondition(weights.count == layout.weightCount)
        (self.layout, self.parameters, self.weights) = (layout, parameters, weights)
    }

    /// Gaussian start: tables 1/√width, so that a first layer has norm near 1; fully connected layers √(2/in) (He et al.
    /// 2015, arXiv:1502.01852); biases 0; decay as given; queries small but not 0, or both would stay alike.
    package init(courseCount: Int, parameters: NCFParameters, decay: LinearPart.Decay) {
        layout = TowerLayout(courseCount: courseCount, parameters: parameters)
        self.parameters = parameters
        weights = [Float](repeating: 0, count: layout.weightCount)
        let key = RandomKey(seed: parameters.seed, purpose: "ncf.start")
        for (index, tensor) in layout.tensors.enumerated() {
            var random = key.stream(index)
            if tensor.name == "learner.decay" {
                weights[tensor.offset] = Float(decay.age)
                weights[tensor.offset + 1] = Float(decay.position)
            } else if tensor.name == "learner.attention.query" {
                for i in tensor.range { weights[i] = Float(0.1 * random.normal()) }
            } else if tensor.name.hasPrefix("learner.attention") {
                continue
            } else if tensor.rows > 1 || tensor.name.hasSuffix("weight") || tensor.name.hasSuffix("table") {
                let table = tensor.name.hasSuffix("table")
                let scale = table ? 1 / Double(layout.width).squareRoot() : (2 / Double(tensor.rows)).squareRoot()
                for i in tensor.range { weights[i] = Float(scale * random.normal()) }
            }
        }
    }

    /// a, b of the learner's input; zero for `sum`.
    package var decay: LinearPart.Decay {
        guard let tensor = layout.tensor("learner.decay") else { return .init(age: 0, position: 0) }
        return .init(age: Double(weights[tensor.offset]), position: Double(weights[tensor.offset + 1]))
    }

    /// What multiplies u·v.
    package var outputScale: Float { 1 / parameters.temperature }
}
