import Baselines
import LinearAlgebra
import Platform
import ShardKinds
import Shards

/// The baselines of a run as of T, from the same shards as the models: counts over all learners, and the matrices of
/// `cowatch/` at T.
struct BaselineModels {
    /// As the table calls them.
    let names: [String]
    private let kinds: [String]
    private let windows: TimeWindows
    private let popular: [Float]
    private let recent: [Float]
    private let similarity: SparseRows
    private let wide: WideMatrix
    private let recentShare: Float

    /// - Parameter counts: moments of each course before T, and in the recent window.
    init(
        _ settings: EvaluateSettings, cowatch: StageInput, windows: TimeWindows, counts: (all: [Int], recent: [Int])
    ) throws {
        let snapshot = try CoWatchShards.snapshot(cowatch, at: windows.asOf)
        (similarity, wide) = (snapshot.similarity, snapshot.wide)
        guard similarity.rowCount == counts.all.count else {
            throw LecternError.data(
                "\(cowatch.folder): \(similarity.rowCount) courses, the catalogue has \(counts.all.count); "
                    + "run make build-cooccurrence")
        }
        self.windows = windows
        (popular, recent) = (Popularity.scores(counts.all), Popularity.scores(recent: counts.recent, all: counts.all))
        recentShare = settings.recentShare
        var wideName = "wide"
        if case .text(let kind)? = cowatch.manifest.facts["wide"] { wideName = kind }
        // Without a wide matrix there is nothing to show; the matrix called cowatch is not the similarity.
        let hasWide = wide != .none
        kinds = settings.baselines.filter { hasWide || !$0.hasPrefix("wide") }
        let shown = wideName == "cowatch" ? "wide-cowatch" : wideName
        names = kinds.map { $0.hasPrefix("wide") ? shown + $0.dropFirst(4) : $0 }
    }

    /// Co-watch similarity at T of two courses; 0 beyond each one's best neighbours.
    func cowatch(_ a: UInt32, _ b: UInt32) -> Float {
        similarity.value(Int(a), b) ?? similarity.value(Int(b), a) ?? 0
    }

    /// One scorer per name, for the learners of a shard.
    func scorers(_ moments: Moments) -> [any CourseScorer] {
        let count = moments.learnerCount
        func itemToItem(_ weights: WideMatrix) -> ItemToItemScorer {
            ItemToItemScorer(
                weights, moments: moments, time: windows.asOf, history: windows.history, fallback: popular)
        }
        let recently = ConstantScorer(scores: recent, learnerCount: count)
        return kinds.map { kind -> any CourseScorer in
            switch kind {
            case "popular": ConstantScorer(scores: popular, learnerCount: count)
            case "recent": recently
            case "cowatch": itemToItem(.sparse(similarity))
            case "wide": itemToItem(wide)
            case "wide+recent": MixtureScorer(itemToItem(wide), recently, share: recentShare)
            default: preconditionFailure("no baseline \(kind)")
            }
        }
    }
}

/// Makes a learner's list from scores of all courses: eligible ones, those watched before T removed, best first, ties
/// to the smaller number. One per thread.
struct ListMaker {
    /// By course.
    let eligible: [Bool]
    private var isOpen: [Bool]
    private var top: TopSelection
    private var scores: [Float]

    init(eligible: [Bool], depth: Int) {
        self.eligible = eligible
        isOpen = eligible
        top = TopSelection(k: depth)
        scores = [Float](repeating: 0, count: eligible.count)
    }

    /// The learner whose lists are made next.
    mutating func begin(watched: ArraySlice<UInt32>) {
        for course in isOpen.indices { isOpen[course] = eligible[course] }
        for course in watched { isOpen[Int(course)] = false }
    }

    mutating func list(_ scorer: any CourseScorer, learner: Int) -> [UInt32] {
        scores.withUnsafeMutableBufferPointer { scores in
            guard let base = scores.baseAddress else { return }
            scorer.score(learner..<learner + 1, into: base)
            var threshold = -Float.infinity
            for course in 0..<scores.count where isOpen[course] && base[course] >= threshold {
                top.offer(base[course], Int32(course))
                threshold = top.threshold
            }
        }
        return top.drain().indices.map { UInt32($0) }
    }

    /// What remains of a stored list.
    func list(_ stored: ArraySlice<UInt32>) -> [UInt32] {
        Array(stored.lazy.filter { isOpen[Int($0)] }.prefix(top.k))
    }
}
