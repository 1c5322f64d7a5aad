// A warm start: courses are matched by id whatever their numbers, new ones start as in any training, towers of another
// shape are told apart, and training begins from there. Expected values: the earlier towers' own numbers.
import LinearAlgebra
import NeuralCF
import Platform
import Testing

@Suite struct WarmStartTests {
    private func towers(_ courses: Int, seed: UInt64, _ change: (inout NCFParameters) -> Void = { _ in }) -> Towers {
        Towers(
            courseCount: courses,
            parameters: smallParameters {
                $0.seed = seed
                change(&$0)
            }, decay: .init(age: 0, position: 0))
    }

    private func row(_ towers: Towers, _ name: String, _ course: Int) -> [Float] {
        let tensor = towers.layout.tensor(name)!
        let width = name == "course.output_bias" ? 1 : tensor.columns
        return Array(towers.weights[tensor.offset + course * width..<tensor.offset + (course + 1) * width])
    }

    @Test func coursesAreMatchedById() {
        let change: (inout NCFParameters) -> Void = {
            $0.output = .dot
            $0.hidden = [6]
        }
        var earlier = towers(3, seed: 1, change)
        for i in earlier.weights.indices { earlier.weights[i] = Float(i) }
        let fresh = towers(4, seed: 2, change)
        let start = WarmStart(fit: earlier, refit: earlier, ids: ["a", "b", "c", "e"], earlierIds: ["c", "a", "d"])
        #expect(start.earlier == [1, nil, 0, nil])
        var begun = fresh
        begun.begin(from: start.fit, earlier: start.earlier)
        for name in ["learner.table", "course.table", "course.output_bias"] {
            #expect(row(begun, name, 0) == row(earlier, name, 1))
            #expect(row(begun, name, 1) == row(fresh, name, 1))
            #expect(row(begun, name, 2) == row(earlier, name, 0))
            #expect(row(begun, name, 3) == row(fresh, name, 3))
        }
        for name in ["learner.bias", "course.dense.1.weight", "course.dense.1.bias"] {
            let (now, before) = (begun.layout.tensor(name)!.range, earlier.layout.tensor(name)!.range)
            #expect(Array(begun.weights[now]) == Array(earlier.weights[before]))
        }
    }

    @Test func shapesAreCompared() {
        let own = towers(4, seed: 1).layout
        #expect(own.difference(from: towers(9, seed: 1).layout) == nil)
        #expect(own.difference(from: towers(4, seed: 1) { $0.embedding = 5 }.layout) == "course.bias")
        #expect(own.difference(from: towers(4, seed: 1) { $0.learnerInput = .decay }.layout) == "learner.decay")
    }

    // Trained towers are a better start than random ones: the first epoch's loss is lower.
    @Test func trainingBeginsFromThere() throws {
        let fixture = Fixture(courseCount: 40, learners: 300)
        let data = fixture.data()
        let ids = (0..<40).map { "course-\($0)" }
        func training(_ start: WarmStart?) -> NCFTraining {
            NCFTraining(
                data: data, windows: fixture.windows, parameters: smallParameters { $0.embedding = 8 },
                workers: Workers(count: 2), start: start)
        }
        let cold = try training(nil).fit()
        let start = WarmStart(fit: cold.model.towers, refit: cold.model.towers, ids: ids, earlierIds: ids)
        let warm = try training(start).fit()
        #expect(warm.history[1].loss < cold.history[1].loss - 0.02)
        #expect(warm.history[0].loss == cold.history[0].loss && warm.model.linear == cold.model.linear)
    }
}
