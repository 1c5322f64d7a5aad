import LinearAlgebra
import Platform
import Ranking

/// Scores from a function of (learner, course): the fake model of these tests.
struct FunctionScorer: CourseScorer {
    let learnerCount: Int
    let courseCount: Int
    let value: @Sendable (Int, Int) -> Float

    func score(_ learners: Range<Int>, into out: UnsafeMutablePointer<Float>) {
        for (row, learner) in learners.enumerated() {
            for course in 0..<courseCount { out[row * courseCount + course] = value(learner, course) }
        }
    }
}

/// A standard normal number that depends on nothing but its arguments.
func noise(_ seed: UInt64, _ a: Int, _ b: Int) -> Float {
    var stream = RandomKey(seed: seed, purpose: "test").stream(a, b)
    return Float(stream.normal())
}

func traits(_ courses: Int, segment: Int = -1, idleDays: Int64 = 1) -> LearnerTraits {
    LearnerTraits(contextLength: courses, idle: courses == 0 ? 0 : idleDays * 86_400, segment: segment)
}

func plainCourses(_ count: Int, ineligible: Set<Int> = [], recent: [Float]? = nil) -> CourseTraits {
    let yes = [Bool](repeating: true, count: count)
    return CourseTraits(
        eligible: (0..<count).map { !ineligible.contains($0) }, recent: recent ?? [Float](repeating: 0, count: count),
        hasCoWatches: yes, hasEngagements: yes)
}

func sets(_ lists: [[UInt32]]) -> CourseSets {
    var sets = CourseSets()
    for list in lists { sets.append(list) }
    return sets
}

/// A blend with the same weights for everybody.
func fixedBlend(ncf: Double, glmix: Double, recent: Double) -> BlendModel {
    let layout = BlendLayout(segments: 0)
    var theta = [Double](repeating: 0, count: layout.count)
    for (score, weight) in [ncf, glmix, recent].enumerated() {
        theta[layout.base(score)] = Scalar.log(Scalar.exp(weight) - 1)
    }
    return BlendModel(
        layout: layout,
        traitScale: TraitScale(lengthMean: 0, lengthDeviation: 1, idleMean: 0, idleDeviation: 1),
        warm: .init(parameters: theta), cold: .init(parameters: theta))
}
