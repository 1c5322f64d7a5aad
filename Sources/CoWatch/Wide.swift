import LinearAlgebra
import Platform

extension CoWatch {
    /// Which linear memorisation stands beside the towers. In all of them row i are the weights that course i in a
    /// learner's context gives to every course j, and the diagonal is 0.
    package enum WideKind: String, Sendable, CaseIterable {
        /// `ease`, or beyond `easeLimit` courses `cowatch`.
        case auto
        /// EASE^R, dense.
        case ease
        /// What follows what, sparse.
        case markov
        /// Co-watches damped on both sides, sparse, any size.
        case cowatch
        case none
    }

    package struct WideOptions: Sendable, Equatable {
        package var kind = WideKind.auto
        /// λ of `ease`, in learners.
        package var easeL2 = 200.0
        /// The most courses for `ease`, whose time grows with their cube.
        package var easeLimit = 4_000
        /// Entries kept per course by `markov` and `cowatch`.
        package var neighbours = 200
        /// `markov`: the farthest step that counts.
        package var markovSteps = 10
        /// `markov`: added to a row's total, in transitions.
        package var markovShrinkage = 10.0

        package init() {}
    }

    package struct TooManyCoursesForEase: Error {
        package let courses: Int
        package let limit: Int
    }

    /// The wide matrix from moments in `[from, to)`.
    /// - Throws: `TooManyCoursesForEase` if `ease` was asked for by name beyond its limit.
    package static func wide(
        _ shards: [Moments], courseCount: Int, from: Int64, to: Int64, options: WideOptions = .init(), workers: Workers
    ) throws -> WideMatrix {
        try wide(
            WatchMatrix(shards, courseCount: courseCount, from: from, to: to), options: options, workers: workers)
    }

    package static func wide(
        _ matrix: WatchMatrix, options: WideOptions, workers: Workers
    ) throws -> WideMatrix {
        let fits = matrix.courseCount <= options.easeLimit
        switch options.kind {
        case .none: return .none
        case .auto where fits: return .dense(ease(matrix, l2: options.easeL2, workers: workers))
        case .auto, .cowatch: return .sparse(dampedCoWatch(matrix, neighbours: options.neighbours, workers: workers))
        case .markov: return .sparse(markov(matrix, options: options, workers: workers))
        case .ease:
            if !fits { throw TooManyCoursesForEase(courses: matrix.courseCount, limit: options.easeLimit) }
            return .dense(ease(matrix, l2: options.easeL2, workers: workers))
        }
    }
}
