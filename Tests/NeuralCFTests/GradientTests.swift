// Proves that the manual gradients are the derivatives of the loss: central finite differences along the gradient of
// every tensor and along single coordinates, for every layer, loss, input and output.
import LinearAlgebra
import NeuralCF
import Platform
import Testing

@Suite struct GradientTests {
    static let cases: [(String, @Sendable (inout NCFParameters) -> Void)] = [
        ("linear, two-hop, cosine, softmax", { _ in }),
        ("linear, two-hop, decay", { $0.learnerInput = .decay }),
        (
            "hidden, watched, decay, cosine",
            {
                $0.learnerRows = .watched
                $0.learnerInput = .decay
                $0.hidden = [6, 5]
            }
        ),
        (
            "hidden, two-hop, dropout and hiding",
            {
                $0.hidden = [8, 6]
                $0.dropout = 0.25
                $0.hide = 0.3
            }
        ),
        (
            "published: dot, bce, watched",
            {
                $0.learnerRows = .watched
                $0.hidden = [6, 5]
                $0.output = .dot
                $0.temperature = 1
                $0.loss = .bce
            }
        ),
        (
            "dot, softmax, decay",
            {
                $0.output = .dot
                $0.temperature = 0.5
                $0.learnerInput = .decay
            }
        ),
        (
            "attention, two-hop",
            {
                $0.learnerInput = .attention
                $0.hide = 0.2
            }
        ),
        (
            "attention, watched, hidden",
            {
                $0.learnerInput = .attention
                $0.learnerRows = .watched
                $0.hidden = [6, 5]
            }
        ),
        (
            "sampled softmax",
            {
                $0.loss = .sampledSoftmax
                $0.sharedNegatives = 9
            }
        ),
        (
            "sampled bce, dot, weighted, popularity",
            {
                $0.learnerRows = .watched
                $0.output = .dot
                $0.temperature = 1
                $0.loss = .sampledBCE
                $0.negativePower = 0.75
            }
        ),
        (
            "sampled bce, cosine, two-hop, unweighted",
            {
                $0.loss = .sampledBCE
                $0.negativeWeight = .none
            }
        ),
        (
            "random cuts",
            {
                $0.examples = .random
                $0.hide = 0.4
            }
        ),
    ]

    @Test(arguments: cases.indices) func finiteDifferences(_ index: Int) throws {
        let (name, change) = Self.cases[index]
        let fixture = Fixture()
        let data = fixture.data()
        let (trainer, step) = trainer(data, fixture.windows, smallParameters(change))
        let share = [Double](repeating: 1 / Double(data.courseCount), count: data.courseCount)
        // Biases away from 0: a unit on ReLU's kink, or an embedding of length 0, has no derivative to compare with.
        var random = RandomKey(seed: 3, purpose: "gradient").stream(index)
        for tensor in trainer.towers.layout.tensors
        where tensor.name.hasSuffix("bias") || tensor.name.contains("attention") {
            for i in tensor.range { trainer.towers.weights[i] = Float(0.4 + 0.3 * random.normal()) }
        }
        let start = trainer.towers.weights
        _ = trainer.accumulate(step, epoch: 1, labelShare: share)
        let gradient = trainer.gradient
        let count = Double(step.examples.count)
        func loss(_ weights: [Float]) -> Double {
            trainer.towers.weights = weights
            return trainer.accumulate(step, epoch: 1, labelShare: share) / count
        }
        for tensor in trainer.towers.layout.tensors {
            let norm = gradient[tensor.range].reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
            if norm < 1e-5 {
                // u·bias is the same for every course: a softmax cannot see it.
                #expect(tensor.name == "course.bias" && name == "dot, softmax, decay", "\(name): \(tensor.name)")
                continue
            }
            // Along the gradient the slope is its norm. Float logits leave about 1e-6 of noise in the loss.
            let size = 2e-3
            var (up, down) = (start, start)
            for i in tensor.range {
                up[i] += Float(size * Double(gradient[i]) / norm)
                down[i] -= Float(size * Double(gradient[i]) / norm)
            }
            let slope = (loss(up) - loss(down)) / (2 * size)
            #expect(abs(slope - norm) < 0.02 * norm + 3e-4, "\(name): \(tensor.name) \(slope) against \(norm)")
        }
        for _ in 0..<20 {
            let i = random.below(start.count)
            var (up, down) = (start, start)
            up[i] += 2e-3
            down[i] -= 2e-3
            let slope = (loss(up) - loss(down)) / Double(up[i] - down[i])
            #expect(abs(slope - Double(gradient[i])) < 0.05 * abs(slope) + 1e-3, "\(name): weight \(i)")
        }
    }
}
